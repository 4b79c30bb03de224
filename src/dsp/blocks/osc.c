/* SPDX-License-Identifier: MIT
 * osc.c - saw, pulse and triangle without audible aliasing, with pulse width and hard sync.
 *
 * Method   the naive wave goes through a delay of 16 frames; at each corner the difference between
 *          a band-limited and an ideal step (or slope) is added around it, from a table of 64
 *          sub-frame positions by 32 taps (src/dsp/tables.py), interpolated. Events are found for
 *          all lanes at once and served lane by lane: each lane has a row of what is to be added to
 *          the frames to come, so that a corner is two or four long vectors. For sixteen frames at
 *          a time the rows are turned into frames and added to the wave.
 * Source   E. Brandt 2001, "Hard sync without aliasing", ICMC; T. Stilson, J. Smith 1996,
 *          "Alias-free digital synthesis of classic analog waveforms", ICMC.
 * Quality  alias-to-signal below -95 dB at 3.5 kHz (tests/dsp/test_osc.c).
 * Cost     of a frame the same always; a call costs the more, the more corners there are.
 * Latency  16 frames. State: 336 bytes a lane. */
#include "dsp/block.h"
#include "dsp/oscillator.h"
#include "dsp/tables.h"
#include "dsp/transpose.h"

enum { P_SHAPE = OSC_PARAMS, P_WIDTH, P_SYNC };
enum { SAW, PULSE, TRIANGLE };
enum {
    LATENCY = TAC_BLEP_TAPS / 2,
    GROUP = 16,
    AHEAD = GROUP + TAC_BLEP_TAPS,
    ROW = AHEAD + GROUP
};

static const char *const shapes[] = {"saw", "pulse", "triangle", NULL};

/* As many frames of one lane; loaded from anywhere. */
typedef float span __attribute__((vector_size(GROUP * 4), aligned(4)));

struct osc {
    tac_v late[LATENCY];         /* the naive wave of the last frames */
    float ahead[TAC_LANES][ROW]; /* residuals of the frames to come; 0 from AHEAD on */
    tac_u phase, master;
    tac_m high; /* the pulse is up */
    double per_hz;
    uint32_t at; /* in late */
};

/* One lane within one frame of a group. */
struct moment {
    struct osc *s;
    uint32_t frame, lane, width;
    int shape;
    float per_step; /* 1 / step */
    float slope;    /* of the phase, cycles per frame */
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct osc *s = state;
    (void)memory;
    s->per_hz = 1.0 / (double)setup->rate_hz;
    s->high = ~s->high;
}

TAC_INLINE span *span_at(float *p)
{
    return (span *)(void *)p;
}

/* Add amount times the residual of an event that was `ago` frames before that frame. */
static void add_residual(struct osc *s, uint32_t frame, uint32_t lane,
                         const float table[][TAC_BLEP_TAPS], float ago, float amount)
{
    float place = ago * TAC_BLEP_PHASES;
    place = place < 0 ? 0 : place > TAC_BLEP_PHASES - 0.01f ? TAC_BLEP_PHASES - 0.01f : place;
    uint32_t row = (uint32_t)place;
    float f = place - (float)row;
    float *to = s->ahead[lane] + frame;
    const float *a = table[row], *b = table[row + 1];
    TAC_IVDEP
    for (uint32_t k = 0; k < TAC_BLEP_TAPS; k++)
        to[k] = tac_madd(amount, tac_madd(f, b[k] - a[k], a[k]), to[k]);
}

/* The phase moves from `from` by `advance` and arrives `rest` frames before now. */
static void cross(const struct moment *m, uint32_t from, uint32_t advance, float rest)
{
    uint32_t to = from + advance;
    int wrapped = to < from;
    if (wrapped && m->shape == SAW)
        add_residual(m->s, m->frame, m->lane, tac_blep, rest + (float)to * m->per_step, -2);
    if (wrapped && m->shape == TRIANGLE)
        add_residual(m->s, m->frame, m->lane, tac_blamp, rest + (float)to * m->per_step,
                     8 * m->slope);
    if (m->shape == TRIANGLE && (from + 0x80000000u) > (to + 0x80000000u))
        add_residual(m->s, m->frame, m->lane, tac_blamp,
                     rest + (float)(to + 0x80000000u) * m->per_step, -8 * m->slope);
    if (m->shape != PULSE)
        return;
    if (wrapped && !m->s->high[m->lane]) {
        add_residual(m->s, m->frame, m->lane, tac_blep, rest + (float)to * m->per_step, 2);
        m->s->high[m->lane] = -1;
    }
    if (m->s->high[m->lane] && to >= m->width) {
        add_residual(m->s, m->frame, m->lane, tac_blep, rest + (float)(to - m->width) * m->per_step,
                     -2);
        m->s->high[m->lane] = 0;
    }
}

