/* SPDX-License-Identifier: MIT
 * rig.h - drives one block of one variant by its descriptor alone, for tests over all blocks.
 *
 * A rig gives every input a signal, every parameter a value or a random path within its range, and
 * every output a buffer. Random numbers come from a seed, so two rigs with the same seed see the
 * same, and their first lanes do, however many follow. */
#ifndef TAC_TEST_RIG_H
#define TAC_TEST_RIG_H

#include "dsp/block.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RIG_FRAMES = 1024, RIG_NUMBERS = 8 };

struct rig {
    const struct tac_block *block;
    uint32_t lanes, ins, outs, params;
    void *state, *memory;
    float *in[TAC_BLOCK_PORTS_MAX], *out[TAC_BLOCK_PORTS_MAX], *param[TAC_BLOCK_PARAMS_MAX];
    bool adding; /* outputs are added to what is there */
    uint32_t
        alone;    /* 0, or 1 + the only parameter that moves: the same in all lanes, with a line */
    bool unheard; /* all outputs but the first */
    bool moving;  /* parameters follow a path (stride = lanes) or stand still (stride 0) */
    float numbers[RIG_NUMBERS];
    struct tac_notes notes_in, notes_out;
};

static inline double rig_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(*seed >> 33) / 2147483648.0;
}

/* The seed of a lane of a port. */
static inline uint64_t rig_seed(uint64_t seed, uint32_t port, uint32_t lane)
{
    seed += (1 + port + 100ull * lane) * 0x9e3779b97f4a7c15ull;
    (void)rig_random(&seed);
    return seed;
}

