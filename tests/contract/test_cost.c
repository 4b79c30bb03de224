/* SPDX-License-Identifier: MIT
 * test_cost.c - the dearest call of every block costs at most half as much again as the mean call.
 *
 * Instructions are counted, by single-stepping (tests/mem/step.h), so nothing that the machine does
 * beside matters. Stepping all calls would take minutes. So all are run first and timed: those
 * are stepped that took longest, and for the mean some in equal steps from the quickest to the
 * slowest. A block whose slowest call took hardly longer than the mean is not stepped at all. Time
 * says where to look, and no more: it never fails a block. Of short calls, two are always stepped:
 * one behind a change of parameters, and another, which tells a difference that time may hide.
 * In one lane, and what is short also in as many lanes as there are; the rest takes too long to
 * step then: bench/engine/bench_worst.c has times. Blocks are known by their descriptors alone;
 * those that play files have none here. */
#include "base/clock.h"
#include "load.h"
#include "mem/step.h"
#include "test.h"

enum { CALLS = 160, ROUNDS = 5, SPREAD = 4, CHANGED = 10 * LOAD_SET_EVERY };
enum { SHORT_NS = 400 /* of a call */ };

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

static double mean_ns(const uint64_t ticks[CALLS])
{
    static double ns_per_tick;
    uint64_t sum = 0;
    if (!ns_per_tick)
        ns_per_tick = 1e9 / tac_counter_hz(1000000);
    for (int i = 1; i < CALLS; i++)
        sum += ticks[i];
    return (double)sum / (CALLS - 1) * ns_per_tick;
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

/* A call behind a change of parameters, and another. */
static struct cost count_change(const struct tac_variant *variant, uint32_t index)
{
    static const unsigned char part[CALLS] = {[CHANGED] = IN_WORST, [CHANGED + 1] = IN_MEAN};
    return count(variant, index, false, part);
}

static void check(const struct tac_variant *variant, uint32_t index, bool moving)
{
    uint64_t ticks[CALLS];
    time_calls(variant, index, moving, ticks);
    bool is_short = !moving && mean_ns(ticks) < SHORT_NS;
    if (!is_short && variant->lanes > 1)
        return;
    struct cost change = {0};
    if (is_short)
        change = count_change(variant, index);
    if (!is_slower(ticks, worth_a_look) && (double)change.worst <= unlike * change.mean)
        return;
    unsigned char part[CALLS];
    choose(ticks, part);
    struct cost cost = count(variant, index, moving, part);
    cost.worst = change.worst > cost.worst ? change.worst : cost.worst;
    if (is_short) /* one call in so many is of that kind */
        cost.mean += ((double)change.worst - cost.mean) / LOAD_SET_EVERY;
    CHECK_MSG((double)cost.worst <= (variant->lanes > 1 ? ratio_max_wide : ratio_max) * cost.mean,
              "%s %s, parameters %s: %ld instructions, %.0f on average", variant->name,
              variant->blocks[index]->name, moving ? "moving" : "set", cost.worst, cost.mean);
    printf("# %s %s %s: %.0f, dearest %.2f\n", variant->name, variant->blocks[index]->name,
           moving ? "moving" : "set", cost.mean, (double)cost.worst / cost.mean);
}

static void calls_cost_alike(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    for (uint32_t i = 0; i < tac_blocks_count(); i++)
        for (int moving = 0; moving < 2; moving++) {
            check(tac_blocks_variant_for(1), i, moving);
            check(tac_blocks_variant_for(TAC_BLOCK_LANES_MAX), i, moving);
        }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(calls_cost_alike);
    return test_end();
}
