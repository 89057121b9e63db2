// The rivals: INT8 weights row by row, all of them, or those that a bitmap keeps, expanded in registers.
//
// A row is whole groups of 256 columns; bit c of the mask word of 64 columns keeps column c. Values are read up to a
// line beyond their end.
#pragma once

#include <stdlib.h>

#include "lines.hpp"
#include "parts.hpp"

constexpr int STEP = 64;  // columns of a line
constexpr int STEPS = 4;  // lines of a group

// Activations are bytes plus 128; without byte dot products 64 low halves of bytes, then 64 high halves.
#if defined(XW_VNNI) || !(defined(XW_AVX512) || defined(XW_AVX2))
constexpr int FACTOR_BYTES = STEP;
#else
constexpr int FACTOR_BYTES = 2 * STEP;
#endif

static void place_row(const u8* vector, long columns, u8* factors) {
    for (long c = 0; c < columns; c++) {
        const u8 value = vector[c] ^ 128;
        u8* const at = factors + c / STEP * FACTOR_BYTES + c % STEP;
        if (FACTOR_BYTES == STEP) {
            *at = value;
        } else {
            at[0] = value & 15;
            at[STEP] = value >> 4;
        }
    }
}

#if defined(XW_AVX512) && defined(XW_VBMI2)

// Written out: a compiler folds the load into the expansion, which AMD's processors do in microcode then, and they let
// an expansion wait for what its register held before, even if that is cleared.
XW_INLINE Line expand(const u8* values, u64 mask) {
    Line line;
    asm("vpxord %x0, %x0, %x0\n\tvpexpandb %1, %0%{%2%}%{z%}"
        : "=&v"(line.part[0])
        : "v"(load_register(values)), "Yk"(mask));
    return line;
}

#elif defined(XW_AVX512) || defined(XW_AVX2)

// Without an expanding instruction: eight columns at a time, by the shuffle that the mask's byte names.
struct Shuffles {
    alignas(64) u8 low[256][8], high[256][8];
    Shuffles() {
        for (int mask = 0; mask < 256; mask++) {
            int next = 0;
            for (int c = 0; c < 8; c++) {
                const bool kept = mask >> c & 1;
                low[mask][c] = kept ? next : 128;
                high[mask][c] = kept ? 8 + next : 128;
                next += kept;
            }
        }
    }
};
static const Shuffles shuffles;

XW_INLINE __m128i expand_sixteen(const u8* values, u64 mask, int first) {
    const u8* const low = values + (first ? __builtin_popcountll(mask << (64 - first)) : 0);
    const u8* const high = values + __builtin_popcountll(mask << (56 - first));
    const __m128i packed =
        _mm_castps_si128(_mm_loadh_pi(_mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)low)), (const __m64*)high));
    const __m128i order = _mm_castps_si128(
        _mm_loadh_pi(_mm_castsi128_ps(_mm_loadl_epi64((const __m128i*)shuffles.low[mask >> first & 255])),
                     (const __m64*)shuffles.high[mask >> (first + 8) & 255]));
    return _mm_shuffle_epi8(packed, order);
}

XW_INLINE Line expand(const u8* values, u64 mask) {
    Line line;
    XW_UNROLL for (int i = 0; i < 4; i++) {
        const __m128i part = expand_sixteen(values, mask, 16 * i);
        memcpy((u8*)&line + 16 * i, &part, 16);
    }
    return line;
}

#else

XW_INLINE Line expand(const u8* values, u64 mask) {
    u8 bytes[LINE] = {0};
    for (; mask; mask &= mask - 1) bytes[__builtin_ctzll(mask)] = *values++;
    return load(bytes);
}

#endif

// A row's lines as they come, from a bitmap or not.
template <bool DENSE>
struct Row {
    const u8* values;
    const u64* mask;
    XW_INLINE Line next() {
        if (DENSE) {
            const Line line = load(values);
            prefetch(values);
            values += LINE;
            return line;
        }
        const u64 kept = *mask++;
        const Line line = expand(values, kept);
        prefetch(values);
        values += __builtin_popcountll(kept);
        return line;
    }
};

#if defined(XW_VNNI)

XW_INLINE void dot_line(Line& sums, const Line& x, const Line& weights) {
    XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
#if defined(XW_AVX512)
        sums.part[i] = _mm512_dpbusd_epi32(sums.part[i], x.part[i], weights.part[i]);
#elif defined(__AVXVNNI__)
        sums.part[i] = _mm256_dpbusd_avx_epi32(sums.part[i], x.part[i], weights.part[i]);
#else
        sums.part[i] = _mm256_dpbusd_epi32(sums.part[i], x.part[i], weights.part[i]);
#endif
    }
}

// Four sums by name, and the row by value: they stay in registers.
template <bool DENSE>
static i32 dot_row(Row<DENSE> row, long groups, const u8* factors) {
    Line a = every<u8>(0), b = a, c = a, d = a;
    for (long m = 0; m < groups; m++) {
        if (!DENSE) prefetch(row.mask);
        dot_line(a, load(factors), row.next());
        dot_line(b, load(factors + FACTOR_BYTES), row.next());
        dot_line(c, load(factors + 2 * FACTOR_BYTES), row.next());
        dot_line(d, load(factors + 3 * FACTOR_BYTES), row.next());
        factors += STEPS * FACTOR_BYTES;
    }
    i32 words[4][LINE / 4], total = 0;
    const Line sums[] = {a, b, c, d};
    memcpy(words, sums, sizeof words);
    for (int i = 0; i < LINE / 4; i++) total += words[0][i] + words[1][i] + words[2][i] + words[3][i];
    return total;
}

