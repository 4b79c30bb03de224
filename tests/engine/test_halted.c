/* SPDX-License-Identifier: MIT
 * test_halted.c - a helper that is stopped at any instruction of a slice, and goes on when its
 * task has long been recovered, changes nothing of what is heard; nor does an edit meanwhile. */
#include "halt.h"
#include "mem/step.h"
#include "rig_engine.h"

/* Two chains; the longer is the audio thread's. */
#define NODES                                                                                      \
    "output: 2\n"                                                                                  \
    "nodes:\n"                                                                                     \
    "  n: {block: noise, level: 10 %, channels: 32}\n"                                             \
    "  f: {block: svf, cutoff: 900 Hz, channels: 32}\n"                                            \
    "  g: {block: svf, cutoff: 300 Hz, channels: 32}\n"                                            \
    "  h: {block: ladder, cutoff: 400 Hz, channels: 32}\n"                                         \
    "  s: {block: saw, channels: 64, level: 2 %}\n"                                                \
    "  t: {block: svf, cutoff: 2 kHz, channels: 64}\n"                                             \
    "  u: {block: ladder, cutoff: 1 kHz, channels: 64}\n"
#define CABLES(more_of_n, more_of_s)                                                               \
    "cables:\n"                                                                                    \
    "  - n -> f -> g -> h" more_of_n " -> output[1]\n"                                             \
    "  - s -> t -> u" more_of_s " -> output[2]\n"

static const char patch[] = NODES CABLES("", "");
static const char longer[] =
    NODES "  a: {block: ladder, channels: 64}\n  b: {block: ladder, channels: 64}\n"
          "  c: {block: ladder, channels: 64}\n  d: {block: ladder, channels: 64}\n" CABLES(
              "", " -> a -> b -> c -> d");

/* Helpers run no loop. */
static const char looped[] = NODES CABLES("", "") "  - h ~9> f\n  - u ~9> t\n";

/* Two sections, one for each thread. A bank reads a voice by several mixes, that all rest or move
 * at once. Slides take 96 frames. */
#define SECTION(name)                                                                              \
    "  " name ":\n"                                                                                \
    "    count: 1\n"                                                                               \
    "    unison: 16\n"                                                                             \
    "    mode: legato\n"                                                                           \
    "    glide: 2 ms\n"                                                                            \
    "    nodes:\n"                                                                                 \
    "      " name "o: {block: saw, frequency: 300 Hz, level: 5 %}\n"                               \
    "      " name "a: {block: ladder, cutoff: 900 Hz}\n"                                           \
    "      " name "b: {block: ladder, cutoff: 900 Hz}\n"                                           \
    "      " name "c: {block: ladder, cutoff: 900 Hz}\n"                                           \
    "      " name "d: {block: ladder, cutoff: 900 Hz}\n"                                           \
    "    cables:\n"                                                                                \
    "      - " name "o -> " name "a -> " name "b -> " name "c -> " name "d\n"                      \
    "      - " name ".pitch -> " name "o.pitch\n"                                                  \
    "      - " name ".pitch -> " name "a.pitch\n"                                                  \
    "      - " name ".pitch -> " name "b.pitch\n"                                                  \
    "      - " name ".pitch -> " name "c.pitch\n"                                                  \
    "      - " name ".pitch -> " name "d.pitch\n"
static const char sliding[] = "output: 2\nvoices:\n" SECTION("v") SECTION("w") //
    "cables:\n  - vd -> output[1]\n  - wd -> output[2]\n";

/* Rows that wait for nothing: several for each thread, whose states are kept in one place. */
#define ROW(i)                                                                                     \
    "  n" #i ": {block: noise, level: 10 %, channels: 32}\n"                                       \
    "  f" #i ": {block: ladder, cutoff: 900 Hz, channels: 32}\n"                                   \
    "  g" #i ": {block: ladder, cutoff: 300 Hz, channels: 32}\n"
#define LED(i) "  - n" #i " -> f" #i " -> g" #i " -> output[1]\n"
static const char rows[] = "output: 2\nnodes:\n" ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) //
    "cables:\n" LED(1) LED(2) LED(3) LED(4) LED(5) LED(6);

/* A step is some microseconds of the kernel's, so points are few: what has to do with one at which
 * signals begin to move is looked at instruction by instruction below. */
enum {
    AFTER = 3,
    POINTS = 48,
    REST_POINTS = 16,
    EDITS = 8,
    LOSSES = 4,
    FADE_SLICES = 20,
    LONGEST = 64
};

static struct tac_engine *one, *two; /* by threads; they play the same */

