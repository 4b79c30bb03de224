/* SPDX-License-Identifier: MIT
 * bench_scale.c - what a second thread brings, at all loads and grains, and what a hand-over costs.
 *
 * usage: bench_scale [threads [rounds [load]]]. For each load and size two engines with the same
 * patch, one with one thread, one with several, take turns, a few cycles of 64 frames each.
 * Printed: the median time of a cycle with one thread and with several, the ratio, whether the
 * engine chose to go alone, and the machine's own ceiling with the engine's share of it. The
 * ceiling is what several threads get done that have nothing to do with each other: each plays the
 * patch with an engine of one thread; it is taken in the same turns. "paced": cycles begin every
 * 1333 us and helpers sleep in between, as when it plays; otherwise one cycle follows the other.
 * Last: the time from the call for helpers to the answer. */
#include "strips.h"

#include "base/clock.h"
#include "tactus/engine.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICE = 64,
    TURN = 40,
    ROUNDS = 60,
    ANSWERS_MAX = 200000,
    WARM_NS = 3000000,
    PACED_TURNS = 10
};

static char text[8 << 20];
static uint32_t threads = 2, rounds = ROUNDS;
static const char *only;
static double answers[ANSWERS_MAX];
static uint32_t answer_count;

/* To every section; a slice takes in so many. */
static void play_notes(struct tac_engine *e)
{
    static float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    for (int note = 0; note < 128; note++)
        tac_engine_note(e, NULL, 36 + (float)note * 0.3f, 0.8f, 0);
    tac_engine_process(e, NULL, out, SLICE);
}

static struct tac_engine *load(uint32_t count)
{
    struct tac_engine *e;
    struct tac_error err = {0};
    struct tac_engine_config config = {.threads = count, .priority = 40};
    if (tac_engine_new(&config, &e) < 0 ||
        tac_engine_load_text(e, text, strlen(text), "bench", NULL, &err) < 0) {
        fprintf(stderr, "%u: %s\n", err.line, err.text);
        exit(1);
    }
    for (int i = 0; i < 8 && strstr(text, "voices:"); i++)
        play_notes(e);
    return e;
}

static int smaller(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *x, uint32_t count)
{
    qsort(x, count, sizeof *x, smaller);
    return count ? x[count / 2] : 0;
}

/* ---- the ceiling: threads that know nothing of each other ------------------------------------ */

static struct {
    pthread_t thread[TAC_ENGINE_THREADS_MAX];
    struct tac_engine *engine[TAC_ENGINE_THREADS_MAX]; /* from 1 on */
    _Atomic uint32_t go, playing, over;
} crowd;

static void *play_along(void *user)
{
    static _Thread_local float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    while (!atomic_load(&crowd.over)) {
        if (!atomic_load(&crowd.go)) {
            tac_clock_sleep_until(tac_clock_ns() + 20000);
            continue;
        }
        atomic_fetch_add(&crowd.playing, 1);
        while (atomic_load(&crowd.go))
            tac_engine_process(user, NULL, out, SLICE);
        atomic_fetch_sub(&crowd.playing, 1);
    }
    return NULL;
}

static void crowd_open(void)
{
    struct sched_param fifo = {.sched_priority = 40};
    atomic_store(&crowd.over, 0);
    for (uint32_t i = 1; i < threads; i++) {
        crowd.engine[i] = load(1);
        if (pthread_create(&crowd.thread[i], NULL, play_along, crowd.engine[i]))
            exit(1);
        pthread_setschedparam(crowd.thread[i], SCHED_FIFO, &fifo);
    }
}

static void crowd_close(void)
{
    atomic_store(&crowd.over, 1);
    for (uint32_t i = 1; i < threads; i++) {
        pthread_join(crowd.thread[i], NULL);
        tac_engine_free(crowd.engine[i]);
    }
}

