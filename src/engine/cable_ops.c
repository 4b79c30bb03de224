/* SPDX-License-Identifier: MIT
 * cable_ops.c - the operations of cable_ops.h. Plain loops over 64-byte aligned rows; the compiler
 * makes vectors of them. */
#include "engine/cable_ops.h"

#include "base/sanitized.h"
#include "tactus/engine.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define INLINE TAC_ALWAYS_INLINE

/* Sixteen floats: so many frames of a few lanes, or one of sixteen. Passed by address, as not all
 * that this is compiled for have registers of that width. */
enum { ROW = 16 };
typedef float floats __attribute__((vector_size(ROW * 4)));

INLINE void load_row(const float *p, floats *ret_x)
{
    memcpy(ret_x, p, sizeof *ret_x);
}

/* The first `count` lanes of each frame. */
INLINE void add_some(float *restrict out, uint32_t lanes, uint32_t frames, const float *restrict in,
                     uint32_t stride, uint32_t count)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < count; l++)
            out[f * lanes + l] += in[f * stride + l];
}

INLINE void add_whole(float *restrict out, uint32_t lanes, uint32_t frames,
                      const struct tac_signal *s)
{
    const float *restrict in = s->data;
    if (s->stride == lanes)
        for (uint32_t i = 0; i < frames * lanes; i++)
            out[i] += in[i];
    else
        add_some(out, lanes, frames, in, 0, lanes);
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

INLINE void add_fold(float *restrict out, uint32_t lanes, uint32_t frames,
                     const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < s->count; l++)
            out[f * lanes + s->to] += s->signal.data[f * s->signal.stride + s->from + l];
}

/* Any kind of source, times the fade. */
INLINE void add_faded(float *restrict out, uint32_t lanes, uint32_t frames,
                      const struct tac_mix_source *s)
{
    for (uint32_t f = 0; f < frames; f++) {
        const float *in = s->signal.data + f * s->signal.stride;
        float g = s->fade[f];
        switch (s->kind) {
        case TAC_MIX_WHOLE:
            for (uint32_t l = 0; l < lanes; l++)
                out[f * lanes + l] += g * in[l];
            break;
        case TAC_MIX_SPREAD:
            for (uint32_t l = s->to; l < s->to + s->count; l++)
                out[f * lanes + l] += g * in[s->from];
            break;
        case TAC_MIX_LANES:
            for (uint32_t l = 0; l < s->count; l++)
                out[f * lanes + s->to + l] += g * in[s->from + l];
            break;
        case TAC_MIX_FOLD:
            for (uint32_t l = 0; l < s->count; l++)
                out[f * lanes + s->to] += g * in[s->from + l];
            break;
        }
    }
}

INLINE void add_source(float *out, uint32_t lanes, uint32_t frames, const struct tac_mix_source *s)
{
    if (s->fade) {
        add_faded(out, lanes, frames, s);
        return;
    }
    switch (s->kind) {
    case TAC_MIX_WHOLE:
        add_whole(out, lanes, frames, &s->signal);
        break;
    case TAC_MIX_SPREAD:
        add_spread(out, lanes, frames, s);
        break;
    case TAC_MIX_LANES:
        add_some(out + s->to, lanes, frames, s->signal.data + s->from, s->signal.stride, s->count);
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
INLINE void clamp(const struct tac_mix *m, float *restrict out, uint32_t count)
{
    float min = m->min, max = m->max;
    for (uint32_t i = 0; i < count; i++) {
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
        clamp(m, m->out, frames * lanes);
}

/* All lanes are alike: one is summed, behind the buffer, and then given to all. */
INLINE void mix_line(const struct tac_mix *m, uint32_t lanes, uint32_t frames)
{
    float *restrict line = m->out + TAC_ENGINE_SLICE_FRAMES * lanes, *restrict out = m->out;
    for (uint32_t f = 0; f < frames; f++)
        line[f] = m->base.data ? m->base.data[f * m->base.stride] : 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct tac_mix_source *s = &m->source[i];
        const float *restrict in = s->signal.data + s->from;
        if (s->fade)
            for (uint32_t f = 0; f < frames; f++)
                line[f] += s->fade[f] * in[f * s->signal.stride];
        else
            for (uint32_t f = 0; f < frames; f++)
                line[f] += in[f * s->signal.stride];
    }
    if (m->clamp)
        clamp(m, line, frames);
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < lanes; l++)
            out[f * lanes + l] = line[f];
}

/* The only row of a mix in which nothing moves; the same sums as mix. False: not every source is a
 * whole one. */
INLINE bool mix_still(const struct tac_mix *m, uint32_t lanes)
{
    float row[TAC_BLOCK_LANES_MAX];
    for (uint32_t l = 0; l < lanes; l++)
        row[l] = m->base.data ? m->base.data[l] : 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const float *in = m->source[i].signal.data;
        if (m->source[i].kind != TAC_MIX_WHOLE)
            return false;
        for (uint32_t l = 0; l < lanes; l++)
            row[l] += in[l];
    }
    if (m->clamp)
        clamp(m, row, lanes);
    memcpy(m->row ? m->row : m->out, row, lanes * sizeof *row);
    return true;
}

