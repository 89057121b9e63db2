// Products of an encoded matrix: INT8 or INT4 with INT8 vectors to INT32, FP16 with FP16 vectors to float32.
//
// A warp decodes a group of XW_N_OUT tiles; each decoded tile goes from registers into matrix instructions, whose eight
// columns are eight vectors. Integer sums are exact, in any order. Float32 sums come about in the order the hardware
// chooses, within an instruction and among warps.
#pragma once

#if XW_N_W == 16
typedef float Sum;
typedef u16 Factor;
typedef Real Sums;
#define XW_PER_WORD 2  // factors in a word
#else
typedef int Sum;
typedef i8 Factor;
typedef Int Sums;
#define XW_PER_WORD 4
#endif

#define XW_INSTRUCTIONS (XW_FRAGMENTS / 4)          // of a tile and eight vectors
#define XW_EIGHTS ((XW_VECTORS + 7) / 8)            // of vectors
#define XW_TILE_FACTORS (XW_EIGHTS * XW_INSTRUCTIONS * 64)  // words of matrices B of a tile
#define XW_TILE_PLACES (XW_INSTRUCTIONS * XW_PER_WORD * 8)  // columns of a tile
#define XW_MASK_WORDS (XW_REGISTERS / XW_N_W)       // of a thread and a tile

struct Multiplier {
    Cursor mask, factors;
    Sum* product;
    u32 rows;
    Walk walk;
    Sums sums[XW_EIGHTS][4];

    XW_INLINE void clear() {
#pragma unroll
        for (int e = 0; e < XW_EIGHTS; ++e)
#pragma unroll
            for (int i = 0; i < 4; ++i) sums[e][i] = Sum(0);
    }

    XW_INLINE void output(const State& state) {
        Word care[XW_MASK_WORDS], weights[XW_FRAGMENTS];
        load_words<XW_MASK_WORDS>(mask, 0, care);
        mask += 32 * XW_MASK_WORDS;
        weights_of(state, care, weights);
#pragma unroll
        for (int e = 0; e < XW_EIGHTS; ++e)
#pragma unroll
            for (int f = 0; f < XW_INSTRUCTIONS; f += 2) {
                Word factor[4];  // of two instructions
                load_words<4>(factors, (e * XW_INSTRUCTIONS + f) * 64, factor);
                multiply(sums[e], weights + 4 * f, factor);
                multiply(sums[e], weights + 4 * f + 4, factor + 2);
            }
        factors += XW_TILE_FACTORS;
    }

    // A thread holds two vectors of two rows.
    XW_INLINE void end_run() {
        const Word row = Word(static_cast<u32>(walk.row_tile) * 16u) + (lane() >> 2u);
#pragma unroll
        for (u32 e = 0; e < XW_EIGHTS; ++e)
#pragma unroll
            for (u32 i = 0; i < 4; ++i) {
                const Word vector = ((lane() & 3u) << 1u) + Word(8u * e + (i & 1u)), at = row + Word(i / 2u * 8u);
                add_where(
                    vector < Word(u32(XW_VECTORS)) && at < Word(rows), product, vector * Word(rows) + at,
                    unscaled(sums[e][i]));
            }
        clear();
        if (walk.leap()) factors += -XW_RUN * XW_TILE_FACTORS;
    }

    static XW_INLINE Sums unscaled(const Sums& sum) {
#if XW_N_W == 4
        return sixteenth(sum);
#else
        return sum;
#endif
    }
};

// Blocks 0 .. group_blocks - 1: a group a warp. Blocks behind them: patches, weights that the mask leaves out, one a lane.
XW_INLINE void product_of_warp(
    int block, int warp, const u32* symbols, const u32* mask, const u32* factors, int groups, int group_blocks,
    int segment_groups, u32 inverted, int rows, int columns, int row_tiles, int rotation, int patches,
    const int* patch_rows, const int* patch_columns, const Sum* patch_values, const Factor* vectors, Sum* product) {
    if (block >= group_blocks) {
        const Word index = Word(static_cast<u32>((block - group_blocks) * XW_WARPS + warp) * 32u) + lane();
        const Flag inside = index < Word(static_cast<u32>(patches));
        const Word row = as_word(load_where(inside, patch_rows, index));
        const Word column = as_word(load_where(inside, patch_columns, index));
        const Sums value = load_where(inside, patch_values, index);
#pragma unroll
        for (u32 v = 0; v < XW_VECTORS; ++v)
            add_where(
                inside, product, Word(v * static_cast<u32>(rows)) + row,
                value * as_sum(load_where(inside, vectors, Word(v * static_cast<u32>(columns)) + column)));
        return;
    }
    const int group = block * XW_WARPS + warp;
    if (group >= groups) return;
    Window window;
    window.fill(symbols + static_cast<Offset>(group) * (XW_N_IN * XW_REGISTERS * 32), group % segment_groups != 0);
    const Walk walk(group * (XW_N_OUT / XW_RUN), row_tiles, rotation);
    Multiplier multiplier = {
        cursor(mask + static_cast<Offset>(group) * (XW_N_OUT * XW_MASK_WORDS * 32), lane() * Word(u32(XW_MASK_WORDS))),
        cursor(factors + static_cast<Offset>(walk.column_tile) * XW_TILE_FACTORS, lane() << 2u), product,
        static_cast<u32>(rows), walk};
    multiplier.clear();
    decode_outputs(window, inverted, multiplier);
}

