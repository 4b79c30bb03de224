/* SPDX-License-Identifier: MIT
 * cable_ops.c - the operations of cable_ops.h. Plain loops over 64-byte aligned rows; the compiler
 * makes vectors of them. */
#include "engine/cable_ops.h"

#include <string.h>

static void add_whole(float *restrict out, uint32_t lanes, uint32_t frames,
                      const struct tac_signal *s)
{
    if (s->stride == lanes) {
        const float *restrict in = s->data;
        for (uint32_t i = 0; i < frames * lanes; i++)
            out[i] += in[i];
        return;
    }
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < lanes; l++)
            out[f * lanes + l] += s->data[l];
}

static void add_spread(float *restrict out, uint32_t lanes, uint32_t frames,
                       const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++) {
        float x = s->signal.data[f * s->signal.stride + s->from];
        for (uint32_t l = s->to; l < s->to + s->count; l++)
            out[f * lanes + l] += x;
    }
}

static void add_lanes(float *restrict out, uint32_t lanes, uint32_t frames,
                      const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < s->count; l++)
            out[f * lanes + s->to + l] += s->signal.data[f * s->signal.stride + s->from + l];
}

static void add_fold(float *restrict out, uint32_t lanes, uint32_t frames,
                     const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < s->count; l++)
            out[f * lanes + s->to] += s->signal.data[f * s->signal.stride + s->from + l];
}

static void add_source(float *out, uint32_t lanes, uint32_t frames, const struct tac_mix_source *s)
{
    switch (s->kind) {
    case TAC_MIX_WHOLE:
        add_whole(out, lanes, frames, &s->signal);
        break;
    case TAC_MIX_SPREAD:
        add_spread(out, lanes, frames, s);
        break;
    case TAC_MIX_LANES:
        add_lanes(out, lanes, frames, s);
        break;
    case TAC_MIX_FOLD:
        add_fold(out, lanes, frames, s);
        break;
    }
}

static void begin(const struct tac_mix *m, uint32_t frames)
{
    if (!m->base.data)
        memset(m->out, 0, (size_t)frames * m->lanes * sizeof(float));
    else
        for (uint32_t f = 0; f < frames; f++)
            memcpy(m->out + f * m->lanes, m->base.data + f * m->base.stride,
                   m->lanes * sizeof(float));
}

/* Not-a-number becomes min: a parameter is always within its range. */
static void clamp(const struct tac_mix *m, uint32_t frames)
{
    for (uint32_t i = 0; i < frames * m->lanes; i++) {
        float x = m->out[i];
        x = x > m->min ? x : m->min;
        m->out[i] = x < m->max ? x : m->max;
    }
}

void tac_mix_run(void *mix, const struct tac_io *io)
{
    const struct tac_mix *m = mix;
    uint32_t moving = m->base.stride;
    for (uint32_t i = 0; i < m->count; i++)
        moving |= m->source[i].signal.stride;
    uint32_t frames = moving ? io->frames : 1;
    begin(m, frames);
    for (uint32_t i = 0; i < m->count; i++)
        add_source(m->out, m->lanes, frames, &m->source[i]);
    if (m->clamp)
        clamp(m, frames);
    m->target->stride = moving ? m->lanes : 0;
}

/* Banks are added lane by lane, then the lanes pairwise. */
void tac_fold_run(void *fold, const struct tac_io *io)
{
    const struct tac_fold *s = fold;
    uint32_t lanes = s->lanes, full = s->total / lanes, rest = s->total % lanes;
    for (uint32_t f = 0; f < io->frames; f++) {
        _Alignas(64) float sum[TAC_BLOCK_LANES_MAX] = {0};
        for (uint32_t b = 0; b < full; b++)
            for (uint32_t l = 0; l < lanes; l++)
                sum[l] += s->bank[b].data[f * s->bank[b].stride + l];
        for (uint32_t l = 0; l < rest; l++)
            sum[l] += s->bank[full].data[f * s->bank[full].stride + l];
        for (uint32_t half = lanes / 2; half; half /= 2)
            for (uint32_t l = 0; l < half; l++)
                sum[l] += sum[l + half];
        s->out[f] = sum[0];
    }
}

void tac_feedback_read(void *feedback, const struct tac_io *io)
{
    const struct tac_feedback *s = feedback;
    memcpy(s->out, s->ring + *s->position * s->lanes,
           (size_t)io->frames * s->lanes * sizeof(float));
}

void tac_feedback_write(void *feedback, const struct tac_io *io)
{
    const struct tac_feedback *s = feedback;
    for (uint32_t f = 0; f < io->frames; f++)
        memcpy(s->ring + (*s->position + f) * s->lanes, s->source.data + f * s->source.stride,
               s->lanes * sizeof(float));
}
