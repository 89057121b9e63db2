// Where the words of a block's mask come from: a bitmap is read where it lies, a shaped mask is decoded first.
//
// A word has one bit for each of 64 lanes, so one exclusive-or is a step of 64 streams of the mask's code. Every encoded
// bit gives its mask bits by the same parities of shared sums, so neighbouring words of a block fill the registers.
#pragma once

#include "mask.hpp"

struct BlockMask {
#if XW_SHAPED
    alignas(64) Word64 words[SHAPED_WORDS];
    XW_INLINE const u8* of(const u8* stored) {
        decode_shaped((const Word64*)stored, words);
        return (const u8*)words;
    }
#else
    XW_INLINE const u8* of(const u8* stored) { return stored; }
#endif
};
