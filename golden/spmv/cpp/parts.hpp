// Work shared out among threads, which wait between products: starting them costs more than a product of some MiB.
#pragma once

#include <unistd.h>

constexpr long MOST_THREADS = 256;

static long parts_of(long steps, long threads) {
    const long most = threads < MOST_THREADS ? threads : MOST_THREADS;
    return most < 1 || steps < 1 ? 1 : most < steps ? most : steps;
}

// OpenMP's threads do not survive a fork, and a child that waits for them waits for ever: it works alone.
static const pid_t loaded_by = getpid();

// Calls work(part, first, last) for equal runs of steps, each in its own thread.
template <class Work>
static void in_parts(long steps, long threads, const Work& work) {
    const long count = parts_of(steps, threads);
    if (count == 1) {  // without a detour through OpenMP, whose code a small product would wait for
        work(0, 0, steps);
        return;
    }
    const bool alone = getpid() != loaded_by;
#pragma omp parallel for num_threads(count) schedule(static, 1) if (!alone)
    for (long p = 0; p < count; p++) work(p, steps * p / count, steps * (p + 1) / count);
}
