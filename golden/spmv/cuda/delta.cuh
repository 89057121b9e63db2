// A rival: packed values and, for each, the step from the column before in four bits (after MACKO), a warp a row.
//
// A row is slots, eight to a lane and word of steps, its last lane filled up; a step wider than 16 columns takes slots of
// value 0. Nothing of a row but its first slot is stored beside its slots: a lane finds its columns by a prefix sum.
#pragma once

#if XW_HALVES
typedef u16 Factor;
typedef float Sum;
typedef Real Sums;
#else
typedef i8 Factor;
typedef int Sum;
typedef Int Sums;
#endif
#define XW_VALUE_WORDS (XW_HALVES ? 4 : 2)  // of eight slots

// Slot s of a lane's words of values.
XW_INLINE Sums value_of(const Word* values, u32 s) {
#if XW_HALVES
    return as_sum((values[s / 2] >> (16u * (s % 2))) & 0xffffu);
#else
    return as_sum(signed_byte(values[s / 4], s % 4));
#endif
}

XW_INLINE void delta_product(
    int block, int warp, const u32* values, const u32* steps, const int* starts, const Factor* vectors, int rows,
    int width, Sum* product) {
    const int row = block * XW_WARPS + warp;
    if (row >= rows) return;
    Word before = 0u;  // columns that the row's earlier slots passed over
    Sums sums[XW_VECTORS];
#pragma unroll
    for (int v = 0; v < XW_VECTORS; ++v) sums[v] = Sum(0);
    const int end = starts[row + 1];  // in words of steps
    for (int first = starts[row]; first < end; first += 32) {
        const Flag inside = lane() < Word(static_cast<u32>(end - first));
        Word nibbles = load(steps, Word(static_cast<u32>(first)) + lane());  // a warp's reach beyond the last is there
        Word words[XW_VALUE_WORDS];
        load_words<XW_VALUE_WORDS>(
            cursor(values, Word(static_cast<u32>(first) * XW_VALUE_WORDS) + lane() * Word(u32(XW_VALUE_WORDS))), 0, words);
        const Word pairs = (nibbles & 0x0f0f0f0fu) + ((nibbles >> 4u) & 0x0f0f0f0fu);
        const Int wide = as_int((pairs * Word(0x01010101u)) >> 24u) + Int(8);
        Int upto = wide;  // columns passed by this lane and those below
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) upto += from_far_below(upto, distance);
        Word column = before + as_word(upto - wide);
        before += as_word(Int(from_lane(upto, 31)));
#pragma unroll
        for (u32 s = 0; s < 8; ++s) {
            column += nibbles & 15u;
            nibbles = nibbles >> 4u;
            const Sums value = value_of(words, s);
#pragma unroll
            for (u32 v = 0; v < XW_VECTORS; ++v)
                sums[v] += value * as_sum(load_where(inside, vectors, Word(v * static_cast<u32>(width)) + column));
            column += Word(1u);
        }
    }
#pragma unroll
    for (u32 v = 0; v < XW_VECTORS; ++v) {
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) sums[v] += shuffle_xor(sums[v], distance);
        store_where(lane() == Word(0u), product, Word(v * static_cast<u32>(rows) + static_cast<u32>(row)), sums[v]);
    }
}

XW_KERNEL(
    delta_product_kernel, delta_product,
    (const u32* values, const u32* steps, const int* starts, const Factor* vectors, int rows, int width, Sum* product),
    (block, warp, values, steps, starts, vectors, rows, width, product))
