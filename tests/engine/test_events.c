/* SPDX-License-Identifier: MIT
 * test_events.c - events arrive in any order and are obeyed in that of their frames. */
#include "engine/agenda.h"
#include "rig_engine.h"
#include "test.h"

#include <errno.h>
#include <math.h>

static struct tac_agenda agenda;

static uint32_t next_random(uint32_t *seed)
{
    return *seed = *seed * 1664525 + 1013904223;
}

/* value: the serial number, to see that equal frames keep the order of arrival. */
static void the_agenda_is_in_order_whatever_comes(void)
{
    uint32_t seed = 7, misplaced = 0;
    float serial = 0;
    for (int round = 0; round < 200; round++) {
        uint32_t spread = round % 3 == 0 ? 1 : round % 3 == 1 ? 10 : 100000;
        while (!tac_agenda_is_full(&agenda)) {
            struct tac_event event = {.due = next_random(&seed) / 256 % spread, .value = serial++};
            tac_agenda_push(&agenda, &event);
        }
        uint32_t take = 1 + next_random(&seed) / 256 % TAC_EVENTS_MAX;
        struct tac_event last = tac_agenda_pop(&agenda);
        for (uint32_t i = 1; i < take; i++) {
            struct tac_event event = tac_agenda_pop(&agenda);
            misplaced +=
                event.due < last.due || (event.due == last.due && event.value < last.value);
            last = event;
        }
    }
    CHECK_MSG(!misplaced, "%u out of order", misplaced);
    CHECK(agenda.count == 0 || tac_agenda_next(&agenda));
}

static void notes_in_falling_order_play_in_rising_order(void)
{
    struct tac_engine *e =
        rig_open("output: 1\n"
                 "voices: {v: {count: 1, mode: mono, nodes: {a: {block: gain}}}}\n"
                 "cables: ['v.pitch -> output[1]']\n");
    REQUIRE(e);
    for (uint32_t i = TAC_EVENTS_MAX; i-- > 0;)
        REQUIRE(tac_engine_note(e, "v", 1 + (float)i, 1, 10 * i) == 0);
    CHECK(tac_engine_note(e, "v", 1, 1, 0) == -EAGAIN);
    rig_play(e, 0, 10240, 64);
    uint32_t wrong = 0;
    for (uint32_t f = 0; f < 10240; f++)
        wrong += rig_out[0][f] != 1 + (float)(f / 10);
    CHECK_MSG(!wrong, "%u frames", wrong);
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    CHECK(stats.events_dropped == 1 && stats.notes == TAC_EVENTS_MAX);
    tac_engine_free(e);
}

/* More parameters than ramps: all are set in the end, each to what was asked for last. */
static void more_changes_than_ramps_are_all_made(void)
{
    static char text[40000];
    char *at = text + sprintf(text, "output: 1\nnodes:\n");
    for (int i = 0; i < 400; i++)
        at += sprintf(at, "  c%d: {block: lfo, rate: 0, depth: 0, centre: 0}\n", i);
    at += sprintf(at, "cables:\n");
    for (int i = 0; i < 400; i++)
        at += sprintf(at, "  - c%d -> output\n", i);
    struct tac_engine *e = rig_open(text);
    REQUIRE(e);
    for (int value = 5; value <= 6; value++)
        for (int i = 0; i < 400; i++) {
            char path[32];
            uint32_t id;
            snprintf(path, sizeof path, "c%d.centre", i);
            REQUIRE(tac_engine_param_find(e, path, &id) == 0);
            CHECK(tac_engine_param_set(e, id, (float)value, (uint32_t)value) == 0);
        }
    rig_play(e, 0, RIG_FRAMES, 64);
    CHECK_NEAR(rig_out[0][RIG_FRAMES - 1], 6 * 400, 1e-2);
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_agenda_is_in_order_whatever_comes);
    TEST(notes_in_falling_order_play_in_rising_order);
    TEST(more_changes_than_ramps_are_all_made);
    return test_end();
}
