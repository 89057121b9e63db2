// Products and decoding for one code: decode_block() was written before this is included.
#pragma once

#include <stdlib.h>

#include "dots.hpp"
#include "mask.hpp"
#include "parts.hpp"
#include "shaped.hpp"

constexpr int SYMBOL_BYTES = XW_N_IN * LINE;          // of a block, all lanes
constexpr int BLOCK_GROUPS = XW_N_OUT / XW_TOGETHER;  // column groups of a block
constexpr int BUFFERED = XW_N_OUT > 96 ? 1 : 192 / XW_N_OUT;  // blocks decoded before they are multiplied
constexpr int BLOCK_BYTES = XW_N_OUT * OUT_BYTES;     // decoded

// Gives every output of a block, masked, to `put(line, place of the line in the block)`.
template <class Sink>
struct Masked {
    Keeper keeper;
    Sink sink;
    XW_INLINE void output(const Line& line, int r) {
#if XW_NIBBLES == 2
        Line low, high;
        const Line top = every<u8>(0xF0);
        XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
#if defined(XW_AVX512)
            low.part[i] = _mm512_and_si512(_mm512_slli_epi16(line.part[i], 4), top.part[i]);
            high.part[i] = _mm512_and_si512(line.part[i], top.part[i]);
#elif defined(XW_AVX2)
            low.part[i] = _mm256_and_si256(_mm256_slli_epi16(line.part[i], 4), top.part[i]);
            high.part[i] = _mm256_and_si256(line.part[i], top.part[i]);
#else
            low.part[i] = line.part[i] << 4;
            high.part[i] = line.part[i] & top.part[i];
#endif
        }
        sink.put(keeper.keep(low, r, 0), 2 * r);
        sink.put(keeper.keep(high, r, 1), 2 * r + 1);
#else
        sink.put(keeper.keep(line, r, 0), r);
#endif
    }
};

template <bool PAST>
struct Store {
    u8* to;
    XW_INLINE void put(const Line& line, int place) {
        if (PAST)
            store_past(to + place * LINE, line);
        else
            store(to + place * LINE, line);
    }
};

constexpr int MASK_LINES_READ = (MASK_BYTES + LINE - 1) / LINE;

// Asks for what is PREFETCH bytes behind a block's symbols and its mask.
struct Asking {
    const u8* symbols;
    XW_INLINE void line(int at) const { prefetch(symbols + at); }
    XW_INLINE void of_mask(const u8* mask, int output) const {
        const int at = output * MASK_LINES_READ / XW_N_OUT;
        if (output == 0 || at > (output - 1) * MASK_LINES_READ / XW_N_OUT) prefetch(mask + at * LINE);
    }
    XW_INLINE void all_of_mask(const u8*) const {}
};

template <bool PAST>
__attribute__((noinline)) static void decode_to(const u8* symbols, const u8* mask, u8* to) {
    BlockMask block;
    Masked<Store<PAST>> sink{{block.of(mask), {}}, {to}};
    decode_block(symbols, mask, sink, Asking{symbols});
}

#if XW_DECODING

// All words as they are decoded, block after block, output after output; `to` is aligned to a line.
template <bool PAST>
struct Decoding {
    const u8 *symbols, *mask;
    u8* to;
    void operator()(long, long first, long last) const {
        for (long t = first; t < last; t++)
            decode_to<PAST>(symbols + t * SYMBOL_BYTES, mask + t * MASK_BYTES, to + t * BLOCK_BYTES);
#if defined(XW_AVX512) || defined(XW_AVX2)
        if (PAST) _mm_sfence();
#endif
    }
};

// past: around the caches, for what is larger than they are.
extern "C" void xw_decode(const u8* symbols, const u8* mask, long blocks, long threads, long past, u8* to) {
    if (past)
        in_parts(blocks, threads, Decoding<true>{symbols, mask, to});
    else
        in_parts(blocks, threads, Decoding<false>{symbols, mask, to});
}

#else

