/* SPDX-License-Identifier: MIT
 * test_scale.c - work is spread over threads: by account, not by the clock.
 *
 * What a plan would take is played through with the costs that it was made with: each task begins
 * when its thread is free and what it reads from is done. So the figures do not depend on how many
 * processors there are, or on what else runs. */
#include "base/sanitized.h"
#include "engine/internal.h"
#include "engine/work.h"
#include "engine/worth.h"
#include "rig_engine.h"
#include "test.h"

#include <errno.h>
#include <time.h>

enum { HAND_OVER_NS = 400, TASKS_MAX = 1000 };

/* Voices in equal banks, as many as several threads can share. */
static const char voices[] = "nodes:\n"
                             "  lfo: {block: lfo, rate: 2 Hz, depth: 300}\n"
                             "voices:\n"
                             "  v:\n"
                             "    count: 1024\n"
                             "    nodes:\n"
                             "      osc: {block: saw, frequency: 8.1758 Hz}\n"
                             "      f: {block: ladder, cutoff: 900 Hz}\n"
                             "      env: {block: adsr}\n"
                             "      vca: {block: gain, level: -30 dB}\n"
                             "    cables:\n"
                             "      - v.pitch -> osc.pitch\n"
                             "      - v.gate -> env\n"
                             "      - osc -> f\n"
                             "      - f.out -> vca.in\n"
                             "      - env.out -> vca.control\n"
                             "      - vca -> output\n"
                             "cables:\n"
                             "  - lfo.out -> f.cutoff\n";

/* Rows behind a source that all of them hear; only the audio thread may run their ends. */
enum { STRIPS = 24 };

static const char *strips(void)
{
    static char text[STRIPS * 400];
    char *at = text + sprintf(text, "nodes:\n  n: {block: noise, level: 1 %%}\n");
    for (int i = 0; i < STRIPS; i++)
        at += sprintf(at,
                      "  a%d: {block: eq, channels: 2}\n  b%d: {block: ladder, channels: 2}\n"
                      "  c%d: {block: compressor, channels: 2}\n"
                      "  d%d: {block: delay, channels: 2}\n",
                      i, i, i, i);
    at += sprintf(at, "cables:\n");
    for (int i = 0; i < STRIPS; i++)
        at += sprintf(at, "  - n -> a%d -> b%d -> c%d -> d%d -> output\n", i, i, i, i);
    return text;
}

struct account {
    double sum, longest; /* ns: of all tasks; until the last is done */
    uint32_t tasks, workers;
};

/* Lists of workers, side by side. */
static struct account play_through(const struct tac_plan *p)
{
    static double end[TASKS_MAX];
    uint32_t at[TAC_WORKERS_MAX] = {0}, done = 0;
    double free_at[TAC_WORKERS_MAX] = {0};
    struct account a = {.tasks = p->tasks};
    CHECK(p->tasks <= TASKS_MAX);
    for (uint32_t t = 0; t < p->tasks && t < TASKS_MAX; t++)
        end[t] = -1;
    for (uint32_t before = UINT32_MAX; done < p->tasks && before != done;) {
        before = done;
        for (uint32_t w = 0; w < p->threads; w++)
            for (; at[w] < p->worker[w].count; at[w]++, done++) {
                uint32_t t = p->worker_task[p->worker[w].first + at[w]];
                const struct tac_task *task = &p->task[t];
                double begin = free_at[w];
                bool ready = true;
                for (uint32_t i = 0; i < task->pred.count; i++) {
                    uint32_t from = p->pred[task->pred.first + i];
                    double there = end[from] + (p->task[from].worker == w ? 0 : HAND_OVER_NS);
                    ready = ready && end[from] >= 0;
                    begin = there > begin ? there : begin;
                }
                if (!ready)
                    break;
                end[t] = free_at[w] = begin + (double)task->estimate_ns;
                a.sum += (double)task->estimate_ns;
                a.longest = end[t] > a.longest ? end[t] : a.longest;
            }
    }
    for (uint32_t w = 0; w < p->threads; w++)
        a.workers += p->worker[w].count > 0;
    CHECK_MSG(done == p->tasks, "%u of %u tasks: the others wait for ever", done, p->tasks);
    return a;
}