static const char *next_patch;

/* The audio thread waits in the slice meanwhile. */
static void load_next(void)
{
    CHECK(rig_load(two, next_patch) == 0);
}

static bool slides; /* the voices begin to slide just after a helper has halted */

static void slide(void)
{
    static float pitch = 12;
    pitch = 36 - pitch;
    CHECK(tac_engine_note(one, NULL, pitch, 1, 0) == 0);
    CHECK(tac_engine_note(two, NULL, pitch, 1, 0) == 0);
}

static void free_both(void)
{
    tac_engine_free(one);
    tac_engine_free(two);
}

static uint64_t lost(void)
{
    struct tac_engine_stats stats;
    tac_engine_stats(two, &stats);
    return stats.tasks_lost;
}

/* A slice of both: whether they are the same. */
static bool play_both(uint32_t frames)
{
    float a[2][LONGEST], b[2][LONGEST];
    tac_engine_process(one, NULL, (float *const[]){a[0], a[1]}, frames);
    tac_engine_process(two, NULL, (float *const[]){b[0], b[1]}, frames);
    return !memcmp(a[0], b[0], frames * sizeof(float)) &&
           !memcmp(a[1], b[1], frames * sizeof(float));
}

/* A frame of both, in which the helper halts, unless it gets through before; and some more without
 * it, then with it again. `edit`: a text that is loaded while it has halted, or NULL. */
static void halt_once(long at, const char *edit, long number)
{
    float a[2], b[2];
    next_patch = edit;
    halt_meanwhile = edit ? load_next : NULL;
    tac_engine_process(one, NULL, (float *const[]){a, a + 1}, 1);
    halt_process(two, at, (float *const[]){b, b + 1}, 1);
    if (edit && !halt.waited) /* a plan may have found that all is too little to share */
        load_next();
    CHECK(!edit || rig_load(one, edit) == 0);
    if (slides)
        slide();
    bool same = !memcmp(a, b, sizeof a);
    for (int i = 0; i < AFTER; i++)
        same = play_both(1) && same;
    halt_release();
    for (int i = 0; i < AFTER; i++)
        same = play_both(1) && same;
    CHECK_MSG(same, "%ld, halted at instruction %ld", number, at);
}

/* How many instructions a helper's part in a slice has. */
static long measure_slice(void)
{
    halt_once(LONG_MAX, NULL, 0);
    return halt.count;
}

/* Until fades of edits are over and all is warm. */
static void settle(void)
{
    struct tac_engine_stats stats;
    for (int i = 0; i < FADE_SLICES; i++)
        CHECK(play_both(LONGEST));
    tac_engine_stats(one, &stats);
    tac_engine_stats(two, &stats);
    CHECK(play_both(LONGEST));
}

/* A helper that has not begun yet can be halted before what it is has been set up: a sanitizer's
 * idea of the thread, for one. The first that it does is to name itself. */
static bool helper_has_begun(void)
{
    char name[16] = "";
    pthread_getname_np(two->workers->crew->helper[1].thread, name, sizeof name);
    return !strncmp(name, "tactus-help", 11);
}

static bool open_both(const char *text)
{
    one = rig_open_threads(text, 1);
    two = rig_open_threads(text, 2);
    while (one && two && !helper_has_begun())
        halt_nap();
    return one && two;
}

static void a_helper_that_halts_anywhere_changes_nothing(void)
{
    const char *why = halt_supported();
    if (why)
        SKIP(why);
    REQUIRE(open_both(patch));
    settle();
    long all = measure_slice(), at = 1;
    for (int i = 0; i < POINTS && !test_bad; i++, at += 1 + all / POINTS)
        halt_once(at, NULL, i);
    CHECK_MSG(lost() > 0, "nothing was lost at %d of %ld instructions", POINTS, all);
    free_both();
}

/* The audio thread has taken the task, and has yet to read the copies: another must not be made. */
static void a_helper_that_lost_a_task_keeps_no_more_copies_in_the_slice(void)
{
    const char *why = halt_supported();
    if (why)
        SKIP(why);
    REQUIRE(open_both(rows));
    settle();
    long all = measure_slice(), at = 1;
    halt_early = true;
    for (int i = 0; i < LOSSES && !test_bad; i++, at += 1 + all / LOSSES)
        halt_once(at, NULL, i);
    halt_early = false;
    CHECK_MSG(lost() >= LOSSES / 2, "%llu were lost at %d of %ld instructions",
              (unsigned long long)lost(), LOSSES, all);
    free_both();
}

