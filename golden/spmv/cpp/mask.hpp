// The mask of a block: clears the lanes whose weight is pruned.
//
// With mask registers, and for words of 16 and 32 bits, output r has its own word, one bit a lane. Bytes without mask
// registers have a line for every 8 outputs: bit r % 8 of a byte belongs to its lane, so that no bit moves across lanes.
// A shaped mask (bytes only) comes out as words, one for each output, in an order of its own.
#pragma once

#include "lines.hpp"

#if defined(XW_AVX512)
constexpr bool MASK_LINES = false;
#else
constexpr bool MASK_LINES = XW_WORD == 1 && !XW_SHAPED;
#endif
// bytes of a block's mask in memory; INT4 has two weights in a byte, so two masks
constexpr int MASK_BYTES =
    XW_SHAPED    ? SHAPED_BYTES
    : MASK_LINES ? (XW_N_OUT + 7) / 8 * LINE * XW_NIBBLES
                 : XW_N_OUT * (LINE / XW_WORD / 8) * XW_NIBBLES;

#if defined(XW_AVX2)
// In memory on purpose: a constant the compiler knows costs it three instructions each time.
#define XW_BITS(bit) {bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, \
                      bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit, bit}
extern "C" {
alignas(32) u8 xw_bits[7][32] = {XW_BITS(1), XW_BITS(2), XW_BITS(4), XW_BITS(8), XW_BITS(16), XW_BITS(32), XW_BITS(64)};
}
#endif

XW_INLINE Line keep_by_line(const Line& line, const Line& mask, int bit) {
    Line kept;
    XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
#if defined(XW_AVX512)
        kept = line;
#elif defined(XW_AVX2)
        if (bit < 7) {  // the sign of a positive byte keeps, of zero clears
            kept.part[i] = _mm256_sign_epi8(line.part[i], _mm256_and_si256(mask.part[i], load_register(xw_bits[bit])));
        } else {
            kept.part[i] = _mm256_and_si256(line.part[i], _mm256_cmpgt_epi8(_mm256_setzero_si256(), mask.part[i]));
        }
#else
        kept.part[i] = line.part[i] & (Register)((mask.part[i] & (u8)(1 << bit)) != 0);
#endif
    }
    return kept;
}

XW_INLINE Line keep_by_word(const Line& line, const u8* at) {
#if defined(XW_AVX512)
    Line kept;
    if (XW_WORD == 1) {
        u64 bits;
        memcpy(&bits, at, 8);
        kept.part[0] = _mm512_maskz_mov_epi8(bits, line.part[0]);
    } else if (XW_WORD == 2) {
        u32 bits;
        memcpy(&bits, at, 4);
        kept.part[0] = _mm512_maskz_mov_epi16(bits, line.part[0]);
    } else {
        u16 bits;
        memcpy(&bits, at, 2);
        kept.part[0] = _mm512_maskz_mov_epi32(bits, line.part[0]);
    }
    return kept;
#elif defined(XW_AVX2)
    Line kept;
    u32 bits = 0;
    if (XW_WORD > 1) memcpy(&bits, at, LINE / XW_WORD / 8);
    XW_UNROLL for (int i = 0; i < 2; i++) {
        if (XW_WORD == 1) {
            u32 bytes;
            memcpy(&bytes, at + 4 * i, 4);
            const Register own = _mm256_set1_epi64x(0x8040201008040201);
            const Register spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
            const Register found = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bytes), spread), own);
            kept.part[i] = _mm256_and_si256(line.part[i], _mm256_cmpeq_epi8(found, own));
        } else if (XW_WORD == 2) {
            const Register own =
                _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
            const Register found = _mm256_and_si256(_mm256_set1_epi16(bits >> 16 * i), own);
            kept.part[i] = _mm256_and_si256(line.part[i], _mm256_cmpeq_epi16(found, own));
        } else {
            const Register own = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            const Register found = _mm256_and_si256(_mm256_set1_epi32(bits >> 8 * i), own);
            kept.part[i] = _mm256_and_si256(line.part[i], _mm256_cmpeq_epi32(found, own));
        }
    }
    return kept;
#else
#if XW_WORD == 1
    typedef u8 Word;
#elif XW_WORD == 2
    typedef u16 Word;
#else
    typedef u32 Word;
#endif
    u64 bits = 0;
    memcpy(&bits, at, LINE / XW_WORD / 8);
    Word words[LINE / sizeof(Word)];
    memcpy(words, &line, LINE);
    for (unsigned l = 0; l < LINE / sizeof(Word); l++) words[l] &= (Word)-(Word)(bits >> l & 1);
    Line kept;
    memcpy(&kept, words, LINE);
    return kept;
#endif
}

// The mask of the output at hand and of those that share its lines.
struct Keeper {
    const u8* mask;
    Line lines[XW_NIBBLES];
    // Output r of a block, known when compiled and one more than the last; part: which weight of a byte (INT4).
    XW_INLINE Line keep(const Line& line, int r, int part) {
#if XW_SHAPED
        return keep_by_word(line, mask + 8 * (SHAPED_PLACE[r] + part));
#endif
        if (!MASK_LINES) return keep_by_word(line, mask + (r * XW_NIBBLES + part) * (LINE / XW_WORD / 8));
        if (r % 8 == 0) lines[part] = load(mask + (r / 8 * XW_NIBBLES + part) * LINE);
        return keep_by_line(line, lines[part], r % 8);
    }
};
