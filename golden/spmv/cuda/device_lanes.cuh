// Lanes on a GPU: one thread each. No header of the toolkit is needed, so that NVRTC compiles this as it stands.
#pragma once

typedef unsigned int u32;
typedef unsigned short u16;
typedef signed char i8;
typedef unsigned long long Offset;
typedef unsigned int Word;
typedef int Int;
typedef float Real;
typedef bool Flag;

#define XW_INLINE __device__ __forceinline__
#define XW_ALL_LANES 0xffffffffu

// A kernel whose blocks are (32, warps): `body` is called as body(block, warp, arguments...).
#define XW_KERNEL(name, body, parameters, arguments)                                                            \
    extern "C" __global__ void __launch_bounds__(32 * XW_WARPS) name parameters {                                \
        const int block = blockIdx.x, warp = threadIdx.y;                                                        \
        body arguments;                                                                                          \
    }

XW_INLINE Word lane() { return threadIdx.x; }
XW_INLINE Int as_int(Word value) { return static_cast<Int>(value); }
XW_INLINE Word as_bits(Int value) { return static_cast<Word>(value); }
XW_INLINE Word as_bits(Word value) { return value; }
XW_INLINE Int as_sum(Int value) { return value; }
XW_INLINE Int sixteenth(Int value) { return value >> 4; }
XW_INLINE Word as_word(Int value) { return static_cast<Word>(value); }
XW_INLINE bool any_lane(Flag flag) { return flag; }  // a lane that has finished leaves the loop by itself

XW_INLINE Word load(const u32* from, Word index) { return __ldg(from + index); }
XW_INLINE Int load(const int* from, Word index) { return __ldg(from + index); }
XW_INLINE Real load(const float* from, Word index) { return __ldg(from + index); }
XW_INLINE Int load_where(Flag flag, const i8* from, Word index) { return flag ? __ldg(from + index) : 0; }
XW_INLINE Word load_where(Flag flag, const u16* from, Word index) { return flag ? __ldg(from + index) : 0; }
XW_INLINE Int load_where(Flag flag, const int* from, Word index) { return flag ? __ldg(from + index) : 0; }
XW_INLINE Real load_where(Flag flag, const float* from, Word index) { return flag ? __ldg(from + index) : 0.0f; }

// A place in memory, of each lane its own, that moves for all lanes alike.
typedef const u32* Cursor;
XW_INLINE Cursor cursor(const u32* from, Word index) { return from + index; }

// COUNT words (1, 2 or 4) from `offset` words behind the cursor, which is at a multiple of COUNT.
template <int COUNT>
XW_INLINE void load_words(Cursor from, int offset, Word* to) {
    if (COUNT == 1) {
        to[0] = __ldg(from + offset);
    } else if (COUNT == 2) {
        const uint2 both = __ldg(reinterpret_cast<const uint2*>(from + offset));
        to[0] = both.x, to[1] = both.y;
    } else {
        const uint4 all = __ldg(reinterpret_cast<const uint4*>(from + offset));
        to[0] = all.x, to[1] = all.y, to[2] = all.z, to[3] = all.w;
    }
}

template <class T, class V>
XW_INLINE void store_where(Flag flag, T* to, Word index, V value) {
    if (flag) to[index] = value;
}

template <class T>
XW_INLINE void add_where(Flag flag, T* to, Word index, T value) {
    if (flag) atomicAdd(to + index, value);
}

XW_INLINE Int popcount(Word value) { return __popc(value); }
XW_INLINE Word lowest_bit(Word value) { return __ffs(value) - 1; }
XW_INLINE Word funnel_left(Word low, Word high, u32 shift) { return __funnelshift_l(low, high, shift); }

// The top bit of byte s of `value` spread over a byte, for each of the four hexadecimal digits 8 + s of SELECTOR.
template <u32 SELECTOR>
XW_INLINE Word spread_tops(Word value) {
    Word spread;
    asm("prmt.b32 %0, %1, 0, %2;" : "=r"(spread) : "r"(value), "n"(SELECTOR));
    return spread;
}

template <class T>
XW_INLINE T shuffle_xor(T value, int distance) {
    return __shfl_xor_sync(XW_ALL_LANES, value, distance);
}
XW_INLINE int from_lane(Int value, int which) { return __shfl_sync(XW_ALL_LANES, value, which); }

// The value of the lane below; lane 0 gets `first`.
XW_INLINE Word from_below(Word value, u32 first) {
    const Word below = __shfl_up_sync(XW_ALL_LANES, value, 1);
    return threadIdx.x == 0 ? first : below;
}

// The value of the lane `distance` below, 0 where there is none.
XW_INLINE Int from_far_below(Int value, int distance) {
    const Int below = __shfl_up_sync(XW_ALL_LANES, value, distance);
    return static_cast<int>(threadIdx.x) >= distance ? below : 0;
}

XW_INLINE Int signed_byte(Word word, u32 which) { return static_cast<Int>(word << (24u - 8u * which)) >> 24; }

XW_INLINE Real as_sum(Word bits) {  // of a half
    Real value;
    asm("{ .reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h; }" : "=f"(value) : "r"(bits));
    return value;
}

// sums (16 x 8) += a (16 x 32 bytes) times b (32 x 8 bytes), signed, in int32.
XW_INLINE void multiply(Int* sums, const Word* a, const Word* b) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// sums (16 x 8) += a (16 x 16 halves) times b (16 x 8 halves), in float32.
XW_INLINE void multiply(Real* sums, const Word* a, const Word* b) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