/* The plan is built before the task is lost, and taken over after it: its operations point to where
 * the states were, and in the other patch other threads have them. */
static void edits_find_states_that_were_moved_meanwhile(void)
{
    const char *why = halt_supported();
    if (why)
        SKIP(why);
    REQUIRE(open_both(patch));
    long all = measure_slice(), at = 1;
    halt_in_task = true;
    for (int i = 0; i < EDITS && !test_bad; i++, at += 1 + all / EDITS) {
        settle();
        halt_once(at, i & 1 ? patch : i & 2 ? looped : longer, i);
    }
    halt_in_task = false;
    CHECK_MSG(lost() > 0, "nothing was lost in %d edits over %ld instructions", EDITS, all);
    free_both();
}

/* In the slice that is halted the voices have just come to rest: the rows are made anew. */
static void halt_at_rest(long at, long number)
{
    slide();
    for (int i = 0; i < 2; i++)
        CHECK(play_both(LONGEST));
    halt_once(at, NULL, number);
    CHECK_MSG(play_both(LONGEST - 1 - 2 * AFTER), "%ld, halted at instruction %ld", number, at);
}

/* What it found at rest moves in the next slice: it must not take it for what rests for ever. */
static void a_helper_that_halts_as_signals_rest_hears_them_move(void)
{
    const char *why = halt_supported();
    if (why)
        SKIP(why);
    REQUIRE(open_both(sliding));
    settle();
    slides = true;
    halt_at_rest(LONG_MAX, 0);
    long all = halt.count, at = 1;
    for (int i = 0; i < REST_POINTS && !test_bad; i++, at += 1 + all / REST_POINTS)
        halt_at_rest(at, i);
    slides = false;
    CHECK_MSG(lost() > 0, "nothing was lost at %d of %ld instructions", REST_POINTS, all);
    free_both();
}

/* ---- one mix, at each of its instructions ---------------------------------------------------- */

enum { LANES = 16 };

static struct {
    struct tac_mix mix;
    struct tac_mix_source source;
    struct tac_signal target;
    _Atomic uint64_t rows;
    float signal[LONGEST * LANES], out[LONGEST * (LANES + 1)], row[LANES];
} mixed;

static void put_at_rest(void)
{
    mixed.source = (struct tac_mix_source){
        .signal = {mixed.signal, 0, 1, 0}, .count = LANES, .kind = TAC_MIX_WHOLE};
    mixed.target = (struct tac_signal){mixed.out, LANES, 1, 0};
    mixed.mix = (struct tac_mix){.out = mixed.out,
                                 .row = mixed.row,
                                 .rows = &mixed.rows,
                                 .lanes = LANES,
                                 .count = 1,
                                 .target = &mixed.target,
                                 .source = &mixed.source};
    atomic_store(&mixed.rows, 1);
}

/* As a section does it: readers are told, then it is counted. */
static void begin_to_move(void)
{
    mixed.source.signal.stride = LANES;
    atomic_fetch_add(&mixed.rows, 1);
}

/* Every instruction, where the others are halted at some of them. */
static void a_signal_that_begins_to_move_within_a_mix_is_heard_in_the_next(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    struct tac_io io = {.frames = LONGEST};
    void (*run)(void *, const struct tac_io *) = tac_mix_run;
    uintptr_t function, nothing;
    long at = 0;
    memcpy(&function, &run, sizeof function);
    for (int i = 0; i < LONGEST * LANES; i++)
        mixed.signal[i] = (float)i;
    step_stopped = begin_to_move;
    do {
        put_at_rest();
        step_stop_at = ++at;
        step_call((void *)function, (uintptr_t)&mixed.mix, (uintptr_t)&io, &nothing);
        step_stop_at = 0;
        bool moves = atomic_load(&mixed.rows) > 1;
        tac_mix_run(&mixed.mix, &io);
        CHECK_MSG(!moves || (mixed.target.stride == LANES &&
                             !memcmp(mixed.target.data, mixed.signal, sizeof mixed.signal)),
                  "it began at instruction %ld", at);
        if (!moves)
            break;
    } while (!test_bad);
    CHECK_MSG(at > 10, "a mix of %ld instructions", at);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_signal_that_begins_to_move_within_a_mix_is_heard_in_the_next);
    TEST(a_helper_that_halts_anywhere_changes_nothing);
    TEST(a_helper_that_lost_a_task_keeps_no_more_copies_in_the_slice);
    TEST(a_helper_that_halts_as_signals_rest_hears_them_move);
    TEST(edits_find_states_that_were_moved_meanwhile);
    return test_end();
}