#elif defined(XW_AVX512) || defined(XW_AVX2)

#if defined(XW_AVX512)
#define XW_OP(name) _mm512_##name
#else
#define XW_OP(name) _mm256_##name
#endif

// As in dots.hpp: halves of activations, eight lines added in 16 bits.
template <bool DENSE>
static i32 dot_row(Row<DENSE> row, long groups, const u8* factors) {
    const Register ones = XW_OP(set1_epi16)(1), sixteens = XW_OP(set1_epi16)(16);
    Line total = every<u8>(0);
    for (long m = 0; m < groups; m += 2) {
        Line low = every<u8>(0), high = low;
        if (!DENSE) prefetch(row.mask);
        for (long k = m; k < m + 2 && k < groups; k++) {
            XW_UNROLL for (int step = 0; step < STEPS; step++) {
                const Line weights = row.next(), lows = load(factors), highs = load(factors + STEP);
                XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
                    low.part[i] = XW_OP(add_epi16)(low.part[i], XW_OP(maddubs_epi16)(lows.part[i], weights.part[i]));
                    high.part[i] =
                        XW_OP(add_epi16)(high.part[i], XW_OP(maddubs_epi16)(highs.part[i], weights.part[i]));
                }
                factors += FACTOR_BYTES;
            }
        }
        XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
            total.part[i] = XW_OP(add_epi32)(total.part[i], XW_OP(madd_epi16)(low.part[i], ones));
            total.part[i] = XW_OP(add_epi32)(total.part[i], XW_OP(madd_epi16)(high.part[i], sixteens));
        }
    }
    i32 words[16], sum = 0;
    memcpy(words, &total, LINE);
    for (i32 word : words) sum += word;
    return sum;
}

#else

template <bool DENSE>
static i32 dot_row(Row<DENSE> row, long groups, const u8* factors) {
    i32 sums[16] = {0};
    for (long m = 0; m < groups * STEPS; m++) {
        const Line weights = row.next();
        i8 w[LINE];
        memcpy(w, &weights, LINE);
        XW_UNROLL for (int i = 0; i < 16; i++)
            sums[i] += w[i] * factors[i] + w[16 + i] * factors[16 + i] + w[32 + i] * factors[32 + i] +
                       w[48 + i] * factors[48 + i];
        factors += FACTOR_BYTES;
    }
    i32 sum = 0;
    for (i32 one : sums) sum += one;
    return sum;
}

#endif

struct Rows {
    const u8* values;
    const u64* mask;
    const int64_t* starts;  // of each row's values, (rows + 1,)
    const i32* row_sums;
    long rows, groups, batch;
    const u8* factors;
    u8* expanded;  // of one row, for each thread
    i32* product;
    bool dense;

    template <bool DENSE>
    i32 one(const u8* from, const u64* bits, long v) const {
        return dot_row(Row<DENSE>{from, bits}, groups, factors + v * groups * STEPS * FACTOR_BYTES);
    }
    void operator()(long part, long, long) const {
        // runs of rows with as much work each
        const int64_t all = starts[rows] + rows;
        u8* const own = expanded + part * groups * STEPS * LINE;
        for (long r = first_row(all * part / parts); r < first_row(all * (part + 1) / parts); r++) {
            const u8* const from = values + starts[r];
            const u64* const bits = mask + r * groups * STEPS;
            if (!dense && batch > 1) {  // expanded once for all vectors
                Row<false> row{from, bits};
                for (long m = 0; m < groups * STEPS; m++) store(own + m * LINE, row.next());
            }
            for (long v = 0; v < batch; v++) {
                const i32 total = dense ? one<true>(from, bits, v) : batch > 1 ? one<true>(own, bits, v)
                                                                             : one<false>(from, bits, v);
                product[v * rows + r] = total - 128 * row_sums[r];
            }
        }
    }
    long parts;
    long first_row(int64_t work) const {  // the first row with so many values and rows before it
        long low = 0, high = rows;
        while (low < high) {
            const long middle = (low + high) / 2;
            if (starts[middle] + middle < work)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
};

// product, shape (batch, rows), of INT8 vectors, shape (batch, columns). Returns 0, or 1 if there is no memory.
extern "C" int xw_rows(const u8* values, const u64* mask, const int64_t* starts, const i32* row_sums, long rows,
                       long columns, long dense, long threads, const u8* vectors, long batch, i32* product) {
    const long groups = (columns + STEP * STEPS - 1) / (STEP * STEPS), width = groups * STEPS;
    const long parts = parts_of(rows, threads);
    u8* const space = (u8*)aligned_alloc(64, width * (parts * LINE + batch * FACTOR_BYTES));
    if (!space) return 1;
    u8* const factors = space + width * parts * LINE;
    memset(factors, 0, width * batch * FACTOR_BYTES);
    for (long v = 0; v < batch; v++) place_row(vectors + v * columns, columns, factors + v * width * FACTOR_BYTES);
    in_parts(parts, threads,
             Rows{values, mask, starts, row_sums, rows, groups, batch, factors, space, product, dense != 0, parts});
    free(space);
    return 0;
}