#if !XW_FLOAT && defined(XW_AVX512) && defined(XW_VNNI) && XW_TOGETHER <= 16
#define XW_FUSED 1
// One vector: what is decoded never leaves the registers, and neither do the sums of a pass.
struct Multiply {
    Line sums[XW_TOGETHER];
    const u8* factors;
    XW_INLINE void put(const Line& line, int place) {
        const int r = place / XW_NIBBLES;
        dot(sums[r % XW_TOGETHER], factors + r / XW_TOGETHER * FACTOR_BYTES + place % XW_NIBBLES * 4, line);
    }
};

// A window read where it lies is read at hundreds of places that all move on by a block; processors that foresee each
// of them fetch out of order and in vain. With one encoded bit for four outputs and more, memory is what such a kernel
// waits for: the window is kept in a ring then, each block in both halves, and memory is read once and in order.
constexpr int SLOTS = XW_N_S + 2;  // the window's, and the block to come
constexpr int RING_BYTES = SLOTS * SYMBOL_BYTES;
constexpr bool RINGED = 4 * XW_N_IN > XW_N_OUT && RING_BYTES <= 6144;

XW_INLINE void keep_both(u8* to, const Line& line) {
    store(to, line);
    store(to + RING_BYTES, line);
}

struct Filling {
    u8* slot;           // of the block to come, in the first half
    const u8* symbols;  // its own
    XW_INLINE void line(int at) const {
        prefetch(symbols + at);
        keep_both(slot + at, load(symbols + at));
    }
    // at once: between the lines of symbols they would take turns in memory
    XW_INLINE void of_mask(const u8*, int) const {}
    XW_INLINE void all_of_mask(const u8* mask) const {
        for (int at = 0; at < MASK_BYTES; at += LINE) prefetch(mask + at);
    }
};

struct Passing {  // sums of a pass, block after block
    BlockMask block;
    Masked<Multiply> sink;
    XW_INLINE Passing(const u8* mask, const u8* factors, const u8* sums) : sink{{mask, {}}, {{}, factors}} {
        XW_UNROLL for (int g = 0; g < XW_TOGETHER; g++) sink.sink.sums[g] = load(sums + g * LINE);
    }
    template <class Ahead>
    XW_INLINE void add(const u8* symbols, const u8* mask, Ahead ahead) {
        sink.keeper.mask = block.of(mask);
        decode_block(symbols, mask, sink, ahead);
        sink.sink.factors += BLOCK_GROUPS * FACTOR_BYTES;
    }
    XW_INLINE void give(u8* sums) const {
        XW_UNROLL for (int g = 0; g < XW_TOGETHER; g++) store(sums + g * LINE, sink.sink.sums[g]);
    }
};

template <bool IN_RING>
__attribute__((noinline)) static void multiply_one(
    const u8* symbols, const u8* mask, long blocks, const u8* factors, u8* sums) {
    Passing pass(mask, factors, sums);
    if constexpr (IN_RING) {
        alignas(64) u8 ring[2 * RING_BYTES];
        for (int i = 0; i < (XW_N_S + 1) * SYMBOL_BYTES; i += LINE)
            keep_both(ring + i, load(symbols - XW_N_S * SYMBOL_BYTES + i));
        u8* slot = ring + XW_N_S * SYMBOL_BYTES;
        for (long t = 0; t < blocks; t++, mask += MASK_BYTES) {
            const u8* const window = slot + RING_BYTES;
            slot = slot + SYMBOL_BYTES == ring + RING_BYTES ? ring : slot + SYMBOL_BYTES;
            if (t + 1 < blocks) symbols += SYMBOL_BYTES;  // behind the last there may be nothing to read
            pass.add(window, mask, Filling{slot, symbols});
        }
    } else {
        for (long t = 0; t < blocks; t++, symbols += SYMBOL_BYTES, mask += MASK_BYTES)
            pass.add(symbols, mask, Asking{symbols});
    }
    pass.give(sums);
}
#endif

struct Matrix {
    const u8 *symbols, *mask;  // of block 0
    long passes, pass_blocks;
};

