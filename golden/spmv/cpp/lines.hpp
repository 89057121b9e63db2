// A line: 64 bytes, the lanes that decode side by side, in as many registers as the instruction set needs for it.
//
// One of these is defined: XW_AVX512 (with BW), XW_AVX2, or nothing (plain C++ with GCC's vectors). XW_VNNI adds byte
// dot products to either. XW_EMULATED takes the AVX-512 instructions from SIMDe, for tests on other processors.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(XW_EMULATED)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#elif defined(XW_AVX512) || defined(XW_AVX2)
#include <immintrin.h>
#endif

#define XW_UNROLL _Pragma("GCC unroll 16")
#define XW_INLINE inline __attribute__((always_inline))

typedef uint8_t u8;
typedef int8_t i8;
typedef uint16_t u16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint32_t u32;
typedef uint64_t u64;
typedef u64 __attribute__((may_alias)) Word64;  // read out of memory that is bytes elsewhere

#if defined(XW_AVX512)
typedef __m512i Register;
#elif defined(XW_AVX2)
typedef __m256i Register;
#else
typedef u8 Register __attribute__((vector_size(16)));
#endif

constexpr int LINE = 64;
constexpr int REGISTERS = LINE / sizeof(Register);
constexpr int PREFETCH = 8192;  // bytes ahead of what is read

struct Line {
    Register part[REGISTERS];
};

XW_INLINE void prefetch(const void* address) { __builtin_prefetch((const u8*)address + PREFETCH, 0, 3); }

XW_INLINE Register load_register(const void* from) {
#if defined(XW_AVX512)
    return _mm512_loadu_si512((const __m512i*)from);
#elif defined(XW_AVX2)
    return _mm256_loadu_si256((const __m256i*)from);
#else
    Register value;
    memcpy(&value, from, sizeof value);
    return value;
#endif
}

// Keeps a compiler from loading again what it has: loads are what the kernels run out of.
XW_INLINE void in_register(Register& value) {
#if !defined(XW_EMULATED) && (defined(XW_AVX512) || defined(XW_AVX2))
    asm("" : "+v"(value));
#else
    (void)value;
#endif
}

XW_INLINE Register both(Register a, Register b) {
#if defined(XW_AVX512)
    return _mm512_xor_si512(a, b);
#elif defined(XW_AVX2)
    return _mm256_xor_si256(a, b);
#else
    return a ^ b;
#endif
}

// All lanes of a word of any width start as `word`.
template <class Word>
XW_INLINE Line every(Word word) {
    alignas(64) Word words[LINE / sizeof(Word)];
    for (auto& w : words) w = word;
    Line line;
    memcpy(&line, words, LINE);
    return line;
}

XW_INLINE Line load(const void* from) {
    Line line;
    XW_UNROLL for (int i = 0; i < REGISTERS; i++) line.part[i] = load_register((const u8*)from + i * sizeof(Register));
    return line;
}

XW_INLINE void add(Line& line, const void* a) {
    XW_UNROLL for (int i = 0; i < REGISTERS; i++)
        line.part[i] = both(line.part[i], load_register((const u8*)a + i * sizeof(Register)));
}

XW_INLINE void add(Line& line, const void* a, const void* b) {
    XW_UNROLL for (int i = 0; i < REGISTERS; i++) {
        const Register x = load_register((const u8*)a + i * sizeof(Register));
        const Register y = load_register((const u8*)b + i * sizeof(Register));
#if defined(XW_AVX512)
        line.part[i] = _mm512_ternarylogic_epi64(line.part[i], x, y, 0x96);
#else
        line.part[i] = both(line.part[i], both(x, y));
#endif
    }
}

XW_INLINE void store(void* to, const Line& line) {
    XW_UNROLL for (int i = 0; i < REGISTERS; i++) memcpy((u8*)to + i * sizeof(Register), &line.part[i], sizeof(Register));
}

// Past the caches: for what is larger than they are. `to` is aligned to a line.
XW_INLINE void store_past(void* to, const Line& line) {
#if defined(XW_EMULATED)
    store(to, line);
#elif defined(XW_AVX512)
    _mm512_stream_si512((__m512i*)to, line.part[0]);
#elif defined(XW_AVX2)
    XW_UNROLL for (int i = 0; i < 2; i++) _mm256_stream_si256((__m256i*)to + i, line.part[i]);
#else
    store(to, line);
#endif
}
