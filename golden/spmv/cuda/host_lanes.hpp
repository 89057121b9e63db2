// Lanes on a host: arrays of 32, one entry a thread of the warp.
//
// The matrix instructions are written from the PTX manual's tables of fragments, entry by entry of the matrices: which
// thread, register and bit holds row i, column k. Nothing here knows how the kernels lay their operands out.
#pragma once

#include <cstdint>
#include <cstring>

typedef std::uint32_t u32;
typedef std::uint16_t u16;
typedef std::int8_t i8;
typedef std::uint64_t Offset;

#define XW_INLINE inline __attribute__((always_inline))
#define XW_KERNEL(name, body, parameters, arguments)                                                            \
    extern "C" void name(int blocks, int warps, XW_UNPACK parameters) {                                          \
        for (int block = 0; block < blocks; ++block)                                                             \
            for (int warp = 0; warp < warps; ++warp) body arguments;                                             \
    }
#define XW_UNPACK(...) __VA_ARGS__

template <class T>
struct Lanes {
    T at[32];
    Lanes() = default;
    Lanes(T same) {
        for (T& one : at) one = same;
    }
    T& operator[](int i) { return at[i]; }
    const T& operator[](int i) const { return at[i]; }

#define XW_OPERATOR(op, Result)                                           \
    friend Lanes<Result> operator op(const Lanes& a, const Lanes& b) {    \
        Lanes<Result> c;                                                  \
        for (int i = 0; i < 32; ++i) c[i] = static_cast<Result>(a[i] op b[i]); \
        return c;                                                         \
    }
    XW_OPERATOR(+, T)
    XW_OPERATOR(-, T)
    XW_OPERATOR(*, T)
    XW_OPERATOR(<, bool)
    XW_OPERATOR(>=, bool)
    XW_OPERATOR(==, bool)
    XW_OPERATOR(!=, bool)
#undef XW_OPERATOR
    Lanes& operator+=(const Lanes& b) { return *this = *this + b; }
};

typedef Lanes<u32> Word;
typedef Lanes<std::int32_t> Int;
typedef Lanes<float> Real;
typedef Lanes<bool> Flag;

#define XW_BITWISE(op)                                            \
    inline Word operator op(const Word& a, const Word& b) {       \
        Word c;                                                   \
        for (int i = 0; i < 32; ++i) c[i] = a[i] op b[i];         \
        return c;                                                 \
    }                                                             \
    inline Word operator op(const Word& a, u32 b) { return a op Word(b); } \
    inline Word& operator op##=(Word& a, const Word& b) { return a = a op b; }
inline Word operator/(const Word& a, u32 b) {
    Word c;
    for (int i = 0; i < 32; ++i) c[i] = a[i] / b;
    return c;
}
inline Word operator%(const Word& a, u32 b) {
    Word c;
    for (int i = 0; i < 32; ++i) c[i] = a[i] % b;
    return c;
}
XW_BITWISE(^)
XW_BITWISE(&)
XW_BITWISE(|)
#undef XW_BITWISE

// Shifts as the hardware's wrapper of C does them: counts are below 32.
inline Word operator<<(const Word& a, const Word& n) {
    Word c;
    for (int i = 0; i < 32; ++i) c[i] = a[i] << n[i];
    return c;
}
inline Word operator>>(const Word& a, const Word& n) {
    Word c;
    for (int i = 0; i < 32; ++i) c[i] = a[i] >> n[i];
    return c;
}
inline Word operator<<(const Word& a, u32 n) { return a << Word(n); }
inline Word operator>>(const Word& a, u32 n) { return a >> Word(n); }
inline Flag operator&&(const Flag& a, const Flag& b) {
    Flag c;
    for (int i = 0; i < 32; ++i) c[i] = a[i] && b[i];
    return c;
}

