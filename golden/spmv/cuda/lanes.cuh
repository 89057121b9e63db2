// The 32 lanes of a warp, in two forms of one vocabulary.
//
// Compiled for a GPU, Word, Int and Real are a thread's own 32-bit numbers and the functions below are instructions.
// Compiled for a host, they are arrays of 32 and the functions emulate the warp (host_lanes.hpp). Kernels written in
// these words are therefore tested, line by line, where there is no GPU. Scalars (u32, int) are the same in all lanes.
#pragma once

#ifdef __CUDACC__
#include "device_lanes.cuh"
#else
#include "host_lanes.hpp"
#endif