/* The wave at a phase; the pulse knows its side. */
static float wave_at(const struct moment *m, uint32_t phase)
{
    float t = (float)phase * (1.0f / 4294967296.0f);
    if (m->shape == PULSE)
        return m->s->high[m->lane] ? 1 : -1;
    return m->shape == SAW ? 2 * t - 1 : 1 - 4 * (t < 0.5f ? 0.5f - t : t - 0.5f);
}

/* The master wrapped `ago` frames before now: run to there, start again, run to now. */
static uint32_t restart(const struct moment *m, uint32_t from, uint32_t step, float ago)
{
    uint32_t after = (uint32_t)((double)ago * (double)step);
    cross(m, from, step - after, ago);
    float before = wave_at(m, from + (step - after));
    int falling = (from + (step - after)) >= 0x80000000u;
    if (m->shape == PULSE)
        m->s->high[m->lane] = -1;
    add_residual(m->s, m->frame, m->lane, tac_blep, ago, wave_at(m, 0) - before);
    if (m->shape == TRIANGLE && falling)
        add_residual(m->s, m->frame, m->lane, tac_blamp, ago, 8 * m->slope);
    cross(m, 0, after, 0);
    return after;
}

struct steps {
    tac_u master, slave;
    tac_v norm; /* of the slave, cycles per frame */
    tac_m synced;
};

TAC_INLINE struct steps design(const struct osc *s, const struct tac_io *io, uint32_t i)
{
    tac_v hz = tac_osc_hz(io, i);
    tac_v ratio = TAC_AT(io->param[P_SYNC], i);
    struct steps d = {.synced = ratio > 1.0f};
    d.master = tac_phase_step(hz, s->per_hz);
    d.slave = tac_phase_step(hz * ratio, s->per_hz);
    d.norm = tac_m_to_float((tac_m)d.slave) * (1.0f / 4294967296.0f);
    return d;
}

/* Serve the lanes in bits whose saw has wrapped to next, without sync. */
static void serve_saws(struct osc *s, uint32_t frame, uint32_t bits, tac_u next, tac_u step)
{
    _Alignas(64) float ago[TAC_LANES];
    tac_v_store(ago, tac_m_to_float((tac_m)next) * (1.0f / tac_m_to_float((tac_m)step)));
    for (; bits; bits &= bits - 1) {
        uint32_t l = (uint32_t)__builtin_ctz(bits);
        add_residual(s, frame, l, tac_blep, ago[l], -2);
    }
}

/* Serve the corners that the lanes in bits pass in this frame. */
static void serve(struct osc *s, uint32_t frame, uint32_t bits, const struct steps *d, tac_u *phase,
                  tac_u master, tac_u width, int shape)
{
    for (; bits; bits &= bits - 1) {
        uint32_t l = (uint32_t)__builtin_ctz(bits);
        uint32_t step = d->slave[l];
        struct moment m = {s,         frame, l, width[l], shape, 1.0f / (float)(step ? step : 1),
                           d->norm[l]};
        if (d->synced[l] && master[l] < d->master[l])
            (*phase)[l] = restart(&m, (*phase)[l], step, (float)master[l] / (float)d->master[l]);
        else {
            cross(&m, (*phase)[l], step, 0);
            (*phase)[l] += step;
        }
    }
}

static int is_moving(const struct tac_io *io)
{
    return tac_osc_is_moving(io) || io->param[P_SYNC].stride;
}

TAC_INLINE tac_v naive(const struct osc *s, tac_u phase, tac_v width, int shape)
{
    tac_v t = tac_phase_unit(phase);
    if (shape == SAW)
        return tac_m_to_float((tac_m)(phase ^ 0x80000000u)) * (1.0f / 2147483648.0f);
    if (shape == TRIANGLE)
        return tac_v_horner(tac_v_abs(t - 0.5f), tac_v_set(-4), 1);
    return tac_v_select(s->high, tac_v_set(1), tac_v_set(-1)) - (width + width - 1.0f);
}

/* shape and plain (nothing moves but perhaps the width, no lane is synced) are constants where this
 * is inlined. d: the steps of the first frame. */
