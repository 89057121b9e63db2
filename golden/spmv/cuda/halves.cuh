// Products of an encoded FP16 matrix with FP16 vectors, sums in float32.
//
// A thread decodes one word of each of the 16 planes and turns the 16 x 32 bits round in its registers: out come 16
// registers of two halves, matrix A of four instructions, 16 x 64 weights a warp. Eight columns of matrix B are eight
// vectors, so a batch of 8 costs what one vector costs.
#pragma once

// Exchange rows and columns of two 16 x 16 bit matrices, the lower and the upper halves of 16 words: four rounds of
// exchanging blocks (Warren, Hacker's Delight, section 7-3). Afterwards word k holds bit k of every plane, plane q as bit
// q, and in its upper half bit 16 + k.
XW_INLINE void turn(Word* word) {
    const u32 keep[4] = {0x00ff00ffu, 0x0f0f0f0fu, 0x33333333u, 0x55555555u};
#pragma unroll
    for (int step = 0; step < 4; ++step) {
        const int distance = 8 >> step;
#pragma unroll
        for (int k = 0; k < 16; ++k) {
            if (k & distance) continue;
            const Word crossed = ((word[k] >> static_cast<u32>(distance)) ^ word[k + distance]) & keep[step];
            word[k + distance] ^= crossed;
            word[k] ^= crossed << static_cast<u32>(distance);
        }
    }
}

// The weights of a state: planes that are stored inverted put right, pruned weights zero, as halves.
XW_INLINE void halves_of(const State& state, u32 inversion, const Word& care, Word* word) {
#pragma unroll
    for (int q = 0; q < 16; ++q) word[q] = (state.word[q] ^ (0u - (inversion >> q & 1u))) & care;
    turn(word);
}

struct HalfSums {
    const u32* mask;
    const u32* factors;  // matrices B of (tile): 256 words each
    float* product;
    u32 rows;
    u32 inversion;
    Walk walk;
    Real sums[4];

    XW_INLINE void clear() {
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[i] = 0.0f;
    }

    XW_INLINE void output(const State& state) {
        Word weights[16], factor[2];
        halves_of(state, inversion, load(mask, lane()), weights);
        mask += 32;
#pragma unroll
        for (int f = 0; f < 4; ++f) {
            load2(factors + static_cast<Offset>(walk.column_tile * 4u + f) * 64, lane() << 1, factor);
            multiply_halves(sums, weights + 4 * f, factor);
        }
        ++walk.column_tile;
    }

    XW_INLINE void end_run() {
        const Word row = Word(static_cast<u32>(walk.row_tile) * 16u) + (lane() >> 2);
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            const Word vector = ((lane() & 3u) << 1) + Word(i & 1u), at = row + Word(i / 2u * 8u);
            add_where(
                vector < Word(u32(XW_VECTORS)) && at < Word(rows), product, vector * Word(rows) + at, sums[i]);
        }
        clear();
        walk.leap();
    }
};

XW_INLINE void half_product(
    int block, int warp, const u32* symbols, const u32* mask, const u32* factors, int groups, int group_blocks,
    int segment_groups, u32 inversion, int rows, int columns, int row_tiles, int rotation, int patches,
    const int* patch_rows, const int* patch_columns, const float* patch_values, const u16* vectors, float* product) {
    if (block >= group_blocks) {  // patches: weights that the mask leaves out, one a lane
        const Word index = Word(static_cast<u32>((block - group_blocks) * XW_WARPS + warp) * 32u) + lane();
        const Flag inside = index < Word(static_cast<u32>(patches));
        const Word row = as_word(load_where(inside, patch_rows, index));
        const Word column = as_word(load_where(inside, patch_columns, index));
        const Real value = load_where(inside, patch_values, index);
#pragma unroll
        for (u32 v = 0; v < XW_VECTORS; ++v)
            add_where(
                inside, product, Word(v * rows) + row,
                value * half_to_real(load_where(inside, vectors, Word(v * columns) + column)));
        return;
    }
    const int group = block * XW_WARPS + warp;
    if (group >= groups) return;
    const u32* own = symbols + static_cast<Offset>(group) * (16 * XW_N_IN * 32);
    Window window;
    window.load_planes(own, group % segment_groups ? own - 16 * XW_N_IN * 32 : nullptr);
    HalfSums sums = {
        mask + static_cast<Offset>(group) * XW_N_OUT * 32, factors, product, static_cast<u32>(rows), inversion,
        Walk(group * (XW_N_OUT / XW_RUN), row_tiles, rotation)};
    sums.clear();
    decode_outputs(window, sums);
}

