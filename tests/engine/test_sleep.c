/* SPDX-License-Identifier: MIT
 * test_sleep.c - banks of voices that nobody hears: they sleep, wake in the frame of the note, and
 * sound as if they had not slept. */
#include "engine/crew.h"
#include "engine/doze.h"
#include "engine/internal.h"
#include "rig_engine.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { FRAMES = 20000, CHANNELS = 2 };

/* What is heard follows from the notes alone: nothing has a phase or a memory of what was not
 * heard. */
#define STEADY                                                                                     \
    "output: 2\n"                                                                                  \
    "voices:\n  v:\n    count: 70\n    nodes:\n      env: {block: adsr, attack: 1 ms, decay: 4 "   \
    "ms, "                                                                                         \
    "release: 5 ms}\n      vca: {block: gain}\n      place: {block: pan}\n"                        \
    "    cables: [v.gate -> env, env.out -> vca.control, v.velocity -> vca.in, vca -> place, "     \
    "'place.left -> output[1]', 'place.right -> output[2]']\n"

/* Oscillators and filters, which stand still in between; an LFO on all filters, one envelope for
 * two amplifiers, a node that hears nothing of the notes, voices that are stolen. */
#define MOVING                                                                                     \
    "output: 2\n"                                                                                  \
    "nodes: {lfo: {block: lfo, rate: 3 Hz, depth: 300}}\n"                                         \
    "voices:\n  v:\n    count: 36\n    steal: quietest\n    nodes:\n"                              \
    "      free: {block: noise, level: 1 %}\n      osc: {block: saw, frequency: 8.1758 Hz}\n"      \
    "      f: {block: svf, cutoff: 900 Hz}\n      env: {block: adsr, release: 4 ms}\n"             \
    "      vca: {block: gain, level: -12 dB}\n      other: {block: gain}\n      place: {block: "   \
    "pan}\n"                                                                                       \
    "    cables: [v.pitch -> osc.pitch, v.gate -> env, free -> osc.level, osc -> f, f.out -> "     \
    "vca.in, env.out -> vca.control, vca -> place, 'place.left -> output[1]', 'place.right -> "    \
    "output[2]', f.band -> other.in, env.out -> other.control, 'other -> output[1]']\n"            \
    "  w:\n    count: 1\n    nodes: {o: {block: saw, frequency: 8.1758 Hz}, s: {block: sine, "     \
    "frequency: 8.1758 Hz}, q: {block: svf}, a: {block: adsr, "                                    \
    "release: 1 ms}, x: {block: gain}, y: {block: gain, level: -6 dB}}\n"                          \
    "    cables: [w.pitch -> o.pitch, w.pitch -> s.pitch, w.pitch -> q.pitch, w.gate -> a, o -> "  \
    "q, s -> q, q.out -> x.in, a.out -> x.control, x -> y, 'y -> "                                 \
    "output[2]']\n"                                                                                \
    "cables: [lfo.out -> f.cutoff]\n"

static float first[CHANNELS][FRAMES];

static struct tac_engine *open_engine(const char *text, uint32_t threads, uint32_t no_sleep)
{
    struct tac_engine *e = NULL;
    struct tac_engine_config config = {
        .offline =
            threads<2, .no_lock = 1, .no_shed = 1, .threads = threads, .always_help = threads> 1,
        .no_sleep = no_sleep};
    if (tac_engine_new(&config, &e) < 0 || rig_load(e, text) < 0) {
        tac_engine_free(e);
        return NULL;
    }
    return e;
}

static uint32_t asleep(struct tac_engine *e)
{
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    return stats.banks_asleep;
}

/* Short notes with pauses in which all sleep, some of them at once, some in one slice. */
static void play_notes(struct tac_engine *e, uint32_t step)
{
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t at = 2000 + i * 101 + i / 20 * 4000;
        CHECK(tac_engine_note(e, NULL, 40 + (float)(i % 50), 0.5f, at) == 0);
        CHECK(tac_engine_note(e, NULL, 40 + (float)(i % 50), 0, at + 37 + 11 * (i % 20)) == 0);
    }
    rig_play(e, 0, FRAMES, step);
}