XW_KERNEL(
    product_kernel, product_of_warp,
    (const u32* symbols, const u32* mask, const u32* factors, int groups, int group_blocks, int segment_groups,
     u32 inverted, int rows, int columns, int row_tiles, int rotation, int patches, const int* patch_rows,
     const int* patch_columns, const Sum* patch_values, const Factor* vectors, Sum* product),
    (block, warp, symbols, mask, factors, groups, group_blocks, segment_groups, inverted, rows, columns, row_tiles,
     rotation, patches, patch_rows, patch_columns, patch_values, vectors, product))

// Decoding alone, to check it: XW_FRAGMENTS registers of (group, output, thread).
struct Recorder {
    Cursor mask;
    u32* words;
    XW_INLINE void output(const State& state) {
        Word care[XW_MASK_WORDS], weights[XW_FRAGMENTS];
        load_words<XW_MASK_WORDS>(mask, 0, care);
        mask += 32 * XW_MASK_WORDS;
        weights_of(state, care, weights);
#pragma unroll
        for (u32 k = 0; k < XW_FRAGMENTS; ++k)
            store_where(Flag(true), words, lane() * Word(u32(XW_FRAGMENTS)) + Word(k), weights[k]);
        words += 32 * XW_FRAGMENTS;
    }
    XW_INLINE void end_run() {}
};

XW_INLINE void weights_of_warp(
    int block, int warp, const u32* symbols, const u32* mask, int groups, int segment_groups, u32 inverted,
    u32* words) {
    const int group = block * XW_WARPS + warp;
    if (group >= groups) return;
    Window window;
    window.fill(symbols + static_cast<Offset>(group) * (XW_N_IN * XW_REGISTERS * 32), group % segment_groups != 0);
    Recorder recorder = {
        cursor(mask + static_cast<Offset>(group) * (XW_N_OUT * XW_MASK_WORDS * 32), lane() * Word(u32(XW_MASK_WORDS))),
        words + static_cast<Offset>(group) * (XW_N_OUT * 32 * XW_FRAGMENTS)};
    decode_outputs(window, inverted, recorder);
}

XW_KERNEL(
    weights_kernel, weights_of_warp,
    (const u32* symbols, const u32* mask, int groups, int segment_groups, u32 inverted, u32* words),
    (block, warp, symbols, mask, groups, segment_groups, inverted, words))

// Matrices B of every tile, and zeros in the product: a lane a word, XW_PER_WORD neighbouring places of a vector.
// Words lie as (tile, eight vectors, two instructions, thread, instruction, register).
XW_INLINE void factors_of_warp(
    int block, int warp, const Factor* vectors, const int* places, int columns, int factor_tiles, int rows,
    u32* factors, Sum* product) {
    const Word cell = Word(static_cast<u32>(block * XW_WARPS + warp) * 32u) + lane();
    store_where(cell < Word(static_cast<u32>(XW_VECTORS * rows)), product, cell, Sums(Sum(0)));
    const Flag inside = cell < Word(static_cast<u32>(factor_tiles) * XW_TILE_FACTORS);
    const Word thread = (cell >> 2u) & 31u, pair = cell >> 7u;  // counts pairs of instructions over all
    const u32 pairs = XW_INSTRUCTIONS / 2;
    const Word tile = pair / (pairs * XW_EIGHTS), eight = pair / pairs % XW_EIGHTS;
    const Word instruction = (pair % pairs << 1u) + ((cell >> 1u) & 1u);
    const Word vector = (eight << 3u) + (thread >> 2u);
    const Word place = tile * Word(u32(XW_TILE_PLACES)) + instruction * Word(8u * XW_PER_WORD) +
                       (cell & 1u) * Word(4u * XW_PER_WORD) + (thread & 3u) * Word(u32(XW_PER_WORD));
    const Flag real = inside && vector < Word(u32(XW_VECTORS));
    Word factor = 0u;
#pragma unroll
    for (u32 i = 0; i < XW_PER_WORD; ++i) {
        const Int column = load_where(real, places, place + Word(i));
        const Word bits = as_bits(load_where(
            real && column >= Int(0), vectors, vector * Word(static_cast<u32>(columns)) + as_word(column)));
        factor |= (bits & (0xffffffffu >> (32 - 32 / XW_PER_WORD))) << (32u / XW_PER_WORD * i);
    }
    store_where(inside, factors, cell, factor);
}

XW_KERNEL(
    factors_kernel, factors_of_warp,
    (const Factor* vectors, const int* places, int columns, int factor_tiles, int rows, u32* factors, Sum* product),
    (block, warp, vectors, places, columns, factor_tiles, rows, factors, product))
