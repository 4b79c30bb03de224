/* SPDX-License-Identifier: MIT
 * sine.c - a sine oscillator.
 *
 * Method   a 32-bit phase per lane, so that the pitch is exact to 1e-7 and never drifts. While it
 *          stands still, frames go by sixteen: sine and cosine of the middle one by a polynomial of
 *          a quarter turn, the others by sin(a + kw) = sin a cos kw + cos a sin kw. While it moves,
 *          each frame has its polynomial.
 * Quality  THD+N below -145 dB at any pitch (tests/dsp/test_sources.c).
 * Latency  0. State: 80 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"
#include "dsp/oscillator.h"

enum { GROUP = 16, HALF = GROUP / 2, QUARTER_TURN = 0x40000000 };

struct sine {
    tac_u phase;                          /* of the first frame of the group */
    tac_u step;                           /* what turn belongs to */
    tac_v turn_cos[HALF], turn_sin[HALF]; /* by 1 .. 8 steps */
    struct tac_osc_known known;           /* what the step is of */
    double per_hz;
    uint32_t done; /* frames of the group that have been heard */
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct sine *s = state;
    (void)memory;
    s->per_hz = 1.0 / (double)setup->rate_hz;
    for (int k = 0; k < HALF; k++)
        s->turn_cos[k] = tac_v_set(1);
}

/* Another pitch: the group ends here, and the next turns by other angles. In double, as what is
 * rounded here is heard; from the half angle, as that needs one series for both, and then by
 * cos (k + 1) w = 2 cos w cos kw - cos (k - 1) w, and so the sines. */
static void change_step(struct sine *s, tac_u step)
{
    s->phase += s->step * s->done;
    s->done = 0;
    s->step = step;
    tac_d half = tac_d_sin_angle(__builtin_convertvector((tac_m)step, tac_d) *
                                 (3.141592653589793 / 4294967296.0));
    tac_d square = half * half, cos_before = half * 0 + 1.0, sin_before = half * 0;
    tac_d cos = 1.0 - 2.0 * square, sin = 2.0 * half * tac_d_sqrt(1.0 - square), twice = cos + cos;
    for (uint32_t k = 0; k < HALF; k++) {
        s->turn_cos[k] = __builtin_convertvector(cos, tac_v);
        s->turn_sin[k] = __builtin_convertvector(sin, tac_v);
        tac_d cos_next = twice * cos - cos_before, sin_next = twice * sin - sin_before;
        cos_before = cos;
        sin_before = sin;
        cos = cos_next;
        sin = sin_next;
    }
}

/* The frames of a group from phase on. */
TAC_INLINE void group(const struct sine *s, tac_u phase, tac_v gain, float *out, int add)
{
    tac_u middle = phase + s->step * HALF;
    tac_v sin = tac_phase_sin(middle) * gain, cos = tac_phase_sin(middle + QUARTER_TURN) * gain;
    out += HALF * TAC_LANES;
    tac_give(out, sin, add);
    TAC_UNROLL
    for (int k = 1; k <= HALF; k++) {
        tac_v side = cos * s->turn_sin[k - 1];
        tac_give(out - k * TAC_LANES, tac_v_madd(sin, s->turn_cos[k - 1], -side), add);
        if (k < HALF)
            tac_give(out + k * TAC_LANES, tac_v_madd(sin, s->turn_cos[k - 1], side), add);
    }
}

/* One frame, or what is left of a group. */
static uint32_t partial(struct sine *s, float *out, tac_v gain, uint32_t frames, int add)
{
    _Alignas(64) float y[GROUP * TAC_LANES];
    uint32_t n = GROUP - s->done < frames ? GROUP - s->done : frames;
    group(s, s->phase, gain, y, 0);
    for (uint32_t i = 0; i < n; i++)
        tac_give(out + (size_t)i * TAC_LANES, tac_v_load(y + (s->done + i) * TAC_LANES), add);
    s->done += n;
    if (s->done == GROUP) {
        s->done = 0;
        s->phase += s->step * GROUP;
    }
    return n;
}

TAC_INLINE void run_still(struct sine *s, const struct tac_io *io, int add)
{
    tac_v gain = TAC_AT(io->param[OSC_LEVEL], 0);
    float *out = io->out[0], *end = out + (size_t)io->frames * TAC_LANES;
    if (s->done)
        out += (size_t)partial(s, out, gain, io->frames, add) * TAC_LANES;
    tac_u phase = s->phase;
    for (; end - out >= GROUP * TAC_LANES; out += GROUP * TAC_LANES) {
        group(s, phase, gain, out, add);
        phase += s->step * GROUP;
    }
    s->phase = phase;
    if (out < end)
        partial(s, out, gain, (uint32_t)((end - out) / TAC_LANES), add);
}

static void run_moving(struct sine *s, const struct tac_io *io)
{
    tac_u phase = s->phase + s->step * s->done, step = {0};
    int moving = tac_osc_is_moving(io);
    for (uint32_t i = 0; i < io->frames; i++) {
        if (i == 0 || moving)
            step = tac_phase_step(tac_osc_hz(io, i), s->per_hz);
        tac_give(io->out[0] + (size_t)i * TAC_LANES,
                 tac_phase_sin(phase) * TAC_AT(io->param[OSC_LEVEL], i), (int)io->add);
        phase += step;
    }
    s->phase = phase;
    s->done = 0;
}

static void process(void *state, const struct tac_io *io)
{
    struct sine *s = state;
    if (tac_osc_is_moving(io) || io->param[OSC_LEVEL].stride) {
        run_moving(s, io);
        return;
    }
    if (tac_osc_is_new(&s->known, io))
        change_step(s, tac_phase_step(tac_osc_hz(io, 0), s->per_hz));
    if (io->add)
        run_still(s, io, 1);
    else
        run_still(s, io, 0);
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
    .init = init,
    .process = process,
};