static float most(const float *x, uint32_t frames)
{
    float most = 0;
    for (uint32_t f = 0; f < frames; f++)
        most = fmaxf(most, fabsf(x[f]));
    return most;
}

static void compare(const char *text, uint32_t no_sleep_first)
{
    static const uint32_t steps[] = {64, 1, 7, 48, 4096, 64}, threads[] = {1, 1, 2, 3, 1, 1};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        uint32_t wakes = i == 0 && no_sleep_first;
        struct tac_engine *e = open_engine(text, threads[i], wakes);
        REQUIRE(e);
        play_notes(e, steps[i]);
        for (int c = 0; c < CHANNELS && !i; c++)
            memcpy(first[c], rig_out[c], sizeof first[c]);
        CHECK(most(rig_out[0], FRAMES) > 0.01f && most(rig_out[1], FRAMES) > 0.01f);
        for (int c = 0; c < CHANNELS; c++)
            CHECK_MSG(!memcmp(first[c], rig_out[c], sizeof first[c]),
                      "channel %d, calls of %u, %u threads", c, steps[i], threads[i]);
        CHECK_MSG(wakes ? !asleep(e) : asleep(e) > 0, "%u banks sleep", asleep(e));
        tac_engine_free(e);
    }
}

static void who_sleeps_sounds_as_if_it_did_not(void)
{
    compare(STEADY, 1);
}

static void same_bits_however_time_is_cut(void)
{
    compare(MOVING, 0);
}

/* All banks sleep when all is over; a note wakes one pair of them, in its frame. */
static void notes_wake_who_plays_them(void)
{
    struct tac_engine *e = open_engine(STEADY, 1, 0);
    struct tac_engine_info info;
    REQUIRE(e);
    tac_engine_info(e, &info);
    rig_play(e, 0, 6400, 64);
    uint32_t all = asleep(e);
    CHECK_MSG(all > 2 && all < info.banks, "%u of %u banks sleep", all, info.banks);
    CHECK(most(rig_out[0], 6400) == 0);
    CHECK(tac_engine_note(e, NULL, 60, 1, 30) == 0);
    rig_play(e, 0, 64, 64);
    CHECK_MSG(all - asleep(e) <= 2 && all > asleep(e), "%u of %u sleep", asleep(e), all);
    CHECK(most(rig_out[0], 30) == 0 && rig_out[0][30] > 0);
    CHECK(tac_engine_note(e, NULL, 60, 0, 0) == 0);
    rig_play(e, 0, 6400, 64);
    CHECK(asleep(e) == all);
    tac_engine_free(e);
}

/* What might be heard again without a note: feedback, an amplifier that is open, a delay. */
static void voices_that_may_come_back_by_themselves_do_not_sleep(void)
{
    static const char *const cables[] = {
        "n -> vca.in, env.out -> vca.control, vca -> output",
        "n -> vca.in, env.out -> vca.in, vca -> output",
        "n -> vca.in, env.out -> vca.control, vca -> d -> output",
        "n -> vca.in, env.out -> vca.control, vca -> output, env ~> n.level"};
    for (size_t i = 0; i < sizeof cables / sizeof *cables; i++) {
        char text[500];
        snprintf(
            text, sizeof text,
            "output: 1\nvoices: {v: {count: 8, nodes: {n: {block: noise}, env: {block: adsr}, vca: "
            "{block: gain}%s}, cables: [v.gate -> env, %s]}}\n",
            i == 2 ? ", d: {block: delay}" : "", cables[i]);
        struct tac_engine *e = open_engine(text, 1, 0);
        REQUIRE(e);
        rig_play(e, 0, 6400, 64);
        CHECK_MSG(!asleep(e) == (i > 0), "%s: %u sleep", cables[i], asleep(e));
        tac_engine_free(e);
    }
}