TAC_INLINE void run(struct osc *s, const struct tac_io *io, uint32_t first, uint32_t last,
                    struct steps d, int shape, int plain)
{
    int moving = !plain && is_moving(io);
    tac_u phase = s->phase, master = s->master;
    for (uint32_t i = first; i < last; i++) {
        if (moving && i > first)
            d = design(s, io, i);
        tac_v width = TAC_AT(io->param[P_WIDTH], i);
        tac_u edge = (tac_u)tac_v_to_int(width * 16777216.0f) << 8;
        tac_u next = phase + d.slave;
        master += d.master;
        tac_m event = (tac_m)(next < d.slave);
        if (!plain)
            event |= d.synced & (tac_m)(master < d.master);
        if (shape == TRIANGLE)
            event |= (tac_m)((next ^ phase) & 0x80000000u) >> 31;
        if (shape == PULSE)
            event |= s->high & (tac_m)(next >= edge);
        uint32_t bits = tac_m_bits(event);
        if (__builtin_expect(bits != 0, 0) && plain && shape == SAW) {
            serve_saws(s, i - first, bits, next, d.slave);
        } else if (__builtin_expect(bits != 0, 0)) {
            tac_u served = phase;
            serve(s, i - first, bits, &d, &served, master, edge, shape);
            next = (tac_u)(((tac_m)served & event) | ((tac_m)next & ~event));
        }
        phase = next;
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, s->late[s->at % LATENCY]);
        s->late[s->at % LATENCY] = naive(s, phase, width, shape);
        s->at++;
    }
    s->phase = phase;
    s->master = master;
}

/* The rows of residuals are added to the frames [first, last), and move on. */
static void add_ahead(struct osc *s, const struct tac_io *io, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i += TAC_LANES) {
        tac_v turned[TAC_LANES];
        for (uint32_t l = 0; l < TAC_LANES; l++)
            memcpy(&turned[l], s->ahead[l] + (i - first), sizeof turned[l]);
        tac_v_transpose(turned);
        for (uint32_t k = 0; k < TAC_LANES && i + k < last; k++) {
            float *out = io->out[0] + (size_t)(i + k) * TAC_LANES;
            tac_v_store(out, (tac_v_load(out) + turned[k]) * TAC_AT(io->param[OSC_LEVEL], i + k));
        }
    }
    for (uint32_t l = 0; l < TAC_LANES; l++) {
        float *row = s->ahead[l], *from = row + (last - first);
        span a = *span_at(from), b = *span_at(from + GROUP), c = *span_at(from + 2 * GROUP);
        *span_at(row) = a;
        *span_at(row + GROUP) = b;
        *span_at(row + 2 * GROUP) = c;
    }
}

static int is_plain(const struct tac_io *io)
{
    return !is_moving(io) && !tac_m_any(TAC_AT(io->param[P_SYNC], 0) > 1.0f);
}

static int shape_at(const struct tac_io *io, uint32_t i)
{
    return (int)(io->param[P_SHAPE].data[(size_t)i * io->param[P_SHAPE].stride] + 0.5f);
}

/* At most GROUP frames of one shape. */
static void run_group(struct osc *s, const struct tac_io *io, uint32_t first, uint32_t last,
                      const struct steps *d)
{
    int shape = shape_at(io, first);
    if (shape == SAW && is_plain(io))
        run(s, io, first, last, *d, SAW, 1);
    else if (shape == SAW)
        run(s, io, first, last, *d, SAW, 0);
    else if (shape == PULSE)
        run(s, io, first, last, *d, PULSE, 0);
    else
        run(s, io, first, last, *d, TRIANGLE, 0);
    add_ahead(s, io, first, last);
}

static void process(void *state, const struct tac_io *io)
{
    struct osc *s = state;
    struct steps d = design(s, io, 0);
    for (uint32_t first = 0, last; first < io->frames; first = last) {
        uint32_t end = io->frames - first < GROUP ? io->frames : first + GROUP;
        for (last = first + 1; last < end; last++)
            if (io->param[P_SHAPE].stride && shape_at(io, last) != shape_at(io, first))
                break;
        if (first && is_moving(io))
            d = design(s, io, first);
        run_group(s, io, first, last, &d);
    }
}

TAC_BLOCK(osc) = {
    .name = "osc",
    .group = "source",
    .doc = "Saw, pulse and triangle without audible aliasing, with pulse width and hard sync.",
    .about =
        "Every corner is replaced by a band-limited one from a table (BLEP). With sync above 1 "
        "the wave runs that many times faster and starts again at each period of the "
        "frequency. The shape is that of the first lane.",
    .out = {{"out", "the wave, -1 to 1 times the level", TAC_PORT_SIGNAL, 0}},
    .param = {TAC_OSC_PARAMS,
              [P_SHAPE] = {"shape", "the wave", TAC_UNIT_NONE, 0, 2, 0, TAC_CURVE_STEP, shapes},
              [P_WIDTH] = {"width", "of the pulse", TAC_UNIT_PERCENT, 0.01f, 0.99f, 0.5f,
                           TAC_CURVE_LINEAR, NULL},
              [P_SYNC] = {"sync", "hard sync: how much faster than the frequency", TAC_UNIT_NONE, 1,
                          16, 1, TAC_CURVE_LINEAR, NULL}},
    .state_bytes = sizeof(struct osc),
    .latency_frames = LATENCY,
    .init = init,
    .process = process,
};