inline Word lane() {
    Word value;
    for (int i = 0; i < 32; ++i) value[i] = i;
    return value;
}
inline Int as_int(const Word& value) {
    Int same;
    for (int i = 0; i < 32; ++i) same[i] = static_cast<std::int32_t>(value[i]);
    return same;
}
inline Word as_word(const Int& value) {
    Word same;
    for (int i = 0; i < 32; ++i) same[i] = static_cast<u32>(value[i]);
    return same;
}
inline Word as_bits(const Int& value) { return as_word(value); }
inline Word as_bits(const Word& value) { return value; }
inline Int as_sum(const Int& value) { return value; }
inline Int sixteenth(const Int& value) {
    Int part;
    for (int i = 0; i < 32; ++i) part[i] = value[i] / 16;
    return part;
}
inline bool any_lane(const Flag& flag) {
    for (bool one : flag.at)
        if (one) return true;
    return false;
}
template <class To, class From>
inline Lanes<To> gather(const Flag& flag, const From* from, const Word& index) {
    Lanes<To> value;
    for (int i = 0; i < 32; ++i) value[i] = flag[i] ? static_cast<To>(from[index[i]]) : To(0);
    return value;
}
inline Word load(const u32* from, const Word& index) { return gather<u32>(true, from, index); }
inline Int load(const int* from, const Word& index) { return gather<int>(true, from, index); }
inline Real load(const float* from, const Word& index) { return gather<float>(true, from, index); }
inline Int load_where(const Flag& flag, const i8* from, const Word& index) { return gather<int>(flag, from, index); }
inline Word load_where(const Flag& flag, const u16* from, const Word& index) { return gather<u32>(flag, from, index); }
inline Int load_where(const Flag& flag, const int* from, const Word& index) { return gather<int>(flag, from, index); }
inline Real load_where(const Flag& flag, const float* from, const Word& index) {
    return gather<float>(flag, from, index);
}
struct Cursor {
    const u32* base;
    Word index;
    Cursor& operator+=(int words) {
        base += words;
        return *this;
    }
};
inline Cursor cursor(const u32* from, const Word& index) { return {from, index}; }
template <int COUNT>
inline void load_words(const Cursor& from, int offset, Word* to) {
    for (u32 k = 0; k < COUNT; ++k) to[k] = load(from.base + offset, from.index + Word(k));
}

template <class T, class V>
inline void store_where(const Flag& flag, T* to, const Word& index, const V& value) {
    for (int i = 0; i < 32; ++i)
        if (flag[i]) to[index[i]] = value[i];
}
template <class T>
inline void add_where(const Flag& flag, T* to, const Word& index, const Lanes<T>& value) {
    for (int i = 0; i < 32; ++i)
        if (flag[i]) to[index[i]] += value[i];
}

inline Int popcount(const Word& value) {
    Int count;
    for (int i = 0; i < 32; ++i) count[i] = __builtin_popcount(value[i]);
    return count;
}
inline Word lowest_bit(const Word& value) {
    Word place;
    for (int i = 0; i < 32; ++i) place[i] = value[i] ? __builtin_ctz(value[i]) : 0xffffffffu;
    return place;
}
inline Word funnel_left(const Word& low, const Word& high, u32 shift) {
    Word value;
    for (int i = 0; i < 32; ++i) {
        const std::uint64_t both = static_cast<std::uint64_t>(high[i]) << 32 | low[i];
        value[i] = static_cast<u32>(both << shift >> 32);
    }
    return value;
}

template <u32 SELECTOR>
inline Word spread_tops(const Word& value) {
    Word spread = 0u;
    for (int i = 0; i < 32; ++i)
        for (int byte = 0; byte < 4; ++byte)
            if (value[i] >> (8 * (SELECTOR >> (4 * byte) & 7) + 7) & 1) spread[i] |= 255u << (8 * byte);
    return spread;
}
template <class T>
inline Lanes<T> shuffle_xor(const Lanes<T>& value, int distance) {
    Lanes<T> other;
    for (int i = 0; i < 32; ++i) other[i] = value[i ^ distance];
    return other;
}
inline int from_lane(const Int& value, int which) { return value[which]; }
inline Word from_below(const Word& value, u32 first) {
    Word below;
    for (int i = 0; i < 32; ++i) below[i] = i ? value[i - 1] : first;
    return below;
}
inline Int from_far_below(const Int& value, int distance) {
    Int below;
    for (int i = 0; i < 32; ++i) below[i] = i >= distance ? value[i - distance] : 0;
    return below;
}

