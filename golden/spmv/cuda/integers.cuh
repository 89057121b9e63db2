// Products of an encoded INT8 or INT4 matrix with INT8 vectors, by one-bit matrix instructions.
//
// Weight = sum of plane weights 2^q (the highest negative), activation likewise, so the product is a sum of products of
// bits. A warp takes one plane of the weights: what its decoder gives out are, as they stand, the registers of matrix A;
// the eight planes of a vector are the eight columns of matrix B.
#pragma once

struct IntegerSums {
    const u32* mask;     // of this group
    const u32* factors;  // matrix B of (vector, tile): 64 words each
    u32 factor_tiles;
    int* product;
    u32 rows;
    u32 inverted;  // all ones where the plane is stored inverted
    int plane;
    Walk walk;
    Int sums[XW_VECTORS][4];

    XW_INLINE void clear() {
#pragma unroll
        for (int v = 0; v < XW_VECTORS; ++v)
#pragma unroll
            for (int i = 0; i < 4; ++i) sums[v][i] = 0;
    }

    XW_INLINE void output(const State& state) {
        Word care[4], weights[4], factor[2];
        load4(mask, lane() << 2, care);
        mask += 128;
#pragma unroll
        for (int i = 0; i < 4; ++i) weights[i] = (state.word[i] ^ inverted) & care[i];
#pragma unroll
        for (int v = 0; v < XW_VECTORS; ++v) {
            load2(factors + static_cast<Offset>(v * factor_tiles + walk.column_tile) * 64, lane() << 1, factor);
            multiply_bits(sums[v], weights, factor);
        }
        ++walk.column_tile;
    }

    // Column n of the sums belongs to plane n of the vector: 2^n, the highest negative; a thread holds two columns of two
    // rows, the four threads of a group hold them all.
    XW_INLINE void end_run() {
        const Word in_group = lane() & 3u;
        const Word row = Word(static_cast<u32>(walk.row_tile) * 16u) + (lane() >> 2) + ((in_group & 1u) << 3);
#pragma unroll
        for (int v = 0; v < XW_VECTORS; ++v) {
            Int both[2];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const Int odd = as_int(Word(2u) << (in_group << 1)) * sums[v][2 * i + 1];
                Int sum = as_int(Word(1u) << (in_group << 1)) * sums[v][2 * i] +
                          select(in_group == Word(3u), Int(0) - odd, odd);
                sum += shuffle_xor(sum, 1);
                sum += shuffle_xor(sum, 2);
                both[i] = sum;
            }
            const Int of_plane = select(in_group == Word(0u), both[0], both[1]) *
                                 Int(plane == XW_N_W - 1 ? -(1 << plane) : 1 << plane);
            add_where(in_group < Word(2u) && row < Word(rows), product, Word(v * rows) + row, of_plane);
        }
        clear();
        walk.leap();
    }
};

// Patches: weights that the mask leaves out, one a lane. product[row] += value * vector[column].
XW_INLINE void add_integer_patches(
    u32 first, u32 patches, const int* patch_rows, const int* patch_columns, const int* patch_values,
    const i8* vectors, u32 columns, u32 rows, int* product) {
    const Word index = Word(first) + lane();
    const Flag inside = index < Word(patches);
    const Word row = as_word(load_where(inside, patch_rows, index));
    const Word column = as_word(load_where(inside, patch_columns, index));
    const Int value = load_where(inside, patch_values, index);
#pragma unroll
    for (int v = 0; v < XW_VECTORS; ++v)
        add_where(
            inside, product, Word(v * rows) + row, value * load_where(inside, vectors, Word(v * columns) + column));
}

// Blocks 0 .. groups - 1: a group, a warp a plane. Blocks behind them: patches.
XW_INLINE void integer_product(
    int block, int warp, const u32* symbols, const u32* mask, const u32* factors, int groups, int segment_groups,
    u32 inversion, int rows, int columns, int row_tiles, int rotation, int factor_tiles, int patches,
    const int* patch_rows, const int* patch_columns, const int* patch_values, const i8* vectors, int* product) {
    if (block >= groups) {
        add_integer_patches(
            static_cast<u32>((block - groups) * XW_WARPS + warp) * 32u, patches, patch_rows, patch_columns,
            patch_values, vectors, columns, rows, product);
        return;
    }
    const u32* own = symbols + (static_cast<Offset>(block) * XW_N_W + warp) * (XW_N_IN * 128);
    Window window;
    window.load_quads(own, block % segment_groups ? own - XW_N_W * XW_N_IN * 128 : nullptr);
    IntegerSums sums = {
        mask + static_cast<Offset>(block) * XW_N_OUT * 128, factors, static_cast<u32>(factor_tiles), product,
        static_cast<u32>(rows), 0u - (inversion >> warp & 1u), warp,
        Walk(block * (XW_N_OUT / XW_RUN), row_tiles, rotation)};
    sums.clear();
    decode_outputs(window, sums);
}

