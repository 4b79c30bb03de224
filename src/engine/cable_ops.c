/* SPDX-License-Identifier: MIT
 * cable_ops.c - the operations of cable_ops.h. Plain loops over 64-byte aligned rows; the compiler
 * makes vectors of them. */
#include "engine/cable_ops.h"

#include <string.h>

/* The same loops for several instruction sets, chosen when the program is loaded. Sanitizers cannot
 * run before the choice is made. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) &&                 \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE void add_whole(float *restrict out, uint32_t lanes, uint32_t frames,
                      const struct tac_signal *s)
{
    const float *restrict in = s->data;
    if (s->stride == lanes)
        for (uint32_t i = 0; i < frames * lanes; i++)
            out[i] += in[i];
    else
        for (uint32_t f = 0; f < frames; f++)
            for (uint32_t l = 0; l < lanes; l++)
                out[f * lanes + l] += in[l];
}

INLINE void add_spread(float *restrict out, uint32_t lanes, uint32_t frames,
                       const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++) {
        float x = s->signal.data[f * s->signal.stride + s->from];
        for (uint32_t l = s->to; l < s->to + s->count; l++)
            out[f * lanes + l] += x;
    }
}

INLINE void add_lanes(float *restrict out, uint32_t lanes, uint32_t frames,
                      const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < s->count; l++)
            out[f * lanes + s->to + l] += s->signal.data[f * s->signal.stride + s->from + l];
}

INLINE void add_fold(float *restrict out, uint32_t lanes, uint32_t frames,
                     const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < s->count; l++)
            out[f * lanes + s->to] += s->signal.data[f * s->signal.stride + s->from + l];
}

INLINE void add_source(float *out, uint32_t lanes, uint32_t frames, const struct tac_mix_source *s)
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

INLINE void begin(const struct tac_mix *m, uint32_t lanes, uint32_t frames)
{
    if (!m->base.data)
        memset(m->out, 0, (size_t)frames * lanes * sizeof(float));
    else
        for (uint32_t f = 0; f < frames; f++)
            for (uint32_t l = 0; l < lanes; l++)
                m->out[f * lanes + l] = m->base.data[f * m->base.stride + l];
}

/* Not-a-number becomes min: a parameter is always within its range. */
INLINE void clamp(const struct tac_mix *m, uint32_t lanes, uint32_t frames)
{
    float min = m->min, max = m->max, *restrict out = m->out;
    for (uint32_t i = 0; i < frames * lanes; i++) {
        float x = out[i] > min ? out[i] : min;
        out[i] = x < max ? x : max;
    }
}

/* lanes is a constant where this is inlined, so that a row is one vector. */
INLINE void mix(const struct tac_mix *m, uint32_t lanes, uint32_t frames)
{
    begin(m, lanes, frames);
    for (uint32_t i = 0; i < m->count; i++)
        add_source(m->out, lanes, frames, &m->source[i]);
    if (m->clamp)
        clamp(m, lanes, frames);
}

WIDE void tac_mix_run(void *self, const struct tac_io *io)
{
    const struct tac_mix *m = self;
    uint32_t moving = m->base.stride;
    for (uint32_t i = 0; i < m->count; i++)
        moving |= m->source[i].signal.stride;
    uint32_t frames = moving ? io->frames : 1;
    switch (m->lanes) {
    case 16:
        mix(m, 16, frames);
        break;
    case 8:
        mix(m, 8, frames);
        break;
    case 4:
        mix(m, 4, frames);
        break;
    default:
        mix(m, m->lanes, frames);
    }
    m->target->stride = moving ? m->lanes : 0;
}

/* Banks are added lane by lane, then the lanes pairwise. */
INLINE void fold(const struct tac_fold *s, uint32_t lanes, uint32_t frames)
{
    uint32_t full = s->total / lanes, rest = s->total % lanes;
    for (uint32_t f = 0; f < frames; f++) {
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

WIDE void tac_fold_run(void *self, const struct tac_io *io)
{
    const struct tac_fold *s = self;
    switch (s->lanes) {
    case 16:
        fold(s, 16, io->frames);
        break;
    case 8:
        fold(s, 8, io->frames);
        break;
    case 4:
        fold(s, 4, io->frames);
        break;
    default:
        fold(s, s->lanes, io->frames);
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