static inline void *rig_zeroed(size_t bytes)
{
    bytes = (bytes + 127) & ~(size_t)63;
    void *p = aligned_alloc(64, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

/* A path from a to b and on to other values, spread as the curve says. */
static inline float rig_value(const struct tac_param *p, double u)
{
    if (p->curve == TAC_CURVE_STEP)
        return p->choices ? (float)floor(u * ((double)p->max + 0.999))
                          : (float)(p->min + (p->max - p->min) * (float)u);
    if (p->curve == TAC_CURVE_LOG)
        return (float)((double)p->min * pow((double)p->max / (double)p->min, u));
    return p->min + (p->max - p->min) * (float)u;
}

static inline void rig_fill_input(struct rig *r, uint32_t index, uint64_t seed)
{
    for (uint32_t l = 0; l < r->lanes; l++) {
        uint64_t state = rig_seed(seed, index, l);
        for (uint32_t f = 0; f < RIG_FRAMES; f++)
            r->in[index][f * r->lanes + l] = (float)(2 * rig_random(&state) - 1);
    }
}

static inline void rig_fill_param(struct rig *r, uint32_t index, uint64_t seed)
{
    const struct tac_param *p = &r->block->param[index];
    for (uint32_t l = 0; l < r->lanes; l++) {
        uint64_t state = rig_seed(seed, TAC_BLOCK_PORTS_MAX + index, l);
        double from = rig_random(&state), to = rig_random(&state);
        for (uint32_t f = 0; f < RIG_FRAMES; f++) {
            if (f % 100 == 0) {
                from = to;
                to = rig_random(&state);
            }
            float value = rig_value(p, from + (to - from) * (f % 100) / 100.0);
            bool moves = r->moving && (!r->alone || r->alone == index + 1);
            r->param[index][f * r->lanes + l] = moves ? value : p->fallback;
        }
    }
    float *line = r->param[index] + (size_t)RIG_FRAMES * r->lanes;
    for (uint32_t f = 0; f < RIG_FRAMES && r->alone; f++) {
        line[f] = r->param[index][f * r->lanes];
        for (uint32_t l = 1; l < r->lanes; l++)
            r->param[index][f * r->lanes + l] = line[f];
    }
}

#define RIG_FALLBACKS UINT32_MAX /* as a way to choose */

/* In how many ways the CHOICE options of a block can be set. */
static inline uint32_t rig_ways(const struct tac_block *block)
{
    uint32_t ways = 1;
    for (int o = 0; o < TAC_BLOCK_OPTIONS_MAX && block->option[o].name; o++)
        if (block->option[o].kind == TAC_OPTION_CHOICE)
            ways *= (uint32_t)block->option[o].max + 1;
    return ways;
}

/* Option o in one of these ways; `way` is what is left of it for the next. */
static inline float rig_choose(const struct tac_option *option, uint32_t *way)
{
    if (*way == RIG_FALLBACKS || option->kind != TAC_OPTION_CHOICE)
        return option->fallback;
    uint32_t choices = (uint32_t)option->max + 1, choice = *way % choices;
    *way /= choices;
    return (float)choice;
}

/* With the one parameter moving, or all when it is 0. way: of rig_ways(), or RIG_FALLBACKS. */
static inline void rig_open_way(struct rig *r, const struct tac_variant *variant, uint32_t index,
                                bool moving, uint32_t alone, uint32_t way, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    r->alone = alone;
    r->block = variant->blocks[index];
    r->lanes = variant->lanes;
    r->moving = moving;
    size_t floats = (size_t)RIG_FRAMES * r->lanes;
    while (r->block->in[r->ins].name) {
        r->in[r->ins] = rig_zeroed(floats * sizeof(float));
        rig_fill_input(r, r->ins++, seed);
    }
    while (r->block->out[r->outs].name)
        r->out[r->outs++] = rig_zeroed(floats * sizeof(float));
    while (r->block->param[r->params].name) {
        r->param[r->params] = rig_zeroed((floats + RIG_FRAMES + 64) * sizeof(float));
        rig_fill_param(r, r->params++, seed);
    }
    struct tac_setup setup = {.rate_hz = 48000,
                              .frames_max = RIG_FRAMES,
                              .lanes = r->lanes,
                              .lanes_used = r->lanes,
                              .seed = 77,
                              .tempo_bpm = 3000};
    for (int n = 0; n < RIG_NUMBERS; n++)
        r->numbers[n] = n % 3 ? (float)(40 + 3 * n) : 0;
    for (int o = 0; o < TAC_BLOCK_OPTIONS_MAX && r->block->option[o].name; o++) {
        setup.option[o] = rig_choose(&r->block->option[o], &way);
        setup.numbers[o] = r->numbers;
        setup.numbers_count[o] = RIG_NUMBERS;
    }
    r->state = rig_zeroed(r->block->state_bytes);
    r->memory = r->block->memory_bytes ? rig_zeroed(r->block->memory_bytes(&setup)) : NULL;
    if (r->block->init)
        r->block->init(r->state, &setup, r->memory);
}

static inline void rig_open_alone(struct rig *r, const struct tac_variant *variant, uint32_t index,
                                  bool moving, uint32_t alone, uint64_t seed)
{
    rig_open_way(r, variant, index, moving, alone, RIG_FALLBACKS, seed);
}

static inline void rig_open(struct rig *r, const struct tac_variant *variant, uint32_t index,
                            bool moving, uint64_t seed)
{
    rig_open_alone(r, variant, index, moving, 0, seed);
}

static inline struct tac_io rig_io(struct rig *r, uint32_t first, uint32_t frames)
{
    struct tac_io io = {.frames = frames, .notes_in = &r->notes_in, .notes_out = &r->notes_out};
    size_t at = (size_t)first * r->lanes;
    for (uint32_t i = 0; i < r->ins; i++)
        io.in[i] = (struct tac_signal){r->in[i] + at, r->lanes, 1, 0};
    for (uint32_t i = 0; i < r->params; i++)
        io.param[i] = r->moving ? (struct tac_signal){r->param[i] + at, r->lanes, 1, 0}
                                : (struct tac_signal){r->param[i], 0, 0, 0};
    if (r->adding)
        io.add = (1u << r->outs) - 1;
    for (uint32_t i = 0; i < r->params && r->alone; i++)
        if (i + 1 != r->alone)
            io.param[i].stride = 0;
    for (uint32_t i = 0; i < r->outs; i++)
        io.out[i] = r->unheard && i ? NULL : r->out[i] + at;
    return io;
}

/* Frames [first, first + frames). */
static inline void rig_process(struct rig *r, uint32_t first, uint32_t frames)
{
    struct tac_io io = rig_io(r, first, frames);
    r->block->process(r->state, &io);
}

/* The same for two rigs as neighbouring banks. */
static inline void rig_process2(struct rig *a, struct rig *b, uint32_t first, uint32_t frames)
{
    void *states[2] = {a->state, b->state};
    struct tac_io io[2] = {rig_io(a, first, frames), rig_io(b, first, frames)};
    a->block->process2(states, io);
}

/* A value that stands for a while: 0, 1, an end of the range, what the patch says of itself, or
 * any. */
static inline float rig_step(const struct tac_param *p, uint64_t *seed)
{
    double u = rig_random(seed), any = rig_random(seed);
    if (!p)
        return u < 0.3 ? 0 : u < 0.6 ? 1 : (float)(2 * any - 1);
    return u < 0.3 ? p->min : u < 0.4 ? p->max : u < 0.6 ? p->fallback : rig_value(p, any);
}

/* A row of steps for each lane, as notes make them: at any frame, seldom. */
static inline void rig_fill_steps(const struct rig *r, float *row, const struct tac_param *p,
                                  uint64_t seed)
{
    for (uint32_t l = 0; l < r->lanes; l++) {
        float value = rig_step(p, &seed);
        for (uint32_t f = 0; f < RIG_FRAMES; f++) {
            if (rig_random(&seed) < 0.008)
                value = rig_step(p, &seed);
            row[f * r->lanes + l] = value;
        }
    }
}

static inline void rig_open_steps(struct rig *r, const struct tac_variant *variant, uint32_t index,
                                  uint64_t seed)
{
    rig_open(r, variant, index, true, seed);
    for (uint32_t i = 0; i < r->ins; i++)
        if ((seed + i) % 3)
            rig_fill_steps(r, r->in[i], NULL, rig_seed(seed, i, 99));
    for (uint32_t p = 0; p < r->params; p++)
        rig_fill_steps(r, r->param[p], &r->block->param[p], rig_seed(seed, p, 98));
}

/* As the engine gives it: stride 0 when no lane changes in the call. */
static inline void rig_hold_still(struct tac_signal *s, uint32_t frames)
{
    size_t bytes = s->stride * sizeof *s->data;
    for (uint32_t f = 1; f < frames; f++)
        if (memcmp(s->data, s->data + (size_t)f * s->stride, bytes))
            return;
    s->stride = 0;
}

static inline void rig_process_steps(struct rig *r, uint32_t frames)
{
    for (uint32_t f = 0; f < RIG_FRAMES; f += frames) {
        struct tac_io io = rig_io(r, f, frames);
        for (uint32_t i = 0; i < r->ins; i++)
            rig_hold_still(&io.in[i], frames);
        for (uint32_t p = 0; p < r->params; p++)
            rig_hold_still(&io.param[p], frames);
        r->block->process(r->state, &io);
    }
}

/* Every frame of the outputs; the first only, where the others are unheard. */
static inline bool rig_same(const struct rig *a, const struct rig *b, uint32_t *ret_frame)
{
    for (uint32_t o = 0; o < (b->unheard ? 1 : a->outs); o++)
        for (size_t i = 0; i < (size_t)RIG_FRAMES * a->lanes; i++)
            if (memcmp(&a->out[o][i], &b->out[o][i], sizeof(float))) {
                *ret_frame = (uint32_t)(i / a->lanes);
                return false;
            }
    return true;
}

static inline void rig_close(struct rig *r)
{
    for (uint32_t i = 0; i < r->ins; i++)
        free(r->in[i]);
    for (uint32_t i = 0; i < r->outs; i++)
        free(r->out[i]);
    for (uint32_t i = 0; i < r->params; i++)
        free(r->param[i]);
    free(r->state);
    free(r->memory);
}

#endif