XW_KERNEL(
    integer_product_kernel, integer_product,
    (const u32* symbols, const u32* mask, const u32* factors, int groups, int segment_groups, u32 inversion, int rows,
     int columns, int row_tiles, int rotation, int factor_tiles, int patches, const int* patch_rows,
     const int* patch_columns, const int* patch_values, const i8* vectors, int* product),
    (block, warp, symbols, mask, factors, groups, segment_groups, inversion, rows, columns, row_tiles, rotation,
     factor_tiles, patches, patch_rows, patch_columns, patch_values, vectors, product))

// Decoding alone, to check it: the masked words of (group, plane, output), 128 each.
struct IntegerWords {
    const u32* mask;
    u32* words;
    u32 inverted;
    XW_INLINE void output(const State& state) {
        Word care[4];
        load4(mask, lane() << 2, care);
        mask += 128;
#pragma unroll
        for (u32 i = 0; i < 4; ++i)
            store_where(Flag(true), words, (lane() << 2) + Word(i), (state.word[i] ^ inverted) & care[i]);
        words += 128;
    }
    XW_INLINE void end_run() {}
};

XW_INLINE void integer_words(
    int block, int warp, const u32* symbols, const u32* mask, int segment_groups, u32 inversion, u32* words) {
    const u32* own = symbols + (static_cast<Offset>(block) * XW_N_W + warp) * (XW_N_IN * 128);
    Window window;
    window.load_quads(own, block % segment_groups ? own - XW_N_W * XW_N_IN * 128 : nullptr);
    IntegerWords out = {
        mask + static_cast<Offset>(block) * XW_N_OUT * 128,
        words + (static_cast<Offset>(block) * XW_N_W + warp) * (XW_N_OUT * 128), 0u - (inversion >> warp & 1u)};
    decode_outputs(window, out);
}

XW_KERNEL(
    integer_words_kernel, integer_words,
    (const u32* symbols, const u32* mask, int segment_groups, u32 inversion, u32* words),
    (block, warp, symbols, mask, segment_groups, inversion, words))

// Matrix B of every (vector, tile): bit planes of the vector in the fragments' order; and zeros in the product.
// A warp takes 32 places of a vector: lane j looks at place j, eight ballots make the eight planes' words.
XW_INLINE void integer_factors(
    int block, int warp, const i8* vectors, const int* places, int columns, int factor_tiles, int rows, u32* factors,
    int* product) {
    const u32 part = static_cast<u32>(block * XW_WARPS + warp), parts = static_cast<u32>(factor_tiles) * 8u;
    const Word cell = Word(part * 32u) + lane();
    store_where(cell < Word(static_cast<u32>(XW_VECTORS * rows)), product, cell, Int(0));
    if (part >= XW_VECTORS * parts) return;
    const u32 vector = part / parts, first = part % parts;  // `first` counts runs of 32 places
    const Int column = load(places, Word(first * 32u) + lane());
    const Int value = load_where(
        column >= Int(0), vectors + static_cast<Offset>(vector) * columns, as_word(column));
    Word own = 0u;
#pragma unroll
    for (u32 n = 0; n < 8; ++n)
        own = select(lane() == Word(n), Word(ballot((as_word(value) >> n & 1u) != Word(0u))), own);
    const u32 tile = first / 8u, half = first % 8u / 4u, in_group = first % 4u;
    const Word thread = (lane() << 2) + Word(in_group);
    store_where(
        lane() < Word(8u), factors + static_cast<Offset>(vector * factor_tiles + tile) * 64,
        (thread << 1) + Word(half), own);
}

XW_KERNEL(
    integer_factors_kernel, integer_factors,
    (const i8* vectors, const int* places, int columns, int factor_tiles, int rows, u32* factors, int* product),
    (block, warp, vectors, places, columns, factor_tiles, rows, factors, product))