static void crowd_play(bool play)
{
    atomic_store(&crowd.go, play);
    while (atomic_load(&crowd.playing) != (play ? threads - 1 : 0))
        ;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static uint32_t turn(struct tac_engine *e, double *us, uint32_t at, bool paced)
{
    static float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    uint64_t next = tac_clock_ns(), warm = next + (paced ? 0 : WARM_NS);
    while (tac_clock_ns() < warm) /* caches and helpers come back */
        tac_engine_process(e, NULL, out, SLICE);
    for (int i = 0; i < TURN; i++) {
        if (paced)
            tac_clock_sleep_until(next += 1333333);
        uint64_t begin = tac_clock_ns();
        tac_engine_process(e, NULL, out, SLICE);
        if (!paced || i >= TURN / 4)
            us[at++] = (double)(tac_clock_ns() - begin) / 1000;
        if (answer_count < ANSWERS_MAX && !paced) {
            struct tac_engine_stats stats;
            tac_engine_stats(e, &stats);
            if (stats.threads > 1 && !stats.alone)
                answers[answer_count++] = stats.answer_ns;
        }
    }
    return at;
}

static void compare(const char *name, uint32_t units, bool paced)
{
    static double one[ROUNDS * TURN * 4], more[ROUNDS * TURN * 4], crowded[ROUNDS * TURN * 4];
    if (only && strcmp(only, paced ? "paced" : name))
        return;
    struct tac_engine *a = load(1), *b = load(threads);
    struct tac_engine_stats stats;
    uint32_t count = 0, count_more = 0, count_crowded = 0, alone = 0,
             turns = paced ? rounds / 4 : rounds;
    crowd_open();
    for (uint32_t i = 0; i < turns / 4 + (paced ? PACED_TURNS : 2);
         i++) { /* the engine finds out what pays */
        turn(a, one, 0, false);
        turn(b, more, 0, paced);
    }
    for (uint32_t i = 0; i < turns; i++) {
        count = turn(a, one, count, paced);
        count_more = turn(b, more, count_more, paced);
        tac_engine_stats(b, &stats);
        alone += stats.alone;
        if (paced)
            continue;
        crowd_play(true);
        count_crowded = turn(a, crowded, count_crowded, false);
        crowd_play(false);
    }
    crowd_close();
    double x = median(one, count), y = median(more, count_more);
    double ceiling = threads * x / median(crowded, count_crowded);
    printf("%-8s %-6s %6u units  %8.1f us  %8.1f us  %5.2f x  alone %3u %%", name,
           paced ? "paced" : "", units, x, y, x / y, 100 * alone / turns);
    if (paced)
        printf("\n");
    else
        printf("  ceiling %5.2f x, %3.0f %% of it\n", ceiling, 100 * x / y / ceiling);
    fflush(stdout);
    tac_engine_free(a);
    tac_engine_free(b);
}

/* So many sections of count voices, each. */
static void voices(const char *filter, unsigned count, unsigned sections)
{
    char *at = text + sprintf(text, "voices:\n");
    for (unsigned i = 0; i < sections; i++)
        at += sprintf(at,
                      "  v%u:\n    count: %u\n    nodes:\n"
                      "      osc%u: {block: saw, frequency: 8.1758 Hz}\n"
                      "      f%u: {block: %s, cutoff: 900 Hz, resonance: 30 %%}\n"
                      "      env%u: {block: adsr}\n      vca%u: {block: gain, level: -30 dB}\n"
                      "    cables:\n      - v%u.pitch -> osc%u.pitch\n      - v%u.gate -> env%u\n"
                      "      - osc%u -> f%u\n      - f%u.out -> vca%u.in\n"
                      "      - env%u.out -> vca%u.control\n      - vca%u -> output\n",
                      i, count, i, i, filter, i, i, i, i, i, i, i, i, i, i, i, i, i);
    at += sprintf(at, "nodes:\n  lfo: {block: lfo, rate: 2 Hz, depth: 300}\ncables:\n");
    for (unsigned i = 0; i < sections; i++)
        at += sprintf(at, "  - lfo.out -> f%u.cutoff\n", i);
}

static void chains(unsigned count, unsigned length)
{
    char *at = text + sprintf(text, "nodes:\n  n: {block: noise, level: 1 %%}\n");
    for (unsigned i = 0; i < count * length; i++)
        at += sprintf(at, "  g%u: {block: gain}\n", i);
    at += sprintf(at, "cables:\n");
    for (unsigned c = 0; c < count; c++) {
        at += sprintf(at, "  - n -> g%u\n", c * length);
        for (unsigned i = 1; i < length; i++)
            at += sprintf(at, "  - g%u -> g%u\n", c * length + i - 1, c * length + i);
        at += sprintf(at, "  - g%u -> output\n", c * length + length - 1);
    }
}

static void strips(unsigned count)
{
    strips_write(text, count);
}

int main(int argc, char **argv)
{
    static const unsigned sizes[] = {16, 64, 256, 512, 1024};
    threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 2;
    rounds = argc > 2 ? (uint32_t)atoi(argv[2]) : 24;
    rounds = rounds > ROUNDS ? ROUNDS : rounds;
    only = argc > 3 ? argv[3] : NULL;
    struct sched_param fifo = {.sched_priority = 50};
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &fifo))
        printf("without SCHED_FIFO\n");
    printf("load                          1 thread   %2u threads\n", threads);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        voices("svf", sizes[i], 1);
        compare("voice12", sizes[i], false);
    }
    for (unsigned n = 2; n <= 16; n *= 2) {
        voices("svf", 1024, n);
        compare("voice12", 1024 * n, false);
    }
    for (unsigned n = 1; n <= 8; n *= 2) {
        voices("ladder", 512, n);
        compare("voice24", 512 * n, false);
    }
    for (unsigned n = 1; n <= 64; n *= 4) {
        chains(n, 25);
        compare("chains", n * 25, false);
    }
    for (unsigned n = 1; n <= 64; n *= 4) {
        strips(n);
        compare("strips", n, false);
    }
    for (unsigned n = 1; n <= 16; n *= 4) {
        voices("svf", 1024, n);
        compare("voice12", 1024 * n, true);
    }
    if (answer_count)
        printf("hand-over: median %.0f ns, from %u answers\n", median(answers, answer_count),
               answer_count);
    return 0;
}