/* A node that is given up for lack of time is silent in the slice in which its bank wakes, too. */
static void what_is_given_up_does_not_wake(void)
{
    struct tac_engine *e = open_engine(STEADY, 1, 0);
    REQUIRE(e);
    rig_play(e, 0, 6400, 64);
    CHECK(asleep(e) > 0);
    struct tac_plan *p = e->playing;
    for (uint32_t i = 0; i < p->graph->node_count; i++)
        if (strstr(p->graph->node[i].name, "place"))
            p->node[i].hush = TAC_HUSH_SILENT;
    p->checked = true;
    CHECK(tac_engine_note(e, NULL, 60, 1, 30) == 0);
    rig_play(e, 0, 640, 64);
    CHECK_MSG(most(rig_out[0], 640) == 0, "%g is heard", (double)most(rig_out[0], 640));
    tac_engine_free(e);
}

static void an_edit_wakes_and_they_sleep_again(void)
{
    struct tac_engine *e = open_engine(MOVING, 1, 0);
    REQUIRE(e);
    rig_play(e, 0, 6400, 64);
    uint32_t all = asleep(e);
    CHECK(all);
    REQUIRE(rig_load(e, STEADY) == 0);
    rig_play(e, 0, 6400, 64);
    (void)asleep(e); /* which makes a plan without what has faded out */
    rig_play(e, 0, 6400, 64);
    CHECK(asleep(e));
    CHECK(tac_engine_note(e, NULL, 60, 1, 0) == 0);
    rig_play(e, 0, 640, 64);
    CHECK(most(rig_out[0], 640) > 0.1f);
    REQUIRE(rig_load(e, MOVING) == 0);
    rig_play(e, 0, 640, 64);
    CHECK(tac_engine_note(e, NULL, 60, 1, 0) == 0);
    rig_play(e, 0, 6400, 64);
    CHECK(most(rig_out[0], 6400) > 0.01f);
    tac_engine_free(e);
}

/* ---- a helper that is lost with banks of which some sleep --------------------------------------
 */

/* A helper that stops does nothing more, so its place for copies stays as it is. Ours goes on with
 * its other tasks in the slice, hence a place of this task's own. */
static unsigned char *of_helper;

/* As a helper leaves it that stops before the task is done: a copy of the states that are awake,
 * and something of its own where they were. */
static uint32_t stop_in(struct tac_engine *e, struct tac_task *task)
{
    const struct tac_slot *slot = e->playing->slot + task->slot.first;
    uint32_t sleeping = 0;
    while (atomic_load(&e->workers->crew->helper[1].inside))
        nanosleep(&(struct timespec){0, 20000}, NULL);
    of_helper = task->snapshot;
    const struct tac_slot *last = slot + task->slot.count - 1;
    task->snapshot = malloc(last->at + last->bytes);
    for (uint32_t i = 0; i < task->slot.count; i++) {
        unsigned char *state = slot[i].node->state[slot[i].bank];
        sleeping += tac_doze_sleeps(slot[i].doze);
        if (tac_doze_sleeps(slot[i].doze))
            continue;
        memcpy(task->snapshot + slot[i].at, state, slot[i].bytes);
        memset(state, 0x55, slot[i].node->block->state_bytes);
    }
    atomic_store(&task->word, tac_task_word(e->workers->crew->slice + 1, TAC_TASK_HELPER));
    return sleeping;
}

/* It goes on: the places that it wrote to are free again. */
static void come_back(struct tac_engine *e, struct tac_task *task)
{
    free(task->snapshot);
    task->snapshot = of_helper;
    const struct tac_slot *slot = e->playing->slot + task->slot.first;
    for (uint32_t i = 0; i < task->slot.count; i++)
        atomic_fetch_sub(&slot[i].node->held, 1);
    atomic_fetch_sub(&e->workers->crew->away, 1);
}

