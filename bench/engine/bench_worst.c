/* SPDX-License-Identifier: MIT
 * bench_worst.c - how much dearer than the mean the dearest call of each block is.
 *
 * usage: bench_worst [calls]. Each block of the widest variant computes so many calls of 64 frames
 * (240 when not given), twice: with parameters that stand still and are set anew every eighth call,
 * and with all of them moving. Each input is silent, full on, held somewhere or noise, anew for
 * each call; notes come and go. Every call is repeated from the same state, and the shortest time
 * of it counts: what the machine does beside falls away, what the block does remains. Printed:
 * counter ticks of the mean and the dearest call and their ratio; a star where it is beyond 1.5.
 * Blocks that talk to files have none and do nothing. Counting instructions by single-stepping
 * would be exact, and takes hours for blocks of 100 000 instructions a call. */
#include "base/clock.h"
#include "contract/rig.h"

#include <stdio.h>

enum { FRAMES = 64, REPEATS = 15, SET_EVERY = 8 };

struct memory {
    unsigned char *now, *kept;
    size_t bytes;
};

static void fill_input(struct rig *r, uint32_t input, uint64_t *seed)
{
    int kind = (int)(rig_random(seed) * 4);
    float held = kind == 0 ? 0 : kind == 1 ? 1 : (float)(2 * rig_random(seed) - 1);
    for (size_t i = 0; i < (size_t)RIG_FRAMES * r->lanes; i++)
        r->in[input][i] = kind == 3 ? (float)(2 * rig_random(seed) - 1) : held;
}

static void fill_notes(struct rig *r, uint64_t *seed)
{
    r->notes_in.count = 0;
    for (uint32_t f = 0; f < FRAMES; f += 1 + (uint32_t)(rig_random(seed) * 2 * FRAMES))
        tac_notes_push(&r->notes_in, (struct tac_note){f, rig_random(seed) < 0.5,
                                                       40 + (float)(20 * rig_random(seed)), 1});
}

static void set_params(struct rig *r, uint64_t *seed)
{
    for (uint32_t p = 0; p < r->params; p++) {
        r->param[p][0] = rig_value(&r->block->param[p], rig_random(seed));
        for (uint32_t l = 1; l < r->lanes; l++)
            r->param[p][l] = r->param[p][0];
    }
}

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
static uint64_t time_call(struct rig *r, const struct memory *state, const struct memory *lines,
                          uint32_t first)
{
    uint64_t least = UINT64_MAX;
    keep(state);
    keep(lines);
    for (int i = 0; i < REPEATS; i++) {
        put_back(state);
        put_back(lines);
        r->notes_out.count = 0;
        struct tac_io io = rig_io(r, first, FRAMES);
        uint64_t begin = tac_counter();
        r->block->process(r->state, &io);
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
    static struct rig r;
    uint64_t seed = 1234 + index, worst = 0, sum = 0;
    rig_open(&r, variant, index, moving, 5);
    struct memory state = {r.state, malloc(r.block->state_bytes + 1), r.block->state_bytes};
    struct memory lines = {r.memory, malloc(memory_bytes(&r) + 1), memory_bytes(&r)};
    for (int i = 0; i < calls; i++) {
        for (uint32_t k = 0; k < r.ins; k++)
            fill_input(&r, k, &seed);
        if (!moving && i % SET_EVERY == 0)
            set_params(&r, &seed);
        fill_notes(&r, &seed);
        uint64_t ticks =
            time_call(&r, &state, &lines, (uint32_t)i * FRAMES % (RIG_FRAMES - FRAMES));
        worst = ticks > worst && i ? ticks : worst;
        sum += i ? ticks : 0;
    }
    double ratio = (double)worst * (calls - 1) / (double)(sum ? sum : 1);
    printf("%-12s %-7s mean %8llu  worst %8llu  %5.2f %s\n", r.block->name,
           moving ? "moving" : "still", (unsigned long long)(sum / (uint64_t)(calls - 1)),
           (unsigned long long)worst, ratio, ratio > 1.5 ? "*" : "");
    free(state.kept);
    free(lines.kept);
    rig_close(&r);
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
