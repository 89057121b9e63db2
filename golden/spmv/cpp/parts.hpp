// Work shared out among threads.
#pragma once

#include <pthread.h>

constexpr long MOST_THREADS = 256;

static long parts_of(long steps, long threads) {
    const long most = threads < MOST_THREADS ? threads : MOST_THREADS;
    return most < 1 || steps < 1 ? 1 : most < steps ? most : steps;
}

template <class Work>
struct Part {
    const Work* work;
    long number, first, last;
};

template <class Work>
static void* run_part(void* given) {
    const Part<Work>& part = *(const Part<Work>*)given;
    (*part.work)(part.number, part.first, part.last);
    return nullptr;
}

// Calls work(part, first, last) for equal runs of steps, each in its own thread; a part that gets none runs here.
template <class Work>
static void in_parts(long steps, long threads, const Work& work) {
    const long count = parts_of(steps, threads);
    Part<Work> parts[MOST_THREADS];
    pthread_t others[MOST_THREADS];
    bool started[MOST_THREADS];
    for (long p = 0; p < count; p++) parts[p] = {&work, p, steps * p / count, steps * (p + 1) / count};
    for (long p = 1; p < count; p++) started[p] = !pthread_create(&others[p], nullptr, run_part<Work>, &parts[p]);
    run_part<Work>(&parts[0]);
    for (long p = 1; p < count; p++) {
        if (started[p])
            pthread_join(others[p], nullptr);
        else
            run_part<Work>(&parts[p]);
    }
}
