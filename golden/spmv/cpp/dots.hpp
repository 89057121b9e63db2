// Decoded lines times activations. The lines of a run, cell after cell, lie in a buffer or come from registers; sums of
// 16 rows are 16 words of 32 bits.
//
// Integers: activations are bytes plus 128, and what that adds (128 times the sum of a row's weights) is taken off at
// the end. Weights of INT4 are bytes of 16 times the weight. All sums may wrap on the way: only the last must fit.
#pragma once

#include "lines.hpp"

// What the activations of one group of columns take, and how they are laid out:
//   byte dot products: 4 bytes; without them: 4 low halves of bytes, then 4 high halves; plain C++: 4 words of 16 bits;
//   floats: one word of 32 bits a column.
#if XW_FLOAT
constexpr int FACTOR_BYTES = 4 * (4 / XW_WORD);
#elif defined(XW_VNNI)
constexpr int FACTOR_BYTES = 4 * XW_NIBBLES;
#else
constexpr int FACTOR_BYTES = 8 * XW_NIBBLES;
#endif
constexpr int OUT_BYTES = LINE * XW_NIBBLES;  // of one decoded output
constexpr int COLUMNS = XW_FLOAT ? 4 / XW_WORD : 4 * XW_NIBBLES;

// Places the activations of `width` columns, in the order the columns are met in; what follows them is padding.
static void place_factors(const void* vector, const i32* columns, long width, long groups, u8* factors) {
    memset(factors, 0, groups * FACTOR_BYTES);
    for (long j = 0; j < width; j++) {
#if XW_FLOAT
        memcpy(factors + 4 * j, (const float*)vector + columns[j], 4);
#else
        const u8 value = ((const u8*)vector)[columns[j]] ^ 128;
#if defined(XW_VNNI)
        factors[j] = value;
#elif defined(XW_AVX512) || defined(XW_AVX2)
        factors[j / 4 * 8 + j % 4] = value & 15;
        factors[j / 4 * 8 + 4 + j % 4] = value >> 4;
#else
        const u16 wide = value;
        memcpy(factors + 2 * j, &wide, 2);
#endif
#endif
    }
}

XW_INLINE i32 word_at(const u8* at) {
    i32 word;
    memcpy(&word, at, 4);
    return word;
}

#if !XW_FLOAT && defined(XW_VNNI)

// Adds one output's dot products to the sums of its 16 rows; weights: its XW_NIBBLES lines.
XW_INLINE void dot(Line& sums, const u8* factors, const Line& weights) {
#if defined(XW_AVX512)
    sums.part[0] = _mm512_dpbusd_epi32(sums.part[0], _mm512_set1_epi32(word_at(factors)), weights.part[0]);
#elif defined(__AVXVNNI__)
    XW_UNROLL for (int i = 0; i < 2; i++)
        sums.part[i] = _mm256_dpbusd_avx_epi32(sums.part[i], _mm256_set1_epi32(word_at(factors)), weights.part[i]);
#else
    XW_UNROLL for (int i = 0; i < 2; i++)
        sums.part[i] = _mm256_dpbusd_epi32(sums.part[i], _mm256_set1_epi32(word_at(factors)), weights.part[i]);
#endif
}

constexpr int AT_ONCE = 8 / REGISTERS;

template <int N>
XW_INLINE void dot_rows(const u8* weights, long groups, const u8* factors, u8* sums) {
    Line total[N];
    XW_UNROLL for (int g = 0; g < N; g++) total[g] = load(sums + g * LINE);
    for (long m = 0; m < groups; m++) {
        XW_UNROLL for (int part = 0; part < XW_NIBBLES; part++) {
            XW_UNROLL for (int g = 0; g < N; g++)
                dot(total[g], factors + 4 * part, load(weights + g * OUT_BYTES + part * LINE));
        }
        factors += FACTOR_BYTES;
        weights += XW_TOGETHER * OUT_BYTES;
    }
    XW_UNROLL for (int g = 0; g < N; g++) store(sums + g * LINE, total[g]);
}

#elif !XW_FLOAT && (defined(XW_AVX512) || defined(XW_AVX2))

#if defined(XW_AVX512)
#define XW_OP(name) _mm512_##name
XW_INLINE Register zero_register() { return _mm512_setzero_si512(); }
#else
#define XW_OP(name) _mm256_##name
XW_INLINE Register zero_register() { return _mm256_setzero_si256(); }
#endif

constexpr int AT_ONCE = 4 / REGISTERS;

