/* SPDX-License-Identifier: MIT
 * sine.c - a sine oscillator.
 *
 * Method   a 32-bit phase per lane, so that the pitch is exact to 1e-7 and never drifts. A frame
 *          with another pitch than the one before has a polynomial of a quarter turn. While the
 *          pitch stands still, frames go by sixteen: sine and cosine of the middle one by that
 *          polynomial, the others by sin(a + kw) = sin a cos kw + cos a sin kw. Which of both it is
 *          follows from the values alone, and not from how they come: the bits of a note are the
 *          same whatever else moves in its call.
 * Quality  THD+N below -145 dB at any pitch (tests/dsp/test_sources.c).
 * Latency  0. State: 92 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"
#include "dsp/oscillator.h"

enum { GROUP = 16, HALF = GROUP / 2, QUARTER_TURN = 0x40000000 };
enum { SETTLED = 2 }; /* what creeps changes every now and then: not each pause is worth a turn */

struct sine {
    tac_u phase;                /* of the first frame of the group */
    tac_u step;                 /* what turn belongs to, once it is turned */
    struct tac_osc_known known; /* what the step is of */
    double per_hz;
    uint32_t done;  /* frames of the group that have been heard */
    uint32_t stood; /* frames of this pitch, up to SETTLED */
    uint32_t turned, begun;
    tac_v turn_cos[HALF], turn_sin[HALF]; /* by 1 .. 8 steps */
    tac_v sin, cos;                       /* of the middle of the group, once it is begun */
};

static uint32_t live(const void *state)
{
    (void)state;
    return offsetof(struct sine, turned);
}

static void forget(void *state)
{
    struct sine *s = state;
    s->turned = s->begun = 0;
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct sine *s = state;
    (void)memory;
    s->per_hz = 1.0 / (double)setup->rate_hz;
}

/* The angles of a step. In double, as what is rounded here is heard; from the half angle, as that
 * needs one series for both, and then by cos (k + 1) w = 2 cos w cos kw - cos (k - 1) w, and so the
 * sines. */
TAC_INLINE void turn_half(struct sine *s, int half)
{
    tac_h angle = tac_h_of_phase(&s->step, half) * (3.141592653589793 / 4294967296.0);
    tac_h sin_half = tac_h_sin_angle(angle);
    tac_h square = sin_half * sin_half, cos_before = tac_h_set(1), sin_before = tac_h_set(0);
    tac_h cos = 1.0 - 2.0 * square, sin = 2.0 * sin_half * tac_h_sqrt(1.0 - square);
    tac_h twice = cos + cos;
    TAC_UNROLL
    for (uint32_t k = 0; k < HALF; k++) {
        tac_h_put(cos, &s->turn_cos[k], half);
        tac_h_put(sin, &s->turn_sin[k], half);
        tac_h cos_next = tac_h_madd(twice, cos, -cos_before);
        tac_h sin_next = tac_h_madd(twice, sin, -sin_before);
        cos_before = cos;
        sin_before = sin;
        cos = cos_next;
        sin = sin_next;
    }
}

static void turn(struct sine *s)
{
    for (int half = 0; half < TAC_HALVES; half++)
        turn_half(s, half);
    s->turned = 1;
}

TAC_INLINE void begin(struct sine *s)
{
    tac_u middle = s->phase + s->step * HALF;
    s->sin = tac_phase_sin(middle);
    s->cos = tac_phase_sin(middle + QUARTER_TURN);
    s->begun = 1;
}

/* The next group begins in frame 0 of the one that is done. */
TAC_INLINE void advance(struct sine *s, uint32_t frames)
{
    s->done += frames;
    if (s->done < GROUP)
        return;
    s->done -= GROUP;
    s->begun = 0;
    s->phase += s->step * GROUP;
}

/* A frame k frames from the middle, k > 0: side 1, k < 0: side -1. */
TAC_INLINE tac_v beside(const struct sine *s, tac_v sin, tac_v cos, int k, int side)
{
    tac_v part = cos * s->turn_sin[k - 1];
    return tac_v_madd(sin, s->turn_cos[k - 1], side > 0 ? part : -part);
}

/* A group from its frame `first` on, a constant where this is inlined. */
TAC_INLINE void group(const struct sine *s, tac_v sin, tac_v cos, float *out, int first, int add)
{
    out += (HALF - first) * TAC_LANES;
    tac_give(out, sin, add);
    TAC_UNROLL
    for (int k = 1; k <= HALF; k++) {
        if (k <= HALF - first)
            tac_give(out - k * TAC_LANES, beside(s, sin, cos, k, -1), add);
        if (k < HALF)
            tac_give(out + k * TAC_LANES, beside(s, sin, cos, k, 1), add);
    }
}

/* As many whole groups as there is room for, from a group's first frame on. Apart from the rest, so
 * that no group waits for what the one before has stored. Not with one lane, where the dearest
 * call, that of a new pitch, would be more than 1.5 times the mean. */
TAC_INLINE uint32_t groups(struct sine *s, tac_v gain, float *out, uint32_t i, uint32_t last,
                           int add)
{
    tac_u phase = s->phase;
    for (; last - i >= GROUP; i += GROUP) {
        tac_u middle = phase + s->step * HALF;
        group(s, tac_phase_sin(middle) * gain, tac_phase_sin(middle + QUARTER_TURN) * gain,
              out + (size_t)i * TAC_LANES, 0, add);
        phase += s->step * GROUP;
    }
    s->phase = phase;
    return i;
}

