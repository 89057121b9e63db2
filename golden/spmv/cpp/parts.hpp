// Work shared out among threads, which wait between products: starting them costs more than a product of some MiB.
#pragma once

#include <unistd.h>

constexpr long MOST_THREADS = XW_MOST_THREADS;
// A thread that is woken comes late, by as much as a small product takes: the others do more of the parts then.
constexpr long PARTS_EACH = 4;
constexpr long MOST_PARTS = MOST_THREADS * PARTS_EACH;

// Into how many parts so many steps are cut.
static long parts_of(long steps, long threads) {
    const long most = threads < MOST_THREADS ? threads : MOST_THREADS;
    if (most <= 1 || steps <= 1) return 1;
    return most * PARTS_EACH < steps ? most * PARTS_EACH : steps;
}

// OpenMP's threads do not survive a fork, and a child that waits for them waits for ever: it works alone.
static const pid_t loaded_by = getpid();

// Calls work(part, first, last) for equal runs of steps, each in whatever thread has nothing to do.
template <class Work>
static void in_parts(long steps, long threads, const Work& work) {
    const long count = parts_of(steps, threads);
    if (count == 1) {  // without a detour through OpenMP, whose code a small product would wait for
        work(0, 0, steps);
        return;
    }
    const long team = threads < MOST_THREADS ? threads : MOST_THREADS;
    const bool alone = getpid() != loaded_by;
#pragma omp parallel for num_threads(team) schedule(dynamic, 1) if (!alone)
    for (long p = 0; p < count; p++) work(p, steps * p / count, steps * (p + 1) / count);
}
