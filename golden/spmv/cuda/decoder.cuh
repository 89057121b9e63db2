// The XOR decoder of one warp: window, state, and what the generated outputs are made of.
//
// Lane h of register k is block h * XW_REGISTERS + k of the thread. So the symbols of `age` blocks ago are register k - age;
// before register 0 come the registers again, moved up by one lane, with the thread below's last lane in the lowest.
#pragma once

struct State {
    Word word[XW_REGISTERS];
    XW_INLINE void set(u32 value) {
#pragma unroll
        for (int k = 0; k < XW_REGISTERS; ++k) word[k] = value;
    }
};

struct Window {
    Word now[XW_N_IN][XW_REGISTERS], before[XW_N_IN][XW_REGISTERS];

    // `symbols`: those of a group; `goes_on`: whether the stream does not start anew there.
    XW_INLINE void fill(const u32* symbols, bool goes_on) {
        const int size = XW_N_IN * XW_REGISTERS * 32;
        const Cursor own = cursor(symbols, lane() << 2);
#pragma unroll
        for (int b = 0; b < XW_N_IN; ++b) {
#pragma unroll
            for (int k = 0; k < XW_REGISTERS; k += 4) load_words<4>(own, (b * XW_REGISTERS + k) * 32, now[b] + k);
#pragma unroll
            for (int k = 0; k < XW_REGISTERS; ++k) {
                // of the last thread of the group before
                const int last = (b * XW_REGISTERS + (k & ~3)) * 32 + 31 * 4 + (k & 3) - size;
                const Word below = from_below(now[b][k], goes_on ? symbols[last] : 0u);
                before[b][k] = funnel_left(below, now[b][k], XW_N_W);
            }
        }
    }

    // state ^= symbol bit b of `age` blocks ago, of all planes and blocks.
    template <int b, int age>
    XW_INLINE void add(State& state) const {
#pragma unroll
        for (int k = 0; k < XW_REGISTERS; ++k)
            state.word[k] ^= k >= age ? now[b][k >= age ? k - age : 0] : before[b][k >= age ? 0 : XW_REGISTERS + k - age];
    }
};

// Matrix A of a tile: the weights of a state, zero where they are pruned. `care`: the thread's words of mask, whose bits
// stand so that a shift by k mod 8 brings those of register k to the tops of bytes.
XW_INLINE void weights_of(const State& state, const Word* care, Word* weights) {
#pragma unroll
    for (int k = 0; k < XW_FRAGMENTS; ++k) {
#if XW_N_W == 16
        const Word shifted = care[0] << static_cast<u32>(k % 8);
        weights[k] = state.word[k] & (k < 8 ? spread_tops<0x9988>(shifted) : spread_tops<0xbbaa>(shifted));
#elif XW_N_W == 8
        weights[k] = state.word[k] & spread_tops<0xba98>(care[k / 8] << static_cast<u32>(k % 8));
#else
        // a weight of four bits in the upper half of a byte is 16 times the weight
        const Word upper = k % 2 ? state.word[k / 2] : state.word[k / 2] << 4u;
        weights[k] = upper & spread_tops<0xba98>(care[k / 8] << static_cast<u32>(k % 8)) & 0xf0f0f0f0u;
#endif
    }
}