// Blocks first .. last - 1 of one pass into the sums of its row groups, vector after vector.
static void multiply_pass(const Matrix& m, long first, long last, const u8* factors, long factors_step, long batch,
                          u8* sums) {
    const long at = first % m.pass_blocks;
#if XW_FUSED
    if (batch == 1) {
        multiply_one<RINGED>(m.symbols + first * SYMBOL_BYTES, m.mask + first * MASK_BYTES, last - first,
                     factors + at * BLOCK_GROUPS * FACTOR_BYTES, sums);
        return;
    }
#endif
    alignas(64) u8 buffer[BUFFERED * BLOCK_BYTES];
    for (long t = first; t < last; t += BUFFERED) {
        const long count = last - t < BUFFERED ? last - t : BUFFERED;
        for (long b = 0; b < count; b++)
            decode_to<false>(m.symbols + (t + b) * SYMBOL_BYTES, m.mask + (t + b) * MASK_BYTES, buffer + b * BLOCK_BYTES);
        for (long v = 0; v < batch; v++)
            dot_block(buffer, count * BLOCK_GROUPS,
                      factors + v * factors_step + (at + t - first) * BLOCK_GROUPS * FACTOR_BYTES,
                      sums + v * XW_TOGETHER * LINE);
    }
}

// Runs of blocks of the matrix into sums, shape (batch, row groups, 16). A pass belongs to the part that starts it; what
// a part does of a pass that another one started goes to its rest, and is added in the end.
struct Multiplying {
    Matrix m;
    const u8* factors;
    long factors_step, batch;
    u8 *sums, *own;       // own: of a pass, shape (parts, batch, together, 16)
    u8* rests;            // shape (parts, batch, together, 16)
    long* passes_begun;   // (parts,): the pass that a part's rest belongs to, -1 where it has none
    void operator()(long part, long first, long last) const {
        const long row_groups = m.passes * XW_TOGETHER, own_bytes = batch * XW_TOGETHER * LINE;
        u8* const from = own + part * own_bytes;
        passes_begun[part] = -1;
        while (first < last) {
            const long pass = first / m.pass_blocks, begin = pass * m.pass_blocks, stop = begin + m.pass_blocks;
            const long end = last < stop ? last : stop;
            const bool begun = first > begin;
            if (begun) passes_begun[part] = pass;
            u8* const to = begun ? rests + part * own_bytes : from;
            memset(to, 0, own_bytes);
            multiply_pass(m, first, end, factors, factors_step, batch, to);
            for (long v = 0; v < batch && !begun; v++)
                for (long g = 0; g < XW_TOGETHER; g++)
                    memcpy(sums + (v * row_groups + g * m.passes + pass) * LINE, from + (v * XW_TOGETHER + g) * LINE,
                           LINE);
            first = end;
        }
    }
};

#if XW_FLOAT
typedef float Sum;
typedef float Factor;
#else
typedef i32 Sum;
typedef i8 Factor;
#endif

constexpr long SHARED_FROM = 1 << 16;  // additions at the end that are shared out among the threads

// Adds the rests of passes that were shared by several parts.
static void add_rests(const Multiplying& work, long parts) {
    for (long p = 0; p < parts; p++) {
        if (work.passes_begun[p] < 0) continue;
        const Sum* rest = (const Sum*)work.rests + p * work.batch * XW_TOGETHER * 16;
        for (long v = 0; v < work.batch; v++)
            for (long g = 0; g < XW_TOGETHER; g++) {
                const long row_group = (v * XW_TOGETHER + g) * work.m.passes + work.passes_begun[p];
                for (long row = 0; row < 16; row++) ((Sum*)work.sums)[row_group * 16 + row] += *rest++;
            }
    }
}