static void the_longest_way_is_little_more_than_a_share(void)
{
    /* where blocks take what they never take, the delays may be most of it */
    const double most = TAC_SANITIZED || test_emulated() ? 1.35 : 1.82;
    const struct {
        const char *patch;
        uint32_t threads;
        double least; /* how many times shorter than the sum */
    } goals[] = {{voices, 1, 0.99}, {voices, 2, 1.9}, {voices, 4, 3.5}, {strips(), 2, most}};
    for (size_t i = 0; i < sizeof goals / sizeof *goals; i++) {
        struct tac_engine *e = rig_open_threads(goals[i].patch, goals[i].threads);
        REQUIRE(e);
        struct account a = play_through(e->latest);
        CHECK_MSG(a.workers == goals[i].threads, "%u threads have work of %u", a.workers,
                  goals[i].threads);
        CHECK_MSG(a.sum >= goals[i].least * a.longest, "%u threads: %.2f times shorter, %u tasks",
                  goals[i].threads, a.sum / a.longest, a.tasks);
        tac_engine_free(e);
    }
}

/* One task that any thread may run, and a shorter one that only the audio thread may. */
static double share_two(bool waits)
{
    struct tac_task task[2] = {{.estimate_ns = 6000},
                               {.estimate_ns = 5000, .anchored = true, .pred = {0, waits}}};
    struct tac_plan plan = {.task = task, .tasks = 2, .threads = 2, .pred = (uint32_t[]){0}};
    CHECK(tac_tasks_share(&plan) == 0);
    struct account a = play_through(&plan);
    struct tac_vault vault = plan.vault;
    tac_vault_fini(&vault);
    return a.longest;
}

static void one_task_leaves_time_for_what_only_the_audio_thread_may_run(void)
{
    double beside = share_two(false), behind = share_two(true);
    CHECK_MSG(beside < 8000, "%g ns, one beside the other", beside);
    CHECK_MSG(behind <= 11000, "%g ns, one behind the other", behind);
}

/* ---- what many wait for --------------------------------------------------------------------- */

static uint32_t task_of(const struct tac_plan *p, const char *node)
{
    for (uint32_t t = 0; t < p->tasks; t++) {
        const struct tac_task_copy *copy = &p->task[t].copy[TAC_BY_AUDIO];
        for (uint32_t i = copy->op.first; i < copy->op.first + copy->op.count; i++)
            if (!strcmp(p->graph->node[p->op[TAC_BY_AUDIO][i].node].name, node))
                return t;
    }
    return UINT32_MAX;
}

static void what_many_wait_for_is_behind_nothing_else(void)
{
    static char text[STRIPS * 500];
    const char *nodes = strchr(strips(), '\n') + 1, *cables = strstr(nodes, "cables:\n");
    snprintf(text, sizeof text,
             "nodes:\n  x: {block: ladder, channels: 2}\n%.*scables:\n  - x -> output\n%s",
             (int)(cables - nodes), nodes, strchr(cables, '\n') + 1);
    struct tac_engine *e = rig_open_threads(text, 2);
    REQUIRE(e);
    const struct tac_plan *p = e->latest;
    CHECK(task_of(p, "n") < p->tasks && task_of(p, "x") < p->tasks);
    CHECK_MSG(task_of(p, "n") != task_of(p, "x"), "a task of %g ns",
              (double)p->task[task_of(p, "n")].estimate_ns);
    tac_engine_free(e);
}

/* Five readers each, which take less than the hand-over. */
static void little_that_is_waited_for_is_in_large_tasks(void)
{
    enum { ROWS = 200, READERS = 5 };
    static char text[ROWS * 600];
    char *at = text + sprintf(text, "nodes:\n");
    for (int i = 0; i < ROWS; i++) {
        at += sprintf(at, "  l%d: {block: lfo}\n", i);
        for (int k = 0; k < READERS; k++)
            at += sprintf(at, "  g%d_%d: {block: gain}\n", i, k);
    }
    at += sprintf(at, "cables:\n");
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < READERS; k++)
            at += sprintf(at, "  - l%d.out -> g%d_%d -> output\n", i, i, k);
    struct tac_engine *e = rig_open_threads(text, 2);
    REQUIRE(e);
    struct account a = play_through(e->latest);
    CHECK_MSG(a.tasks <= a.sum / 500, "%u tasks of %.0f ns in all", a.tasks, a.sum);
    tac_engine_free(e);
}

