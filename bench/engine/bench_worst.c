/* SPDX-License-Identifier: MIT
 * bench_worst.c - how much dearer than the mean the dearest call of each block is.
 *
 * usage: bench_worst [calls]. Each block of the widest variant computes so many calls (240 when not
 * given) of the load of tests/contract/load.h, twice: with parameters that stand still and are set
 * anew every eighth call, and with all of them moving. Every call is repeated from the same state,
 * and the shortest time of it counts: what the machine does beside falls away, what the block does
 * remains. Printed: counter ticks of the mean and the dearest call and their ratio; a star where it
 * is beyond 1.5. Blocks that talk to files have none and do nothing. By instructions the same is
 * asserted in tests/contract/test_cost.c; what time adds are divisions, mispredicted branches and
 * memory. */
#include "base/clock.h"
#include "contract/load.h"

#include <stdio.h>

enum { REPEATS = 15 };

struct memory {
    unsigned char *now, *kept;
    size_t bytes;
};

static void keep(const struct memory *m)
{
    if (m->bytes)
        memcpy(m->kept, m->now, m->bytes);
}

static void put_back(const struct memory *m)
{
    if (m->bytes)
        memcpy(m->now, m->kept, m->bytes);
}

/* The least ticks of the call; the state goes on by one call. */
static uint64_t time_call(struct load *load, const struct memory *state, const struct memory *lines)
{
    uint64_t least = UINT64_MAX;
    struct tac_io io = load_next(load);
    keep(state);
    keep(lines);
    for (int i = 0; i < REPEATS; i++) {
        put_back(state);
        put_back(lines);
        load->rig.notes_out.count = 0;
        uint64_t begin = tac_counter();
        load->rig.block->process(load->rig.state, &io);
        uint64_t took = tac_counter() - begin;
        least = took < least ? took : least;
    }
    return least;
}

static size_t memory_bytes(const struct rig *r)
{
    struct tac_setup setup = {
        .rate_hz = 48000, .frames_max = RIG_FRAMES, .lanes = r->lanes, .lanes_used = r->lanes};
    setup.tempo_bpm = 3000;
    for (int o = 0; o < TAC_BLOCK_OPTIONS_MAX && r->block->option[o].name; o++)
        setup.option[o] = r->block->option[o].fallback;
    return r->block->memory_bytes ? r->block->memory_bytes(&setup) : 0;
}

static void measure(const struct tac_variant *variant, uint32_t index, bool moving, int calls)
{
    static struct load load;
    struct rig *r = &load.rig;
    uint64_t worst = 0, sum = 0;
    load_open(&load, variant, index, moving);
    struct memory state = {r->state, malloc(r->block->state_bytes + 1), r->block->state_bytes};
    struct memory lines = {r->memory, malloc(memory_bytes(r) + 1), memory_bytes(r)};
    for (int i = 0; i < calls; i++) {
        uint64_t ticks = time_call(&load, &state, &lines);
        worst = ticks > worst && i ? ticks : worst;
        sum += i ? ticks : 0;
    }
    double ratio = (double)worst * (calls - 1) / (double)(sum ? sum : 1);
    printf("%-12s %-7s mean %8llu  worst %8llu  %5.2f %s\n", r->block->name,
           moving ? "moving" : "still", (unsigned long long)(sum / (uint64_t)(calls - 1)),
           (unsigned long long)worst, ratio, ratio > 1.5 ? "*" : "");
    free(state.kept);
    free(lines.kept);
    rig_close(r);
}

int main(int argc, char **argv)
{
    int calls = argc > 1 ? atoi(argv[1]) : 240;
    uint32_t widest = 0;
    while (tac_blocks_variant(widest + 1))
        widest++;
    for (uint32_t i = 0; i < tac_blocks_count() && calls > 1; i++)
        for (int moving = 0; moving < 2; moving++)
            measure(tac_blocks_variant(widest), i, moving, calls);
    return 0;
}
