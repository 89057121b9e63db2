// The XOR decoder of one warp: window, state, and what the generated outputs are made of.
//
// Block l of the stream is bit l of a plane's words, so the symbol bit of a block `age` blocks earlier is the same word
// shifted by `age`, the bits shifted in being the highest of the word before. XW_WORDS words go side by side: four words
// of one plane (a thread's part of a 16 x 256 tile), or one word of each of 16 planes.
#pragma once

struct State {
    Word word[XW_WORDS];
    XW_INLINE void clear() {
#pragma unroll
        for (int i = 0; i < XW_WORDS; ++i) word[i] = 0;
    }
};

struct Window {
    Word now[XW_N_IN][XW_WORDS], before[XW_N_IN][XW_WORDS];

    // Four words a thread of one plane. `symbols`: XW_N_IN times 128 words; `earlier`: those of the group before, or null
    // where the stream starts anew.
    XW_INLINE void load_quads(const u32* symbols, const u32* earlier) {
#pragma unroll
        for (int b = 0; b < XW_N_IN; ++b) {
            load4(symbols + b * 128, lane() << 2, now[b]);
            before[b][0] = from_below(now[b][3], earlier ? earlier[b * 128 + 127] : 0);
#pragma unroll
            for (int i = 1; i < XW_WORDS; ++i) before[b][i] = now[b][i - 1];
        }
    }

    // One word a thread of each plane. `symbols`: XW_WORDS times XW_N_IN times 32 words.
    XW_INLINE void load_planes(const u32* symbols, const u32* earlier) {
#pragma unroll
        for (int b = 0; b < XW_N_IN; ++b) {
#pragma unroll
            for (int q = 0; q < XW_WORDS; ++q) {
                const int at = (q * XW_N_IN + b) * 32;
                now[b][q] = load(symbols + at, lane());
                before[b][q] = from_below(now[b][q], earlier ? earlier[at + 31] : 0);
            }
        }
    }

    // state ^= symbol bit b of `age` blocks ago, of all planes and blocks.
    template <int b, int age>
    XW_INLINE void add(State& state) const {
#pragma unroll
        for (int i = 0; i < XW_WORDS; ++i)
            state.word[i] ^= age ? funnel_left(before[b][i], now[b][i], age) : now[b][i];
    }
};