/* As many cables as would be many readers. */
static void a_reader_by_several_cables_is_one(void)
{
    static const char text[] = "nodes:\n  m: {block: noise}\n  f: {block: gain, channels: 8}\n"
                               "  g: {block: ladder, channels: 64}\n"
                               "  h: {block: ladder, channels: 64}\n"
                               "cables:\n  - m -> f.in[1]\n  - m -> f.in[2]\n  - m -> f.in[3]\n"
                               "  - m -> f.in[4]\n  - m -> f.in[5]\n  - f.out[1] -> g -> h\n"
                               "  - h.out[1] -> output\n";
    if (TAC_SANITIZED || test_emulated())
        SKIP("blocks take more than fits into a task");
    struct tac_engine *e = rig_open_threads(text, 2);
    REQUIRE(e);
    const struct tac_plan *p = e->latest;
    CHECK(task_of(p, "m") < p->tasks && task_of(p, "m") == task_of(p, "f"));
    tac_engine_free(e);
}

/* What it has been told is what it has done, if it is there at all: who begins late finds less. */
static void threads_and_tasks_give_an_account(void)
{
    enum { SLICES = 300, MOST = 100000 };
    uint64_t slices = 0;
    struct tac_engine *e = rig_open_threads(voices, 2);
    struct tac_engine_thread audio, helper;
    struct tac_engine_task task;
    struct tac_engine_stats stats;
    REQUIRE(e);
    do {
        rig_play(e, 0, 64, 64);
        nanosleep(&(struct timespec){0, 10000}, NULL);
        CHECK(tac_engine_thread(e, 1, &helper) == 0);
    } while (++slices < SLICES || (helper.worst_ns == 0 && slices < MOST));
    CHECK(tac_engine_thread(e, 0, &audio) == 0);
    CHECK(tac_engine_thread(e, 2, &audio) == -ENOENT);
    /* a helper counts what it has done of a slice when that may be over already */
    for (int i = 0; i < 1000; i++) {
        tac_engine_stats(e, &stats);
        CHECK(tac_engine_thread(e, 1, &helper) == 0);
        if (helper.tasks == stats.tasks_given &&
            audio.tasks + helper.tasks + stats.tasks_lost >= e->latest->tasks * slices)
            break;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    CHECK(helper.tasks == stats.tasks_given && audio.slices == slices);
    CHECK(helper.slices > 0 && helper.slices <= slices);
    CHECK(audio.busy_ns > 0 && audio.worst_ns >= audio.mean_ns && helper.worst_ns > 0);
    uint32_t tasks = 0, helped = 0;
    for (; tac_engine_task(e, tasks, &task) == 0; tasks++) {
        helped += task.thread == 1;
        CHECK(task.thread < 2 && task.mean_ns > 0 && task.estimate_ns > 0);
    }
    CHECK(tac_engine_task(e, tasks, &task) == -ENOENT);
    CHECK(audio.tasks + helper.tasks + stats.tasks_lost >= tasks * slices);
    CHECK(helped && helper.tasks <= helped * slices);
    tac_engine_free(e);
}

/* ---- whether helpers are worth it: times are told ----------------------------------------------
 */

enum { US = 1000, MS = 1000 * US, ALONE = 80 * US, TOGETHER = 50 * US }; /* counter ticks */

struct play {
    struct tac_worth worth;
    uint64_t now;
    uint64_t apart; /* slices that ran alone, no probes */
};

/* So long, with slices of these lengths. sum: unknown or too long to be probed when 0. */
static void play_worth(struct play *p, uint64_t ticks, uint64_t alone, struct tac_worth_slice slice,
                       uint64_t sum)
{
    p->apart = 0;
    for (uint64_t end = p->now + ticks; p->now < end;) {
        enum tac_worth_way way = tac_worth_choose(&p->worth, sum);
        slice.began = p->now;
        if (way == TAC_WORTH_TOGETHER)
            tac_worth_went_together(&p->worth, &slice);
        else if (way == TAC_WORTH_PROBE)
            tac_worth_probed(&p->worth, alone);
        else
            tac_worth_went_alone(&p->worth);
        p->apart += way == TAC_WORTH_ALONE;
        p->now += way == TAC_WORTH_TOGETHER ? slice.took : alone;
    }
}

static const struct tac_worth_slice useful = {.took = TOGETHER, .helped = ALONE / 2};
static const struct tac_worth_slice absent = {.took = ALONE};

static struct play begin_play(uint64_t sum)
{
    struct play p = {.worth = {.ticks_per_us = US}};
    tac_worth_begin(&p.worth, 0);
    play_worth(&p, 500ull * MS, ALONE, useful, sum);
    CHECK(p.apart == 0 && p.worth.paid);
    return p;
}

static void a_helper_that_comes_no_more_is_noticed_soon(void)
{
    for (int probes = 0; probes < 2; probes++) {
        struct play p = begin_play(probes ? ALONE : 0);
        play_worth(&p, 40 * MS, ALONE, absent, probes ? ALONE : 0);
        CHECK_MSG(p.apart > 0, "it was called for 40 ms, %d", probes);
        play_worth(&p, 60000ull * MS, ALONE, absent, probes ? ALONE : 0);
        CHECK_MSG(p.apart * ALONE > 59000ull * MS, "%llu slices alone",
                  (unsigned long long)p.apart);
        play_worth(&p, 8000ull * MS, ALONE, useful, probes ? ALONE : 0);
        play_worth(&p, 8000ull * MS, ALONE, useful, probes ? ALONE : 0);
        CHECK_MSG(p.apart == 0, "it is back: %llu slices alone", (unsigned long long)p.apart);
    }
}

static void a_helper_that_is_away_now_and_then_is_called_on(void)
{
    struct play p = begin_play(0);
    for (int i = 0; i < 300 && !test_bad; i++) {
        play_worth(&p, 5 * MS, ALONE, absent, 0);
        CHECK(p.apart == 0);
        play_worth(&p, 5 * MS, ALONE, useful, 0);
        CHECK(p.apart == 0);
    }
}

/* It comes, does half of the work, and is waited for as long as that would have taken. */
static void a_helper_that_is_waited_for_too_long_is_not_called(void)
{
    struct play p = begin_play(0);
    struct tac_worth_slice slow = {.took = 81 * US, .helped = ALONE / 2, .waited = 30 * US};
    play_worth(&p, 10000ull * MS, ALONE, slow, 0);
    CHECK(p.apart * ALONE > 9000ull * MS);
    p = begin_play(ALONE);
    slow = (struct tac_worth_slice){.took = 79 * US,
                                    .helped = 60 * US}; /* what is shared takes longer */
    play_worth(&p, 10000ull * MS, ALONE, slow, ALONE);
    CHECK(p.apart * ALONE > 9000ull * MS);
}

/* Slices with helpers take longer than those without did before. */
static void more_to_do_is_no_helper_lost(void)
{
    struct play p = begin_play(ALONE / 2);
    struct tac_worth_slice more = {.took = 2 * TOGETHER, .helped = ALONE};
    play_worth(&p, 3000ull * MS, 2 * ALONE, more, ALONE / 2);
    CHECK(p.apart == 0 && p.worth.paid);
    play_worth(&p, 3000ull * MS, ALONE, useful, ALONE / 2);
    CHECK(p.apart == 0 && p.worth.paid);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_longest_way_is_little_more_than_a_share);
    TEST(one_task_leaves_time_for_what_only_the_audio_thread_may_run);
    TEST(what_many_wait_for_is_behind_nothing_else);
    TEST(little_that_is_waited_for_is_in_large_tasks);
    TEST(a_reader_by_several_cables_is_one);
    TEST(threads_and_tasks_give_an_account);
    TEST(a_helper_that_comes_no_more_is_noticed_soon);
    TEST(a_helper_that_is_away_now_and_then_is_called_on);
    TEST(a_helper_that_is_waited_for_too_long_is_not_called);
    TEST(more_to_do_is_no_helper_lost);
    return test_end();
}
