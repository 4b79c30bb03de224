/* SPDX-License-Identifier: MIT
 * eq.c - one band of an equaliser: peak, low shelf or high shelf, with the response of the analogue
 * band up to 20 kHz.
 *
 * Method    a band of second order whose size is fitted to that of the analogue one (eq_design.h),
 *           run by the state-variable filter of svf_core.h: its input, band and low outputs mixed,
 *           y = m0 x + m1 v1 + m2 v2. Every 16 frames it looks whether its parameters are others;
 *           if so, the band is designed anew and reached on straight lines within the next 16. So
 *           what it costs hardly depends on what moves.
 * Bounded   on any path: the filter's states never grow by their own (a step of them is the Cayley
 *           transform of a matrix whose symmetric part is not negative, so a contraction), and what
 *           lies on a line between two contractions is one.
 * Quality   within 0.15 dB of the analogue band to 20 kHz for +-6 dB, 0.4 dB for +-12 dB
 *           (tests/dsp/test_eq.c). A cut is the exact reciprocal of the boost.
 * Latency   0. State: 84 bytes a lane. */
#include "dsp/block.h"
#include "dsp/eq_design.h"

enum { P_FREQUENCY, P_GAIN, P_Q, P_SHAPE };
enum { PEAK, LOW_SHELF, HIGH_SHELF };
enum { RENEW = 16 }; /* frames from one look at the parameters to the next */

static const char *const shapes[] = {"peak", "low-shelf", "high-shelf", NULL};

struct wish {
    tac_v frequency, gain, q, shape;
};

struct band {
    struct tac_svf_tuning tuning;
    tac_v m0, m1, m2;
};

/* After a change the band is aim - left lead, left = 15 .. 0. */
struct eq {
    struct tac_svf core;
    struct wish wish; /* what the aim was designed for */
    struct band aim, lead;
    float per_hz;
    uint32_t at; /* frames since the parameters were looked at */
    uint32_t begun, leading;
};

/* What a bank computes with while it runs. */
struct bank {
    struct tac_svf core;
    struct band band;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct eq *s = state;
    (void)memory;
    s->per_hz = 1.0f / setup->rate_hz;
}

TAC_INLINE struct wish wish_at(const struct tac_io *io, uint32_t i)
{
    return (struct wish){TAC_AT(io->param[P_FREQUENCY], i), TAC_AT(io->param[P_GAIN], i),
                         TAC_AT(io->param[P_Q], i), TAC_AT(io->param[P_SHAPE], i)};
}

TAC_INLINE struct tac_eq_poly either(tac_m mask, struct tac_eq_poly a, struct tac_eq_poly b)
{
    return (struct tac_eq_poly){tac_v_select(mask, a.p0, b.p0), tac_v_select(mask, a.p1, b.p1),
                                tac_v_select(mask, a.p2, b.p2)};
}

/* top / bottom in s = tan(w / 2) / g, as a mix of the filter's outputs. */
static struct band realise(struct tac_eq_poly top, struct tac_eq_poly bottom, tac_v g)
{
    tac_v per_b0 = 1.0f / bottom.p0, c = tac_v_sqrt(bottom.p2 * per_b0), per_c = 1.0f / c;
    tac_v k = bottom.p1 * per_b0 * per_c, low = top.p0 * per_b0;
    struct band b = {.m0 = top.p2 / bottom.p2};
    b.tuning = tac_svf_tune_to((struct tac_ratio){g, c}, k);
    b.m1 = tac_v_nmadd(k, b.m0, top.p1 * per_b0 * per_c);
    b.m2 = low - b.m0;
    return b;
}

/* Boosts are designed; a cut is a boost upside down, and so is, but for its level, a high shelf. */
static struct band design(const struct wish *wish, float per_hz)
{
    tac_v norm = tac_v_clamp(wish->frequency * per_hz, 1e-5f, 0.49f);
    tac_v octaves = tac_v_abs(wish->gain) * 0.0830482024f; /* log2 of A */
    tac_m high = wish->shape > 1.5f, peak = wish->shape < 0.5f;
    struct tac_eq_boost b = {0}, shelf = {0};
    if (tac_m_any(peak))
        b = tac_eq_peak(norm, octaves, wish->q);
    if (tac_m_any(~peak)) {
        shelf = tac_eq_low_shelf(norm, octaves, wish->q);
        b = (struct tac_eq_boost){either(peak, b.top, shelf.top),
                                  either(peak, b.bottom, shelf.bottom),
                                  tac_v_select(peak, b.g, shelf.g)};
    }
    tac_m swap = (wish->gain < 0.0f) ^ high;
    struct tac_eq_poly top = either(swap, b.bottom, b.top), bottom = either(swap, b.top, b.bottom);
    if (tac_m_any(high)) {
        tac_v level = tac_v_select(high, tac_v_db(wish->gain), tac_v_set(1));
        top = (struct tac_eq_poly){top.p0 * level, top.p1 * level, top.p2 * level};
    }
    return realise(top, bottom, b.g);
}

static int is_moving(const struct tac_io *io)
{
    return io->param[P_FREQUENCY].stride || io->param[P_GAIN].stride || io->param[P_Q].stride ||
           io->param[P_SHAPE].stride;
}