XW_KERNEL(
    half_product_kernel, half_product,
    (const u32* symbols, const u32* mask, const u32* factors, int groups, int group_blocks, int segment_groups,
     u32 inversion, int rows, int columns, int row_tiles, int rotation, int patches, const int* patch_rows,
     const int* patch_columns, const float* patch_values, const u16* vectors, float* product),
    (block, warp, symbols, mask, factors, groups, group_blocks, segment_groups, inversion, rows, columns, row_tiles,
     rotation, patches, patch_rows, patch_columns, patch_values, vectors, product))

// Decoding alone, to check it: 32 x 16 registers of two halves of (group, output).
struct HalfWords {
    const u32* mask;
    u32* words;
    u32 inversion;
    XW_INLINE void output(const State& state) {
        Word weights[16];
        halves_of(state, inversion, load(mask, lane()), weights);
        mask += 32;
#pragma unroll
        for (u32 k = 0; k < 16; ++k) store_where(Flag(true), words, (lane() << 4) + Word(k), weights[k]);
        words += 512;
    }
    XW_INLINE void end_run() {}
};

XW_INLINE void half_words(
    int block, int warp, const u32* symbols, const u32* mask, int groups, int segment_groups, u32 inversion,
    u32* words) {
    const int group = block * XW_WARPS + warp;
    if (group >= groups) return;
    const u32* own = symbols + static_cast<Offset>(group) * (16 * XW_N_IN * 32);
    Window window;
    window.load_planes(own, group % segment_groups ? own - 16 * XW_N_IN * 32 : nullptr);
    HalfWords out = {
        mask + static_cast<Offset>(group) * XW_N_OUT * 32, words + static_cast<Offset>(group) * (XW_N_OUT * 512),
        inversion};
    decode_outputs(window, out);
}

XW_KERNEL(
    half_words_kernel, half_words,
    (const u32* symbols, const u32* mask, int groups, int segment_groups, u32 inversion, u32* words),
    (block, warp, symbols, mask, groups, segment_groups, inversion, words))

// Matrix B of every tile, and zeros in the product: a lane a word, two neighbouring places of vector groupID.
XW_INLINE void half_factors(
    int block, int warp, const u16* vectors, const int* places, int columns, int factor_tiles, int rows, u32* factors,
    float* product) {
    const Word cell = Word(static_cast<u32>(block * XW_WARPS + warp) * 32u) + lane();
    store_where(cell < Word(static_cast<u32>(XW_VECTORS * rows)), product, cell, Real(0.0f));
    const Flag inside = cell < Word(static_cast<u32>(factor_tiles) * 256u);
    const Word half = cell & 1u, thread = (cell >> 1) & 31u, instruction = cell >> 6;
    const Word vector = thread >> 2, place = (instruction << 4) + (half << 3) + ((thread & 3u) << 1);
    const Flag real = inside && vector < Word(u32(XW_VECTORS));
    Word both = 0u;
#pragma unroll
    for (u32 i = 0; i < 2; ++i) {
        const Int column = load_where(real, places, place + Word(i));
        both |= load_where(real && column >= Int(0), vectors, vector * Word(u32(columns)) + as_word(column))
                << (16u * i);
    }
    store_where(inside, factors, cell, both);
}

XW_KERNEL(
    half_factors_kernel, half_factors,
    (const u16* vectors, const int* places, int columns, int factor_tiles, int rows, u32* factors, float* product),
    (block, warp, vectors, places, columns, factor_tiles, rows, factors, product))