inline float half_bits_to_float(u32 bits) {
    const u32 exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value;
    if (exponent == 31) {
        const u32 special = 0x7f800000u | fraction << 13;
        std::memcpy(&value, &special, 4);
    } else {
        value = static_cast<float>(exponent ? fraction | 1024 : fraction);
        for (u32 k = exponent ? exponent : 1; k < 25; ++k) value *= 0.5f;
        for (u32 k = 25; k < exponent; ++k) value *= 2.0f;
    }
    return bits >> 15 & 1 ? -value : value;
}
inline Int signed_byte(const Word& word, u32 which) {
    Int value;
    for (int i = 0; i < 32; ++i) value[i] = static_cast<i8>(word[i] >> (8 * which) & 255);
    return value;
}
inline Real as_sum(const Word& bits) {
    Real value;
    for (int i = 0; i < 32; ++i) value[i] = half_bits_to_float(bits[i]);
    return value;
}

// Entries of matrices C and D of both shapes: c0, c1 in row groupID, c2, c3 eight rows below.
template <class T>
inline void add_to_sums(Lanes<T>* sums, const T (&product)[16][8]) {
    for (int thread = 0; thread < 32; ++thread)
        for (int i = 0; i < 4; ++i)
            sums[i][thread] += product[i < 2 ? thread / 4 : thread / 4 + 8][thread % 4 * 2 + (i & 1)];
}

inline void multiply(Int* sums, const Word* a, const Word* b) {
    std::int32_t left[16][32], right[32][8], product[16][8] = {};
    for (int thread = 0; thread < 32; ++thread) {
        const int group = thread / 4, in_group = thread % 4;
        for (int i = 0; i < 16; ++i) {
            const int row = i < 4 || (8 <= i && i < 12) ? group : group + 8;
            const int column = in_group * 4 + (i & 3) + (i < 8 ? 0 : 16);
            left[row][column] = static_cast<i8>(a[i / 4][thread] >> (i % 4 * 8) & 255);
        }
        for (int i = 0; i < 8; ++i)
            right[in_group * 4 + (i & 3) + (i < 4 ? 0 : 16)][group] =
                static_cast<i8>(b[i / 4][thread] >> (i % 4 * 8) & 255);
    }
    for (int i = 0; i < 16; ++i)
        for (int k = 0; k < 32; ++k)
            for (int j = 0; j < 8; ++j) product[i][j] += left[i][k] * right[k][j];
    add_to_sums(sums, product);
}

inline void multiply(Real* sums, const Word* a, const Word* b) {
    float left[16][16], right[16][8], product[16][8] = {};
    for (int thread = 0; thread < 32; ++thread) {
        const int group = thread / 4, in_group = thread % 4;
        for (int i = 0; i < 8; ++i) {
            const int row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
            const int column = in_group * 2 + (i & 1) + (i < 4 ? 0 : 8);
            left[row][column] = half_bits_to_float(a[i / 2][thread] >> (i % 2 * 16) & 0xffff);
        }
        for (int i = 0; i < 4; ++i)
            right[in_group * 2 + (i & 1) + (i < 2 ? 0 : 8)][group] =
                half_bits_to_float(b[i / 2][thread] >> (i % 2 * 16) & 0xffff);
    }
    for (int i = 0; i < 16; ++i)
        for (int k = 0; k < 16; ++k)
            for (int j = 0; j < 8; ++j) product[i][j] += left[i][k] * right[k][j];
    add_to_sums(sums, product);
}