/* Frames of a group from the one that is next, which lie on one side of the middle, or are it. */
TAC_INLINE uint32_t one_side(const struct sine *s, const struct tac_io *io, uint32_t i,
                             uint32_t last, int k, int side, int loud, int add)
{
    tac_v gain = TAC_AT(io->param[OSC_LEVEL], i), sin = s->sin * gain, cos = s->cos * gain;
    for (; i < last; i++, k += side) {
        if (loud) {
            gain = TAC_AT(io->param[OSC_LEVEL], i);
            sin = s->sin * gain;
            cos = s->cos * gain;
        }
        tac_v y = side ? beside(s, sin, cos, k, side) : sin;
        tac_give(io->out[0] + (size_t)i * TAC_LANES, y, add);
    }
    return last;
}

TAC_INLINE void partial(const struct sine *s, const struct tac_io *io, uint32_t i, uint32_t count,
                        int loud, int add)
{
    int k = (int)s->done - HALF, end = k + (int)count;
    uint32_t last = i + count;
    if (k < 0) {
        i = one_side(s, io, i, end < 0 ? last : i + (uint32_t)-k, -k, -1, loud, add);
        k = 0;
    }
    if (k == 0 && i < last) {
        i = one_side(s, io, i, i + 1, 0, 0, loud, add);
        k = 1;
    }
    if (i < last)
        one_side(s, io, i, last, k, 1, loud, add);
}

/* Frames that have the pitch of the one before. */
TAC_INLINE void run_still(struct sine *s, const struct tac_io *io, uint32_t first, uint32_t last,
                          int add)
{
    const struct tac_signal level = io->param[OSC_LEVEL];
    if (!s->turned)
        turn(s);
    for (uint32_t i = first, count; i < last; i += count) {
        if (TAC_LANES > 1 && !level.stride && !s->done && !s->begun)
            i = groups(s, tac_v_load(level.data), io->out[0], i, last, add);
        count = GROUP - s->done < last - i ? GROUP - s->done : last - i;
        if (!count)
            break;
        if (!s->begun)
            begin(s);
        if (level.stride)
            partial(s, io, i, count, 1, add);
        else if (s->done == SETTLED && count == GROUP - SETTLED) /* a new pitch, as a rule */
            group(s, s->sin * tac_v_load(level.data), s->cos * tac_v_load(level.data),
                  io->out[0] + (size_t)i * TAC_LANES, SETTLED, add);
        else if (count < GROUP)
            partial(s, io, i, count, 0, add);
        else /* one lane */
            group(s, s->sin * tac_v_load(level.data), s->cos * tac_v_load(level.data),
                  io->out[0] + (size_t)i * TAC_LANES, 0, add);
        advance(s, count);
    }
}

/* Frames that have another pitch than the one before, or one that has not stood still for long;
 * returns the first that has. moving: the pitch may be another in each frame, else in the first
 * alone. The group goes on as if it always had had the last one: so groups and slices remain in
 * step. */
static uint32_t run_unsettled(struct sine *s, const struct tac_io *io, uint32_t first, int moving)
{
    struct tac_osc_known known = s->known;
    tac_u step = s->step, phase = s->phase + step * s->done;
    uint32_t i = first, stood = s->stood;
    for (; i < io->frames; i++, stood++) {
        if ((moving || i == first) && tac_osc_is_new(&known, io, i)) {
            step = tac_phase_step(tac_osc_hz(io, i), s->per_hz);
            stood = 0;
        } else if (stood == SETTLED) {
            break;
        }
        tac_give(io->out[0] + (size_t)i * TAC_LANES,
                 tac_phase_sin(phase) * TAC_AT(io->param[OSC_LEVEL], i), (int)io->add);
        phase += step;
    }
    if (i == first)
        return i;
    s->known = known;
    s->step = step;
    s->done = (s->done + (i - first)) % GROUP;
    s->phase = phase - step * s->done;
    s->turned = s->begun = 0;
    s->stood = stood;
    return i;
}

static void process(void *state, const struct tac_io *io)
{
    struct sine *s = state;
    int moving = tac_osc_is_moving(io);
    for (uint32_t first = 0, last; first < io->frames; first = last) {
        first = run_unsettled(s, io, first, moving);
        if (first == io->frames)
            return;
        last = moving ? first + 1 : io->frames;
        while (last < io->frames && tac_osc_is_known(&s->known, io, last))
            last++;
        if (io->add)
            run_still(s, io, first, last, 1);
        else
            run_still(s, io, first, last, 0);
    }
}

TAC_BLOCK(sine) = {
    .name = "sine",
    .group = "source",
    .doc = "A sine oscillator.",
    .about = "A 32-bit phase and a polynomial of a quarter turn; no table, no drift.",
    .out = {{"out", "the sine, -1 to 1 times the level", TAC_PORT_SIGNAL, 0}},
    .param = {TAC_OSC_PARAMS},
    .state_bytes = sizeof(struct sine),
    .adds = 1,
    .live = live,
    .forget = forget,
    .init = init,
    .process = process,
};