// What the patches add to all products, group of rows by group of rows. A group's patches come in rounds, each with one
// patch of a row at most: no sum in memory is waited for, and there is no loop over a row to be mispredicted.
struct Patching {
    long rows, group_rows;
    const i64* starts;  // of each group's patches, and their end
    const i32 *patch_rows, *patch_columns;
    const Sum* patch_values;
    const Factor* vectors;
    long width, batch;
    Sum* added;  // shape (batch, rows)
    long groups() const { return (rows + group_rows - 1) / group_rows; }
    void operator()(long first, long last) const {  // groups
        const long first_row = first * group_rows, most = last * group_rows, end_row = most < rows ? most : rows;
        for (long v = 0; v < batch && first < last; v++) {
            Sum* const out = added + v * rows;
            memset(out + first_row, 0, (end_row - first_row) * sizeof(Sum));
            const Factor* const vector = vectors + v * width;
            for (i64 k = starts[first]; k < starts[last]; k++)
                out[patch_rows[k]] += patch_values[k] * vector[patch_columns[k]];
        }
    }
};

// Rows first .. last - 1 of all products: the sums, the offsets taken off, and what the patches add.
struct Finishing {
    const Sum* sums;
    long vector_size;
    const Sum* offsets;
    const Sum* added;  // none where there is no patch
    long rows, batch;
    Sum* product;
    void operator()(long, long first, long last) const {
        for (long v = 0; v < batch; v++) {
            Sum* const out = product + v * rows;
            const Sum* const of_vector = sums + v * vector_size;
            if (added) {
                const Sum* const of_patches = added + v * rows;
#pragma omp simd
                for (long row = first; row < last; row++) out[row] = finish(of_vector[row], offsets[row]) + of_patches[row];
            } else {
#pragma omp simd
                for (long row = first; row < last; row++) out[row] = finish(of_vector[row], offsets[row]);
            }
        }
    }
    static XW_INLINE Sum finish(Sum sum, Sum offset) {
#if XW_FLOAT
        return sum;
#else
        return (sum - offset) >> (XW_NIBBLES == 2 ? 4 : 0);
#endif
    }
};

// product, shape (batch, rows). offsets, (rows,): what the activations' 128 adds, to be taken off. patches: row, column
// and value of what the stream leaves out, in groups of rows. Returns 0, or 1 if there is no memory.
extern "C" int xw_multiply(const u8* symbols, const u8* mask, long passes, long pass_blocks, long threads,
                           const i32* columns, const Sum* offsets, long rows, long patches, long patch_group,
                           const i64* patch_starts, const i32* patch_rows, const i32* patch_columns,
                           const Sum* patch_values, const Factor* vectors, long width, long batch, Sum* product) {
    const long blocks = passes * pass_blocks, groups = pass_blocks * BLOCK_GROUPS;
    const long sums_size = batch * passes * XW_TOGETHER * 16, factors_size = (groups * FACTOR_BYTES + 63) / 64 * 64;
    const long parts = parts_of(blocks, threads);
    const long own_size = parts * batch * XW_TOGETHER * LINE, all_sums = sums_size * (long)sizeof(Sum);
    const long all_added = patches ? (batch * rows * (long)sizeof(Sum) + 63) / 64 * 64 : 0;
    u8* const space = (u8*)aligned_alloc(64, 2 * own_size + all_sums + all_added + batch * factors_size);
    if (!space) return 1;
    u8* const sums = space + 2 * own_size;
    Sum* const added = (Sum*)(sums + all_sums);
    u8* const factors = sums + all_sums + all_added;
    for (long v = 0; v < batch; v++)
        place_factors(vectors + v * width, columns, width, groups, factors + v * factors_size);
    long passes_begun[MOST_PARTS];
    const Multiplying multiplying{{symbols, mask, passes, pass_blocks}, factors, factors_size, batch, sums, space,
                                  space + own_size, passes_begun};
    const Patching patching{rows,         patch_group, patch_starts, patch_rows, patch_columns,
                            patch_values, vectors,     width,        batch,      added};
    in_parts(blocks, threads, [&](long part, long first, long last) {
        multiplying(part, first, last);
        if (patches) patching(patching.groups() * part / parts, patching.groups() * (part + 1) / parts);
    });
    add_rests(multiplying, parts);
    const Finishing finishing{(const Sum*)sums, passes * XW_TOGETHER * 16, offsets, patches ? added : nullptr, rows,
                              batch, product};
    in_parts(rows, batch * rows < SHARED_FROM ? 1 : threads, finishing);
    free(space);
    return 0;
}

#endif