/* How good a task is to lose: with states that sleep, and best with others beside them. */
static uint32_t worth(const struct tac_engine *e, const struct tac_task *task)
{
    uint32_t sleeping = 0;
    for (uint32_t i = 0; i < task->slot.count; i++)
        sleeping += tac_doze_sleeps(e->playing->slot[task->slot.first + i].doze);
    uint32_t awake = task->slot.count - sleeping;
    return 1 + (sleeping ? 1000 : 0) + (sleeping && awake ? 1000 : 0) + task->slot.count;
}

/* A helper's task. */
static struct tac_task *find_task(struct tac_engine *e)
{
    struct tac_task *best = NULL;
    for (uint32_t t = 0; t < e->playing->tasks; t++) {
        struct tac_task *task = &e->playing->task[t];
        if (task->worker && task->snapshot && (!best || worth(e, task) > worth(e, best)))
            best = task;
    }
    return best;
}

static bool play_both(struct tac_engine *one, struct tac_engine *two, uint32_t frames)
{
    rig_play(one, 0, frames, 64);
    for (int c = 0; c < CHANNELS; c++)
        memcpy(first[c], rig_out[c], frames * sizeof(float));
    rig_play(two, 0, frames, 64);
    return !memcmp(first[0], rig_out[0], frames * sizeof(float)) &&
           !memcmp(first[1], rig_out[1], frames * sizeof(float));
}

#define MANY                                                                                       \
    "output: 2\n"                                                                                  \
    "voices:\n  v:\n    count: 512\n    nodes:\n      osc: {block: saw, frequency: 8.1758 Hz}\n"   \
    "      f: {block: svf, cutoff: 900 Hz}\n      l: {block: ladder, cutoff: 2 kHz}\n"             \
    "      env: {block: adsr, release: 4 ms}\n      vca: {block: gain, level: -12 dB}\n"           \
    "      place: {block: pan}\n"                                                                  \
    "    cables: [v.pitch -> osc.pitch, v.gate -> env, osc -> f, f.out -> l, l.out -> vca.in, "    \
    "env.out -> vca.control, vca -> place, 'place.left -> output[1]', 'place.right -> "            \
    "output[2]']\n"

/* Notes wake some that were moved while they slept, and others end. */
static void states_that_sleep_outlive_a_lost_helper(void)
{
#if TAC_SANITIZED_THREAD
    SKIP("the audio thread takes nothing back");
#endif
    struct tac_engine *one = open_engine(MANY, 1, 0), *two = open_engine(MANY, 2, 0);
    REQUIRE(one && two);
    uint32_t sleeping = 0;
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 200; i++)
            for (int k = 0; k < 2; k++)
                CHECK(tac_engine_note(k ? two : one, NULL, 30 + (float)(i * 7 % 60),
                                      i % 6 == round ? 0 : 0.3f, 20) == 0);
        CHECK(play_both(one, two, 64 * 40));
        struct tac_task *task = find_task(two);
        REQUIRE(task);
        uint32_t flip = task->flip;
        sleeping += stop_in(two, task);
        CHECK(play_both(one, two, 64));
        CHECK_MSG(task->flip == flip + 1, "round %d: the task was not taken back", round);
        CHECK(play_both(one, two, 64 * 3));
        come_back(two, task);
    }
    CHECK_MSG(sleeping > 0, "nothing that was lost slept");
    CHECK(play_both(one, two, 64 * 40));
    tac_engine_free(one);
    tac_engine_free(two);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(who_sleeps_sounds_as_if_it_did_not);
    TEST(same_bits_however_time_is_cut);
    TEST(notes_wake_who_plays_them);
    TEST(voices_that_may_come_back_by_themselves_do_not_sleep);
    TEST(what_is_given_up_does_not_wake);
    TEST(states_that_sleep_outlive_a_lost_helper);
    TEST(an_edit_wakes_and_they_sleep_again);
    return test_end();
}