// Activations are split into halves of four bits, so that pairs of products never saturate, and eight of them fit the
// 16 bits they are added in.
template <int N>
XW_INLINE void dot_rows(const u8* weights, long groups, const u8* factors, u8* sums) {
    const Register ones = XW_OP(set1_epi16)(1), sixteens = XW_OP(set1_epi16)(16);
    constexpr long STEPS = 8 / XW_NIBBLES;
    for (long first = 0; first < groups; first += STEPS) {
        Register low[N][REGISTERS], high[N][REGISTERS];
        XW_UNROLL for (int g = 0; g < N; g++)
            XW_UNROLL for (int i = 0; i < REGISTERS; i++) low[g][i] = high[g][i] = zero_register();
        const long steps = groups - first < STEPS ? groups - first : STEPS;
        for (long m = 0; m < steps; m++) {
            XW_UNROLL for (int part = 0; part < XW_NIBBLES; part++) {
                const Register lows = XW_OP(set1_epi32)(word_at(factors + 8 * part));
                const Register highs = XW_OP(set1_epi32)(word_at(factors + 8 * part + 4));
                XW_UNROLL for (int g = 0; g < N; g++) {
                    XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
                        Register w = load_register(weights + g * OUT_BYTES + part * LINE + i * sizeof(Register));
                        in_register(w);
                        low[g][i] = XW_OP(add_epi16)(low[g][i], XW_OP(maddubs_epi16)(lows, w));
                        high[g][i] = XW_OP(add_epi16)(high[g][i], XW_OP(maddubs_epi16)(highs, w));
                    }
                }
            }
            factors += FACTOR_BYTES;
            weights += XW_TOGETHER * OUT_BYTES;
        }
        XW_UNROLL for (int g = 0; g < N; g++) {
            XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
                u8* const at = sums + g * LINE + i * sizeof(Register);
                Register total = load_register(at);
                total = XW_OP(add_epi32)(total, XW_OP(madd_epi16)(low[g][i], ones));
                total = XW_OP(add_epi32)(total, XW_OP(madd_epi16)(high[g][i], sixteens));
                memcpy(at, &total, sizeof total);
            }
        }
    }
}

#elif !XW_FLOAT

constexpr int AT_ONCE = 1;

template <int N>
XW_INLINE void dot_rows(const u8* weights, long groups, const u8* factors, u8* sums) {
    u32 total[16];
    memcpy(total, sums, LINE);
    for (long m = 0; m < groups; m++) {
        XW_UNROLL for (int part = 0; part < XW_NIBBLES; part++) {
            i8 w[LINE];
            u16 x[4];
            memcpy(w, weights + part * LINE, LINE);
            memcpy(x, factors + 8 * part, 8);
            XW_UNROLL for (int row = 0; row < 16; row++) {
                const u8* four = (const u8*)w + 4 * row;
                total[row] += (i8)four[0] * (i32)x[0] + (i8)four[1] * (i32)x[1] + (i8)four[2] * (i32)x[2] +
                              (i8)four[3] * (i32)x[3];
            }
        }
        factors += FACTOR_BYTES;
        weights += XW_TOGETHER * OUT_BYTES;
    }
    memcpy(sums, total, LINE);
}

#else

constexpr int AT_ONCE = 4;
#if defined(XW_AVX512)
constexpr int FLOATS = 16;
#else
constexpr int FLOATS = 8;
#endif
typedef float Floats __attribute__((vector_size(4 * FLOATS)));

// Part p of a line's 16 rows of one column as 16 float32 numbers.
XW_INLINE void widen(const u8* weights, int p, float* wide) {
#if XW_FLOAT == 3
    memcpy(wide, weights, LINE);
#else
    u16 words[16];
    memcpy(words, weights + 32 * p, 32);
#if XW_FLOAT == 2  // bfloat16
    XW_UNROLL for (int row = 0; row < 16; row++) {
        const u32 bits = (u32)words[row] << 16;
        memcpy(wide + row, &bits, 4);
    }
#elif defined(XW_AVX512) && !defined(XW_EMULATED)
    _mm512_storeu_ps(wide, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)words)));
#elif defined(XW_AVX2)
    XW_UNROLL for (int i = 0; i < 2; i++)
        _mm256_storeu_ps(wide + 8 * i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(words + 8 * i))));
#else
    XW_UNROLL for (int row = 0; row < 16; row++) {  // the exponent moves by 112; what was infinite or no number stays so
        const u32 rest = (u32)(words[row] & 0x7FFF) << 13, sign = (u32)(words[row] & 0x8000) << 16;
        const u32 scale = 239u << 23;  // 2^112
        float value, factor;
        memcpy(&value, &rest, 4);
        memcpy(&factor, &scale, 4);
        value *= factor;
        u32 bits;
        memcpy(&bits, &value, 4);
        if (rest >= 31u << 23) bits = rest | 255u << 23;
        bits |= sign;
        memcpy(wide + row, &bits, 4);
    }
#endif
#endif
}

template <int N>
XW_INLINE void dot_rows(const u8* weights, long groups, const u8* factors, u8* sums) {
    constexpr int PARTS = 16 / FLOATS;
    Floats total[N * PARTS];
    memcpy(total, sums, sizeof total);
    for (long m = 0; m < groups; m++) {
        XW_UNROLL for (int p = 0; p < COLUMNS; p++) {
            float x;
            memcpy(&x, factors + 4 * p, 4);
            XW_UNROLL for (int g = 0; g < N; g++) {
                float wide[16];
                widen(weights + g * OUT_BYTES, p, wide);
                XW_UNROLL for (int i = 0; i < PARTS; i++) {
                    Floats part;
                    memcpy(&part, wide + FLOATS * i, sizeof part);
                    total[g * PARTS + i] += part * x;
                }
            }
        }
        factors += FACTOR_BYTES;
        weights += XW_TOGETHER * OUT_BYTES;
    }
    memcpy(sums, total, sizeof total);
}

#endif

// The next `groups` column groups of all row groups of a pass; the sums of a row group lie `sums_step` bytes on.
XW_INLINE void dot_block(const u8* weights, long groups, const u8* factors, u8* sums) {
    int g = 0;
    for (; g + AT_ONCE <= XW_TOGETHER; g += AT_ONCE)
        dot_rows<AT_ONCE>(weights + g * OUT_BYTES, groups, factors, sums + g * LINE);
    for (; g < XW_TOGETHER; g++) dot_rows<1>(weights + g * OUT_BYTES, groups, factors, sums + g * LINE);
}