/* To be taken before the strides are looked at: a helper may be stopped at any instruction, and
 * what begins to move behind this is counted behind it, so that the row is made anew. */
INLINE uint64_t count_rows(const struct tac_mix *m)
{
    /* acquire: a helper that takes the new count finds the new rows */
    return m->row ? atomic_load_explicit(m->rows, memory_order_acquire) : 0;
}

/* True when there is nothing to do but to read the row, which the target does already. */
INLINE bool row_holds(const struct tac_mix *m, uint64_t rows)
{
    return m->row && m->target->data == m->row && m->known == rows;
}

/* Which of both the target reads; all its sources are whole, when there is a row. */
INLINE void point(struct tac_mix *m, uint32_t moving, uint64_t rows)
{
    if (!m->row)
        return;
    m->target->data = moving ? m->out : m->row;
    if (!moving)
        m->known = rows;
}

INLINE void mix_frames(const struct tac_mix *m, uint32_t lanes, uint32_t frames, uint32_t moving)
{
    if (m->line)
        mix_line(m, lanes, frames);
    else if (moving || !mix_still(m, lanes))
        mix(m, lanes, frames);
}

TAC_WIDE static void mix_now(struct tac_mix *m, uint32_t frames, uint32_t moving)
{
    switch (m->lanes) {
    case 16:
        mix_frames(m, 16, frames, moving);
        break;
    case 8:
        mix_frames(m, 8, frames, moving);
        break;
    case 4:
        mix_frames(m, 4, frames, moving);
        break;
    case 1:
        mix_frames(m, 1, frames, moving);
        break;
    default:
        mix_frames(m, m->lanes, frames, moving);
    }
}

/* As a rule there is nothing to do for what stands still, and that takes no wide registers. */
void tac_mix_run(void *self, const struct tac_io *io)
{
    struct tac_mix *m = self;
    uint64_t rows = count_rows(m);
    if (row_holds(m, rows)) /* when something begins to move, the rows are counted, too */
        return;
    uint32_t moving = m->base.stride | m->full;
    for (uint32_t i = 0; i < m->count; i++)
        moving |= m->source[i].signal.stride | (m->source[i].fade ? m->lanes : 0);
    point(m, moving, rows);
    mix_now(m, moving ? io->frames : 1, moving);
    tac_signal_move(m->target, moving ? m->lanes : 0);
}

INLINE void gather(const struct tac_gather *g, uint32_t lanes, uint32_t frames)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < lanes; l++) {
            float x = l < g->used ? g->in.data[f * g->in.stride + l] : 0;
            g->out[f * lanes + l] = g->first ? x : g->out[f * lanes + l] + x;
        }
}

INLINE void gather_faded(const struct tac_gather *g, uint32_t frames)
{
    uint32_t lanes = g->lanes;
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < lanes; l++) {
            float x = l < g->used ? g->in.data[f * g->in.stride + l] : 0;
            x *= g->gain->data[f * lanes + l];
            g->out[f * lanes + l] = g->first ? x : g->out[f * lanes + l] + x;
        }
}

