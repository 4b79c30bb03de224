/* SPDX-License-Identifier: MIT
 * test_cost.c - the dearest call of every block costs at most half as much again as the mean call.
 *
 * Instructions are counted, by single-stepping (tests/mem/step.h), so nothing that the machine does
 * beside matters. Stepping all calls would take minutes. So all are run first and timed: those
 * are stepped that took longest, and for the mean some in equal steps from the quickest to the
 * slowest. A block whose slowest call took hardly longer than the mean is not stepped at all. Time
 * says where to look, and no more: it never fails a block. Of short calls, two are always stepped:
 * one behind a change of parameters, and another, which tells a difference that time may hide; by
 * the instructions of the latter they are short. In one lane, and what is short also in as many
 * lanes as there are; the rest takes too long to step then: bench/engine/bench_worst.c has times.
 * Blocks are known by their descriptors alone; those that play files have none here. */
#include "base/clock.h"
#include "load.h"
#include "mem/step.h"
#include "test.h"

#include <setjmp.h>

enum { CALLS = 160, ROUNDS = 5, SPREAD = 4, CHANGED = 10 * LOAD_SET_EVERY };
enum { SHORT = 2500 /* instructions of a call */ };

/* Of one lane, of many. */
static const double ratio_max = 1.5, ratio_max_wide = 1.6;
static const double worth_a_look = 1.3, unlike = 1.15;

/* Ticks of each call, the least of some rounds. */
static void time_calls(const struct tac_variant *variant, uint32_t index, bool moving,
                       uint64_t ticks[CALLS])
{
    static struct load load;
    for (int round = 0; round < ROUNDS; round++) {
        load_open(&load, variant, index, moving);
        for (uint32_t i = 0; i < CALLS; i++) {
            struct tac_io io = load_next(&load);
            uint64_t begin = tac_counter();
            load.rig.block->process(load.rig.state, &io);
            uint64_t took = tac_counter() - begin;
            ticks[i] = !round || took < ticks[i] ? took : ticks[i];
        }
        rig_close(&load.rig);
    }
}

struct ranked {
    uint64_t ticks;
    uint32_t call;
};

static int by_ticks(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->ticks < y->ticks ? -1 : x->ticks > y->ticks;
}

enum part { IN_MEAN = 1, IN_WORST = 2 };

/* The calls that are worth to be stepped. The first one, which begins everything, is none. */
static void choose(const uint64_t ticks[CALLS], unsigned char part[CALLS])
{
    struct ranked rank[CALLS];
    for (uint32_t i = 0; i < CALLS; i++)
        rank[i] = (struct ranked){ticks[i], i};
    qsort(rank + 1, CALLS - 1, sizeof *rank, by_ticks);
    memset(part, 0, CALLS);
    part[rank[CALLS - 1].call] |= IN_WORST;
    for (uint32_t k = 0; k < SPREAD; k++)
        part[rank[1 + (2 * k + 1) * (CALLS - 1) / (2 * SPREAD)].call] |= IN_MEAN;
}

static uintptr_t address_of(void (*process)(void *state, const struct tac_io *io))
{
    uintptr_t address;
    memcpy(&address, &process, sizeof address);
    return address;
}

struct cost {
    double mean;
    long worst;
};

/* The chosen calls by instructions. */
static struct cost count(const struct tac_variant *variant, uint32_t index, bool moving,
                         const unsigned char part[CALLS])
{
    static struct load load;
    struct cost cost = {0};
    uint32_t counted = 0;
    load_open(&load, variant, index, moving);
    for (uint32_t i = 0; i < CALLS; i++) {
        struct tac_io io = load_next(&load);
        uintptr_t nothing;
        if (!part[i]) {
            load.rig.block->process(load.rig.state, &io);
            continue;
        }
        long n = step_call((void *)address_of(load.rig.block->process), (uintptr_t)load.rig.state,
                           (uintptr_t)&io, &nothing);
        cost.worst = n > cost.worst ? n : cost.worst;
        if (part[i] & IN_MEAN) {
            cost.mean += (double)n;
            counted++;
        }
    }
    rig_close(&load.rig);
    cost.mean /= counted ? counted : 1;
    return cost;
}

