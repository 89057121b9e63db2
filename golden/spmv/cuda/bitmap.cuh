// The rival: a bit a weight and the kept INT8 values packed, a warp a row.
//
// Bit b of word 32 s + l of a row stands for column 1024 s + 32 b + l, so that lanes which look at the same bit read
// neighbouring bytes of the vector; a word's values follow each other, lowest bit first, word after word.
#pragma once

XW_INLINE void bitmap_product(
    int block, int warp, const i8* values, const u32* mask, const int* starts, const i8* vectors, int rows, int steps,
    int* product) {
    const int row = block * XW_WARPS + warp;
    if (row >= rows) return;
    const u32 columns = static_cast<u32>(steps) * 1024u;  // of a vector, padded
    mask += static_cast<Offset>(row) * steps * 32;
    Word before = as_word(Int(starts[row]));  // values of the row's earlier words
    Int sums[XW_VECTORS];
#pragma unroll
    for (int v = 0; v < XW_VECTORS; ++v) sums[v] = 0;
    for (int step = 0; step < steps; ++step) {
        Word word = load(mask, Word(static_cast<u32>(step) * 32u) + lane());
        const Int count = popcount(word);
        Int upto = count;  // of this lane and those below
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) upto += from_far_below(upto, distance);
        Word at = before + as_word(upto - count);
        before += as_word(Int(from_lane(upto, 31)));
        for (Flag more = word != Word(0u); any_lane(more); more = word != Word(0u)) {
            const Word place = Word(static_cast<u32>(step) * 1024u) + (lowest_bit(word) << 5) + lane();
            const Int value = load_where(more, values, at);
#pragma unroll
            for (u32 v = 0; v < XW_VECTORS; ++v)
                sums[v] += value * load_where(more, vectors, Word(v * columns) + place);
            at += Word(1u);
            word &= word - Word(1u);
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
    bitmap_product_kernel, bitmap_product,
    (const i8* values, const u32* mask, const int* starts, const i8* vectors, int rows, int steps, int* product),
    (block, warp, values, mask, starts, vectors, rows, steps, product))