void tac_gather_nothing(const struct tac_gather *g, uint32_t frames)
{
    size_t bytes = (size_t)frames * g->lanes * sizeof(float);
    if (g->first)
        memset(g->out, 0, bytes);
    else if (g->before.data != g->out)
        memcpy(g->out, g->before.data, bytes);
}

TAC_WIDE void tac_gather_run(void *self, const struct tac_io *io)
{
    const struct tac_gather *g = self;
    if (!g->first && g->before.data != g->out)
        tac_gather_nothing(g, io->frames);
    if (g->gain && g->gain->stride)
        gather_faded(g, io->frames);
    else if (g->used == g->lanes && g->in.stride == g->lanes && !g->first)
        add_whole(g->out, g->lanes, io->frames, &g->in);
    else if (g->used == g->lanes && g->in.stride == g->lanes)
        memcpy(g->out, g->in.data, (size_t)io->frames * g->lanes * sizeof(float));
    else
        gather(g, g->lanes, io->frames);
}

/* In each frame of x, then of y, the second half of the lanes is added to the first. */
#define PICK(...) __builtin_shufflevector(*x, *y, __VA_ARGS__)
INLINE void halve_16(const floats *x, const floats *y, floats *ret_sum)
{
    *ret_sum = PICK(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
               PICK(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

INLINE void halve_8(const floats *x, const floats *y, floats *ret_sum)
{
    *ret_sum = PICK(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
               PICK(4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

INLINE void halve_4(const floats *x, const floats *y, floats *ret_sum)
{
    *ret_sum = PICK(0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +
               PICK(2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}

INLINE void halve_2(const floats *x, const floats *y, floats *ret_sum)
{
    *ret_sum = PICK(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
               PICK(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

/* Two frames of sixteen lanes, or four of eight: to lanes of eight. */
INLINE void sum_to_8(const float *in, uint32_t lanes, floats *ret_sum)
{
    floats x, y;
    load_row(in, &x);
    if (lanes == 16) {
        load_row(in + ROW, &y);
        halve_16(&x, &y, &x);
    }
    *ret_sum = x;
}

/* Four frames to lanes of four. */
INLINE void sum_to_4(const float *in, uint32_t lanes, floats *ret_sum)
{
    floats x, y;
    if (lanes == 4) {
        load_row(in, ret_sum);
        return;
    }
    sum_to_8(in, lanes, &x);
    sum_to_8(in + 2 * lanes, lanes, &y);
    halve_8(&x, &y, ret_sum);
}

INLINE void sum_to_2(const float *in, uint32_t lanes, floats *ret_sum)
{
    floats x, y;
    sum_to_4(in, lanes, &x);
    sum_to_4(in + 4 * lanes, lanes, &y);
    halve_4(&x, &y, ret_sum);
}

/* Sixteen frames, pairwise to one lane: lane 0 with lane lanes / 2, and so on. */
INLINE void sum_lanes(const float *in, uint32_t lanes, floats *ret_sum)
{
    floats x, y;
    if (lanes == 1) {
        load_row(in, ret_sum);
        return;
    }
    sum_to_2(in, lanes, &x);
    sum_to_2(in + 8 * lanes, lanes, &y);
    halve_2(&x, &y, ret_sum);
}

enum { FOLD_FRAMES = 64 };

INLINE void add_shaped(float *restrict sum, uint32_t lanes, uint32_t used, uint32_t frames,
                       const struct tac_signal *in, const struct tac_signal *gain)
{
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < used; l++)
            sum[f * lanes + l] += in->data[f * in->stride + l] * gain->data[f * lanes + l];
}

INLINE void add_groups(const struct tac_fold *s, float *restrict sum, uint32_t lanes,
                       uint32_t frames)
{
    memset(sum, 0, (size_t)frames * lanes * sizeof *sum);
    for (uint32_t g = 0; g < s->groups; g++) {
        const struct tac_signal *in = &s->group[g];
        uint32_t used = g + 1 < s->groups ? lanes : s->last_used;
        bool fades = g + 1 == s->groups && s->last_gain && s->last_gain->stride;
        if (fades)
            add_shaped(sum, lanes, used, frames, in, s->last_gain);
        else if (used == lanes)
            add_whole(sum, lanes, frames, in);
        else
            add_some(sum, lanes, frames, in->data, in->stride, used);
    }
}

/* The only signal needs no sum, when it is whole: then it is halved where it lies. */
INLINE const float *sum_groups(const struct tac_fold *s, float *sum, uint32_t lanes,
                               uint32_t frames)
{
    bool fades = s->last_gain && s->last_gain->stride;
    if (s->groups == 1 && s->last_used == lanes && s->group->stride == lanes && !fades)
        return s->group->data;
    add_groups(s, sum, lanes, frames);
    return sum;
}

/* What comes out is never -0, however the sums were made. Buffers have room for whole slices. */
INLINE void fold(const struct tac_fold *s, uint32_t lanes, uint32_t frames)
{
    _Alignas(64) float sum[FOLD_FRAMES * TAC_BLOCK_LANES_MAX];
    const float *from = sum_groups(s, sum, lanes, frames);
    for (uint32_t f = 0; f < frames; f += ROW) {
        floats out;
        sum_lanes(from + (size_t)f * lanes, lanes, &out);
        out += 0.0f;
        memcpy(s->out + f, &out, sizeof out);
    }
}

TAC_WIDE void tac_fold_run(void *self, const struct tac_io *io)
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
        fold(s, 1, io->frames);
    }
}

INLINE void find_peaks(const struct tac_peak *p, uint32_t lanes, uint32_t frames)
{
    float most[TAC_BLOCK_LANES_MAX] = {0};
    for (uint32_t f = 0; f < frames; f++)
        for (uint32_t l = 0; l < lanes; l++) {
            float x = fabsf(p->in.data[f * p->in.stride + l]);
            most[l] = x > most[l] ? x : most[l];
        }
    memcpy(p->peak, most, lanes * sizeof *most);
}

TAC_WIDE void tac_peak_run(void *self, const struct tac_io *io)
{
    const struct tac_peak *p = self;
    switch (p->lanes) {
    case 16:
        find_peaks(p, 16, io->frames);
        break;
    case 8:
        find_peaks(p, 8, io->frames);
        break;
    case 4:
        find_peaks(p, 4, io->frames);
        break;
    default:
        find_peaks(p, p->lanes, io->frames);
    }
}

void tac_feedback_read(void *feedback, const struct tac_io *io)
{
    const struct tac_feedback *s = feedback;
    uint32_t lanes = s->ring->lanes;
    if (s->ring->until != *s->now)
        memset(s->ring->rows, 0, TAC_GRAPH_FEEDBACK_FRAMES * lanes * sizeof(float));
    memcpy(s->out, s->ring->rows + *s->now % TAC_GRAPH_FEEDBACK_FRAMES * lanes,
           (size_t)io->frames * lanes * sizeof(float));
}

/* False for what is no number, too. */
INLINE bool is_sane(float x)
{
    return fabsf(x) <= TAC_ECHO_MOST;
}

TAC_WIDE void tac_feedback_guard(struct tac_guard *guard, const struct tac_echo *echo, float *row,
                                 uint32_t frames)
{
    uint32_t wild = 0;
    for (uint32_t i = 0; i < frames * echo->lanes; i++)
        wild += !is_sane(row[i]);
    if (!wild)
        return;
    guard->values += wild;
    guard->node = echo->node;
    for (uint32_t i = 0; i < frames * echo->lanes; i++)
        row[i] = is_sane(row[i]) ? row[i] : 0;
}

void tac_feedback_write(void *feedback, const struct tac_io *io)
{
    const struct tac_feedback *s = feedback;
    uint32_t lanes = s->ring->lanes;
    float *row = s->ring->rows + *s->now % TAC_GRAPH_FEEDBACK_FRAMES * lanes;
    for (uint32_t f = 0; f < io->frames; f++)
        memcpy(row + f * lanes, s->source.data + f * s->source.stride, lanes * sizeof(float));
    tac_feedback_guard(s->guard, s->ring, row, io->frames);
    s->ring->until = *s->now + io->frames;
}
