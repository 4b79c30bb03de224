/* SPDX-License-Identifier: MIT
 * play.h - plays one block of one variant as a mono instrument, for tests of its sound.
 *
 * All lanes get the same inputs and constant parameters; the last lane is listened to. */
#ifndef TAC_TEST_PLAY_H
#define TAC_TEST_PLAY_H

#include "dsp/block.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAY_CHUNK = 64, PLAY_RATE = 48000 };

struct play {
    const struct tac_block *block;
    uint32_t lanes;
    void *state, *memory;
    float *in[TAC_BLOCK_PORTS_MAX], *out[TAC_BLOCK_PORTS_MAX], *param[TAC_BLOCK_PARAMS_MAX];
    uint32_t connected; /* bit i: input i has a cable */
    uint32_t moving;    /* bit i: parameter i is read per frame, so its buffer can hold a path */
    struct tac_notes notes_in, notes_out;
};

/* What blocks with a SAMPLE option play, in every lane. */
static struct tac_stream *play_sample;
/* Or what they play instead. */
static const struct tac_instrument *play_instrument;

/* An option that the next block is opened with, or NULL; and another. */
static const char *play_option, *play_other_option;
static float play_option_value, play_other_value;
/* Number of the first lane among the channels of the node. */
static uint32_t play_lane_first;

static inline void *play_zeroed(size_t bytes)
{
    bytes = (bytes + 127) & ~(size_t)63;
    void *p = aligned_alloc(64, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static inline void play_fill(float *to, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        to[i] = value;
}

static inline int play_param(const struct play *p, const char *name)
{
    for (int i = 0; p->block->param[i].name; i++)
        if (!strcmp(p->block->param[i].name, name))
            return i;
    abort();
}

static inline void play_set(struct play *p, const char *name, double value)
{
    play_fill(p->param[play_param(p, name)], (size_t)PLAY_CHUNK * p->lanes, (float)value);
}

/* numbers: what every list option gets. */
static inline void play_open_with(struct play *p, const struct tac_variant *variant,
                                  const char *name, const float *numbers, uint32_t count)
{
    memset(p, 0, sizeof *p);
    p->block = variant->blocks[tac_blocks_find(name)];
    p->lanes = variant->lanes;
    p->connected = 1;
    size_t floats = (size_t)PLAY_CHUNK * p->lanes;
    struct tac_setup setup = {.rate_hz = PLAY_RATE,
                              .frames_max = PLAY_CHUNK,
                              .lanes = p->lanes,
                              .lanes_used = p->lanes,
                              .lane_first = play_lane_first,
                              .seed = 1,
                              .tempo_bpm = 120};
    for (int i = 0; p->block->in[i].name; i++) {
        p->in[i] = play_zeroed(floats * sizeof(float));
        play_fill(p->in[i], floats, p->block->in[i].rest);
    }
    for (int i = 0; p->block->out[i].name; i++)
        p->out[i] = play_zeroed(floats * sizeof(float));
    for (int i = 0; p->block->param[i].name; i++) {
        p->param[i] = play_zeroed(floats * sizeof(float));
        play_fill(p->param[i], floats, p->block->param[i].fallback);
    }
    for (int i = 0; p->block->option[i].name; i++) {
        setup.option[i] = p->block->option[i].fallback;
        if (play_option && !strcmp(p->block->option[i].name, play_option))
            setup.option[i] = play_option_value;
        if (play_other_option && !strcmp(p->block->option[i].name, play_other_option))
            setup.option[i] = play_other_value;
        setup.numbers[i] = numbers;
        setup.numbers_count[i] = count;
    }
    for (uint32_t l = 0; l < p->lanes; l++)
        setup.sample[l] = play_sample;
    setup.instrument = play_instrument;
    p->state = play_zeroed(p->block->state_bytes);
    p->memory = p->block->memory_bytes ? play_zeroed(p->block->memory_bytes(&setup)) : NULL;
    if (p->block->init)
        p->block->init(p->state, &setup, p->memory);
}

static inline void play_open(struct play *p, const struct tac_variant *variant, const char *name)
{
    play_open_with(p, variant, name, NULL, 0);
}

static inline void play_chunk(struct play *p, uint32_t frames)
{
    struct tac_io io = {.frames = frames, .notes_in = &p->notes_in, .notes_out = &p->notes_out};
    for (int i = 0; p->block->in[i].name; i++)
        io.in[i] = (struct tac_signal){p->in[i], p->lanes, p->connected >> i & 1, 0};
    for (int i = 0; p->block->param[i].name; i++)
        io.param[i] = (struct tac_signal){p->param[i], p->moving >> i & 1 ? p->lanes : 0, 0, 0};
    for (int i = 0; p->block->out[i].name; i++)
        io.out[i] = p->out[i];
    p->block->process(p->state, &io);
}

/* Play frames of in (NULL: the input as it stands) into the first input; hear output port. */
static inline void play_run(struct play *p, const float *in, uint32_t port, float *out,
                            size_t frames)
{
    for (size_t done = 0; done < frames;) {
        uint32_t n = frames - done < PLAY_CHUNK ? (uint32_t)(frames - done) : PLAY_CHUNK;
        for (uint32_t f = 0; in && f < n; f++)
            play_fill(p->in[0] + (size_t)f * p->lanes, p->lanes, in[done + f]);
        play_chunk(p, n);
        for (uint32_t f = 0; f < n; f++)
            out[done + f] = p->out[port][(size_t)f * p->lanes + p->lanes - 1];
        done += n;
    }
}

static inline void play_close(struct play *p)
{
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX; i++) {
        free(p->in[i]);
        free(p->out[i]);
    }
    for (int i = 0; i < TAC_BLOCK_PARAMS_MAX; i++)
        free(p->param[i]);
    free(p->state);
    free(p->memory);
}

/* Amplitude and phase of frequency norm (cycles per frame) in x under a Hann window of the length.
 */
static inline double play_amplitude(const float *x, size_t n, double norm)
{
    double re = 0, im = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        double w = 0.5 - 0.5 * cos(2 * M_PI * (double)i / (double)n);
        re += w * (double)x[i] * cos(2 * M_PI * norm * (double)i);
        im += w * (double)x[i] * sin(2 * M_PI * norm * (double)i);
        total += w;
    }
    return 2 * hypot(re, im) / total;
}

static inline double play_db(double ratio)
{
    return 20 * log10(ratio + 1e-30);
}

#define EACH_VARIANT(v)                                                                            \
    for (uint32_t v##_i = 0; tac_blocks_variant(v##_i); v##_i++)                                   \
        for (const struct tac_variant *v = tac_blocks_variant(v##_i), *v##_once = v; v##_once;     \
             v##_once = NULL)

/* The narrowest and the widest variant alone, for tests that take long: that the others agree with
 * them is tested over all blocks (tests/contract). */
#define EACH_EXTREME(v)                                                                            \
    for (int v##_i = 0; v##_i < 2; v##_i++)                                                        \
        for (const struct tac_variant *v = v##_i ? tac_blocks_variant_for(TAC_BLOCK_LANES_MAX)     \
                                                 : tac_blocks_variant(0),                          \
                                      *v##_once = v;                                               \
             v##_once; v##_once = NULL)

#endif