static bool is_slower(const uint64_t ticks[CALLS], double times)
{
    uint64_t sum = 0, most = 0;
    for (int i = 1; i < CALLS; i++) {
        sum += ticks[i];
        most = ticks[i] > most ? ticks[i] : most;
    }
    return (double)most * (CALLS - 1) > times * (double)sum;
}

static sigjmp_buf too_long;

static void give_up(void)
{
    siglongjmp(too_long, 1);
}

/* Instructions of a call before which nothing was set, or 0: it is not short. */
static long step_short(const struct tac_variant *variant, uint32_t index)
{
    static struct load load;
    volatile long n = 0;
    uintptr_t nothing;
    load_open(&load, variant, index, false);
    for (uint32_t i = 0; i <= CHANGED; i++) {
        struct tac_io io = load_next(&load);
        load.rig.block->process(load.rig.state, &io);
    }
    struct tac_io io = load_next(&load);
    step_stopped = give_up;
    step_stop_at = SHORT;
    if (!sigsetjmp(too_long, 1))
        n = step_call((void *)address_of(load.rig.block->process), (uintptr_t)load.rig.state,
                      (uintptr_t)&io, &nothing);
    step_stop_at = 0;
    rig_close(&load.rig);
    return n;
}

/* change: of short calls, a call behind a change of parameters and another; else NULL. */
static void check(const struct tac_variant *variant, uint32_t index, bool moving,
                  const struct cost *change)
{
    uint64_t ticks[CALLS];
    time_calls(variant, index, moving, ticks);
    bool changes_cost = change && (double)change->worst > unlike * change->mean;
    if (!is_slower(ticks, worth_a_look) && !changes_cost)
        return;
    unsigned char part[CALLS];
    choose(ticks, part);
    struct cost cost = count(variant, index, moving, part);
    if (change) { /* one call in so many is of that kind */
        cost.worst = change->worst > cost.worst ? change->worst : cost.worst;
        cost.mean += ((double)change->worst - cost.mean) / LOAD_SET_EVERY;
    }
    CHECK_MSG((double)cost.worst <= (variant->lanes > 1 ? ratio_max_wide : ratio_max) * cost.mean,
              "%s %s, parameters %s: %ld instructions, %.0f on average", variant->name,
              variant->blocks[index]->name, moving ? "moving" : "set", cost.worst, cost.mean);
    printf("# %s %s %s: %.0f, dearest %.2f\n", variant->name, variant->blocks[index]->name,
           moving ? "moving" : "set", cost.mean, (double)cost.worst / cost.mean);
}

/* With parameters that are set. Returns whether calls are short. */
static bool check_set(const struct tac_variant *variant, uint32_t index)
{
    static const unsigned char changed[CALLS] = {[CHANGED] = IN_WORST};
    struct cost change = {.mean = (double)step_short(variant, index)};
    bool brief = change.mean > 0;
    if (brief)
        change.worst = count(variant, index, false, changed).worst;
    if (brief || variant->lanes == 1)
        check(variant, index, false, brief ? &change : NULL);
    return brief;
}

static void calls_cost_alike(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    uint32_t brief = 0;
    for (uint32_t i = 0; i < tac_blocks_count(); i++) {
        check_set(tac_blocks_variant_for(1), i);
        check(tac_blocks_variant_for(1), i, true, NULL);
        brief += check_set(tac_blocks_variant_for(TAC_BLOCK_LANES_MAX), i);
    }
    CHECK_MSG(brief > 0, "no block of many lanes has calls of less than %d instructions", SHORT);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(calls_cost_alike);
    return test_end();
}