/* a - b x of each coefficient. */
TAC_INLINE struct band band_nmadd(const struct band *b, tac_v x, const struct band *a)
{
    return (struct band){{tac_v_nmadd(b->tuning.loss, x, a->tuning.loss),
                          tac_v_nmadd(b->tuning.a2, x, a->tuning.a2),
                          tac_v_nmadd(b->tuning.twice_a2, x, a->tuning.twice_a2),
                          tac_v_nmadd(b->tuning.a3, x, a->tuning.a3)},
                         tac_v_nmadd(b->m0, x, a->m0),
                         tac_v_nmadd(b->m1, x, a->m1),
                         tac_v_nmadd(b->m2, x, a->m2)};
}

static int is_wish(const struct wish *a, const struct wish *b)
{
    return !(tac_v_differ(a->frequency, b->frequency) | tac_v_differ(a->gain, b->gain) |
             tac_v_differ(a->q, b->q) | tac_v_differ(a->shape, b->shape));
}

/* A look at the parameters at frame i. The first band is there at once. */
static void renew(struct eq *s, const struct tac_io *io, uint32_t i)
{
    struct wish now = wish_at(io, i);
    s->leading = 0;
    if (s->begun && is_wish(&now, &s->wish))
        return;
    struct band before = s->aim, none = {0};
    s->wish = now;
    s->aim = design(&now, s->per_hz);
    s->leading = s->begun;
    s->begun = 1;
    s->lead = band_nmadd(&before, tac_v_set(1), &s->aim);
    s->lead = band_nmadd(&s->lead, tac_v_set(-1.0f / RENEW), &none);
}

TAC_INLINE void step(struct bank *b, const struct tac_io *io, uint32_t i)
{
    tac_v x = TAC_AT(io->in[0], i);
    struct tac_svf_bands y = tac_svf_step(&b->core, &b->band.tuning, x);
    tac_v_store(io->out[0] + (size_t)i * TAC_LANES,
                tac_v_madd(b->band.m2, y.low, tac_v_madd(b->band.m1, y.band, b->band.m0 * x)));
}

/* Frames [first, last) while nothing changes. banks is a constant where this is inlined. */
TAC_INLINE void run_still(struct eq *const *s, const struct tac_io *io, uint32_t first,
                          uint32_t last, int banks)
{
    struct bank bank[2];
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        bank[b] = (struct bank){s[b]->core, s[b]->aim};
    for (uint32_t i = first; i < last; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++)
            step(&bank[b], &io[b], i);
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        s[b]->core = bank[b].core;
}

/* The same while the band is on its way. */
static void run_leading(struct eq *s, const struct tac_io *io, uint32_t first, uint32_t last)
{
    struct bank bank = {.core = s->core};
    const struct band aim = s->aim, lead = s->lead;
    tac_v left = tac_v_set((float)(RENEW - 1 - s->at));
    for (uint32_t i = first; i < last; i++) {
        bank.band = band_nmadd(&lead, left, &aim);
        left -= 1.0f;
        step(&bank, io, i);
    }
    s->core = bank.core;
}

static void run_any(struct eq *s, const struct tac_io *io)
{
    int still = !is_moving(io);
    for (uint32_t first = 0, last; first < io->frames; first = last) {
        int looked = s->at == 0;
        if (looked)
            renew(s, io, first);
        last = first + (RENEW - s->at);
        if (last > io->frames || (looked && still && !s->leading))
            last = io->frames;
        if (s->leading)
            run_leading(s, io, first, last);
        else
            run_still(&s, io, first, last, 1);
        s->at = (s->at + (last - first)) % RENEW;
    }
}

/* Nothing changes in this call. */
static int is_still(const struct eq *s, const struct tac_io *io)
{
    struct wish now = wish_at(io, 0);
    return !is_moving(io) && s->begun && !s->leading && is_wish(&now, &s->wish);
}

static void process(void *state, const struct tac_io *io)
{
    struct eq *s = state;
    if (!is_still(s, io)) {
        run_any(s, io);
        return;
    }
    run_still(&s, io, 0, io->frames, 1);
    s->at = (s->at + io->frames) % RENEW;
}

static void process2(void *states, const struct tac_io *io)
{
    struct eq *const *s = states;
    if (is_still(s[0], &io[0]) && is_still(s[1], &io[1])) {
        run_still(s, io, 0, io->frames, 2);
        s[0]->at = (s[0]->at + io->frames) % RENEW;
        s[1]->at = (s[1]->at + io->frames) % RENEW;
        return;
    }
    process(s[0], &io[0]);
    process(s[1], &io[1]);
}

TAC_BLOCK(eq) = {
    .name = "eq",
    .group = "filter",
    .doc = "One band of an equaliser: peak, low shelf or high shelf.",
    .about = "Fitted to the analogue band, so it keeps its shape and its width up to the highest "
             "octave: within 0.15 dB up to 20 kHz for 6 dB, within 0.4 dB for 12 dB. A cut undoes "
             "the boost of the same settings exactly.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {{"out", "the equalised sound", TAC_PORT_SIGNAL, 0}},
    .param = {[P_FREQUENCY] = {"frequency", "centre or corner", TAC_UNIT_HZ, 10, 22000, 1000,
                               TAC_CURVE_LOG, NULL},
              [P_GAIN] = {"gain", "of the band", TAC_UNIT_DB, -36, 36, 0, TAC_CURVE_LINEAR, NULL},
              [P_Q] = {"q", "narrowness; 0.7 for a smooth shelf", TAC_UNIT_NONE, 0.1f, 40, 0.7071f,
                       TAC_CURVE_LOG, NULL},
              [P_SHAPE] = {"shape", "of the band", TAC_UNIT_NONE, 0, 2, 0, TAC_CURVE_STEP, shapes}},
    .state_bytes = sizeof(struct eq),
    .tail_s = -1,
    .init = init,
    .process = process,
    .process2 = process2,
};
