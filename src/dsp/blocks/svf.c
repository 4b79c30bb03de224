/* SPDX-License-Identifier: MIT
 * svf.c - a state-variable filter, 12 dB per octave, with all its outputs at once.
 *
 * Method   svf_core.h; with k = 1 / Q: low v2, band k v1, high x - k v1 - v2, notch x - k v1, peak
 *          low - high, all-pass x - 2 k v1. Tuned anew in each frame in which a parameter is
 *          another than before, and once more, in double, when all of them have stood still for 16
 *          frames. That follows from the values alone, and not from how they come: the bits are
 *          the same however time is cut.
 * Quality  response within 0.05 dB of the bilinear analytic one, peak within 2 cents; bounded for
 *          any path of the cutoff at audio rate (tests/dsp/test_filters.c).
 * Latency  0. State: 52 bytes a lane. */
#include "dsp/block.h"
#include "dsp/svf_core.h"

#include <string.h>

enum { P_CUTOFF, P_PITCH, P_RESONANCE };
enum { OUT_LOW, OUT_BAND, OUT_HIGH, OUT_NOTCH, OUT_PEAK, OUT_ALLPASS, OUTS };
enum motion { STILL, CUTOFF_MOVES, ALL_MOVES };

enum { SETTLED = 16 };

/* What a bank computes with while it runs, and remembers. */
struct bank {
    struct tac_svf core;
    tac_v cutoff, pitch, resonance; /* what it is tuned to; a resonance of -1 is none */
    double per_hz;
    uint32_t stood;   /* frames since one of them was another, up to SETTLED */
    uint32_t untuned; /* 1: the tuning is still to be made of the others */
    struct tac_svf_tuning tuning;
    tac_v ratio, k; /* of the pitch; 1 / Q */
    /* while the cutoff follows a line, and all lanes are alike: tac_io.still; or 0 */
    uint64_t kept;
};

struct svf {
    struct bank bank;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct svf *s = state;
    (void)memory;
    s->bank.per_hz = 1.0 / (double)setup->rate_hz;
    s->bank.resonance = tac_v_set(-1);
}

/* resonance 0..1 -> Q from 0.5 to 50, evenly in its logarithm. */
TAC_INLINE void make_shape(struct bank *b)
{
    b->ratio = tac_v_semitones(b->pitch);
    b->k = tac_v_exp2(tac_v_horner(b->resonance, tac_v_set(-6.64385619f), 1));
}

TAC_INLINE void shape(struct bank *b, const struct tac_io *io, uint32_t i)
{
    b->pitch = TAC_AT(io->param[P_PITCH], i);
    b->resonance = TAC_AT(io->param[P_RESONANCE], i);
    make_shape(b);
}

TAC_INLINE int is_shaped(const struct bank *b, const struct tac_io *io, uint32_t i)
{
    return !(tac_v_differ(TAC_AT(io->param[P_PITCH], i), b->pitch) |
             tac_v_differ(TAC_AT(io->param[P_RESONANCE], i), b->resonance));
}

/* The tuning of frame i. shaped: pitch and resonance are those of the frame before, for sure. */
TAC_INLINE void follow(struct bank *b, const struct tac_io *io, uint32_t i, double per_hz,
                       int shaped)
{
    tac_v cutoff = TAC_AT(io->param[P_CUTOFF], i);
    int same = shaped || is_shaped(b, io, i);
    if (!same)
        shape(b, io, i);
    if (!same || tac_v_differ(cutoff, b->cutoff)) {
        b->cutoff = cutoff;
        b->tuning = tac_svf_tune(cutoff * b->ratio, (float)per_hz, b->k);
        b->stood = 0;
    } else if (b->stood < SETTLED && ++b->stood == SETTLED) {
        b->tuning = tac_svf_tune_exact(cutoff * b->ratio, per_hz, b->k);
    }
}

/* That of the frame before. */
static void tune_now(struct bank *b, double per_hz)
{
    b->tuning = tac_svf_tune(b->cutoff * b->ratio, (float)per_hz, b->k);
    b->untuned = 0;
}

static uint32_t live(const void *state)
{
    (void)state;
    return offsetof(struct svf, bank.untuned);
}

/* A tuning of what has stood still is the exact one. */
static void forget(void *state)
{
    struct bank *b = &((struct svf *)state)->bank;
    make_shape(b);
    b->kept = 0;
    b->untuned = b->stood < SETTLED;
    if (!b->untuned)
        b->tuning = tac_svf_tune_exact(b->cutoff * b->ratio, b->per_hz, b->k);
}

TAC_INLINE void put_others(const struct tac_io *io, uint32_t i, tac_v x, tac_v band, tac_v low)
{
    tac_put(io, OUT_BAND, i, band);
    tac_put(io, OUT_HIGH, i, x - band - low);
    tac_put(io, OUT_NOTCH, i, x - band);
    tac_put(io, OUT_PEAK, i, low + low + band - x);
    tac_put(io, OUT_ALLPASS, i, x - band - band);
}

TAC_INLINE void step(struct tac_svf *core, const struct tac_svf_tuning *tuning, tac_v k,
                     const struct tac_io *io, uint32_t i, int others)
{
    tac_v x = TAC_AT(io->in[0], i);
    struct tac_svf_bands y = tac_svf_step(core, tuning, x);
    if (others)
        put_others(io, i, x, k * y.band, y.low);
    tac_v_store(io->out[OUT_LOW] + (size_t)i * TAC_LANES, y.low);
}

/* Frames before `last`, each of which may be tuned anew. Here and below, banks, motion and others
 * are constants where this is inlined. */
TAC_INLINE void run_moving(struct svf *const *s, const struct tac_io *io, uint32_t last, int banks,
                           enum motion motion, int others)
{
    struct bank bank[2];
    double per_hz = s[0]->bank.per_hz;
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        bank[b] = s[b]->bank;
        if (bank[b].untuned)
            tune_now(&bank[b], per_hz);
    }
    for (uint32_t i = 0; i < last; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++) {
            follow(&bank[b], &io[b], i, per_hz, motion != ALL_MOVES && i);
            step(&bank[b].core, &bank[b].tuning, bank[b].k, &io[b], i, others);
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        bank[b].kept = 0;
        s[b]->bank = bank[b];
    }
}

/* Frames from `first` on, in which nothing changes any more. */
TAC_INLINE void run_settled(struct svf *const *s, const struct tac_io *io, uint32_t first,
                            int banks, int others)
{
    struct tac_svf core[2];
    struct tac_svf_tuning tuning[2];
    tac_v k[2];
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        core[b] = s[b]->bank.core;
        tuning[b] = s[b]->bank.tuning;
        k[b] = s[b]->bank.k;
    }
    for (uint32_t i = first; i < io->frames; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++)
            step(&core[b], &tuning[b], k[b], &io[b], i, others);
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        s[b]->bank.core = core[b];
}

/* The first frame of the call is like the one before it. */
TAC_INLINE int is_same_as_before(const struct bank *b, const struct tac_io *io)
{
    return is_shaped(b, io, 0) && !tac_v_differ(TAC_AT(io->param[P_CUTOFF], 0), b->cutoff);
}

/* How many frames of parameters that stand still go by until nothing changes any more. */
TAC_INLINE uint32_t until_settled(const struct bank *b, const struct tac_io *io)
{
    return is_same_as_before(b, io) ? SETTLED - b->stood : SETTLED + 1;
}

TAC_INLINE void run(struct svf *const *s, const struct tac_io *io, int banks, enum motion motion,
                    int others)
{
    uint32_t moving = motion == STILL ? 0 : io->frames;
    TAC_UNROLL
    for (int b = 0; b < banks && motion == STILL; b++) {
        uint32_t more = until_settled(&s[b]->bank, &io[b]);
        moving = more > moving ? more : moving;
    }
    moving = moving < io->frames ? moving : io->frames;
    if (moving)
        run_moving(s, io, moving, banks, motion, others);
    if (motion == STILL)
        run_settled(s, io, moving, banks, others);
}

/* ---- a cutoff that is the same in all lanes and banks, and moves in each frame ----------------
 */

TAC_INLINE const float *line_of(const struct tac_io *io)
{
    return io->param[P_CUTOFF].data + io->param[P_CUTOFF].line;
}

/* Tuned for as many frames at once as there are lanes. Whoever needs the tuning of the last frame
 * makes it then. */
TAC_INLINE void run_alike(struct svf *const *s, const struct tac_io *io, int banks)
{
    const float *cutoff = line_of(io);
    struct tac_svf core[2];
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        core[b] = s[b]->bank.core;
    const tac_v ratio = s[0]->bank.ratio, k = s[0]->bank.k;
    float per_hz = (float)s[0]->bank.per_hz;
    for (uint32_t first = 0; first < io->frames; first += TAC_LANES) {
        struct tac_svf_tuning t = tac_svf_tune(tac_v_load(cutoff + first) * ratio, per_hz, k);
        _Alignas(64) float loss[TAC_LANES], a2[TAC_LANES], twice_a2[TAC_LANES], a3[TAC_LANES];
        tac_v_store(loss, t.loss);
        tac_v_store(a2, t.a2);
        tac_v_store(twice_a2, t.twice_a2);
        tac_v_store(a3, t.a3);
        uint32_t frames = io->frames - first < TAC_LANES ? io->frames - first : TAC_LANES;
        for (uint32_t i = 0; i < frames; i++) {
            t = (struct tac_svf_tuning){tac_v_set(loss[i]), tac_v_set(a2[i]),
                                        tac_v_set(twice_a2[i]), tac_v_set(a3[i])};
            TAC_UNROLL
            for (int b = 0; b < banks; b++) {
                tac_v x = TAC_AT(io[b].in[0], first + i);
                tac_v_store(io[b].out[OUT_LOW] + (size_t)(first + i) * TAC_LANES,
                            tac_svf_step(&core[b], &t, x).low);
            }
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        s[b]->bank.core = core[b];
        s[b]->bank.cutoff = tac_v_set(cutoff[io->frames - 1]);
        s[b]->bank.stood = 0;
        s[b]->bank.untuned = 1;
    }
}

/* No frame of the line is like the one before. In front of a line there is always something. */
TAC_INLINE int line_moves(const float *line, uint32_t frames)
{
    uint32_t same = 0, whole = (uint32_t)((1ull << TAC_LANES) - 1);
    for (uint32_t first = 0; first < frames; first += TAC_LANES) {
        uint32_t left = frames - first, mask = left < TAC_LANES ? (1u << left) - 1 : whole;
        tac_v before;
        memcpy(&before, line + first - 1, sizeof before);
        uint32_t alike = tac_m_bits((tac_m)(tac_v_load(line + first) == before));
        same |= alike & (first ? mask : mask & ~1u);
    }
    return !same;
}

/* The cutoff follows the line of the first bank. */
TAC_INLINE int follows_line(const struct tac_io *first, const struct tac_io *io)
{
    const struct tac_signal a = first->param[P_CUTOFF], b = io->param[P_CUTOFF];
    return b.line && a.data == b.data;
}

/* The first frame is another than the one before it, of a bank that has been alike since its
 * signals stood still: its cutoff was the same in all lanes, too. */
TAC_INLINE int goes_on(const struct bank *b, const struct tac_io *io)
{
    return tac_is_still(io, b->kept) && line_of(io)[0] != b->cutoff[0];
}

/* The same of any other bank. What it is shaped for has no cutoff yet, whoever runs it. */
static int begins(struct bank *b, const struct tac_io *io)
{
    const struct tac_signal pitch = io->param[P_PITCH], resonance = io->param[P_RESONANCE];
    uint64_t now = tac_still(io);
    if (pitch.stride || resonance.stride || !tac_is_same(pitch.data, pitch.data[0]) ||
        !tac_is_same(resonance.data, resonance.data[0]) || is_same_as_before(b, io))
        return 0;
    if (!is_shaped(b, io, 0)) {
        shape(b, io, 0);
        b->cutoff = tac_v_set(-1);
    }
    b->kept = now;
    return 1;
}

/* True when it has done the call. */
TAC_INLINE int try_alike(struct svf *const *s, const struct tac_io *io, int banks)
{
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        if (!follows_line(io, &io[b]))
            return 0;
    if (!line_moves(line_of(io), io->frames))
        return 0;
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        if (!goes_on(&s[b]->bank, &io[b]) && !begins(&s[b]->bank, &io[b]))
            return 0;
    const struct bank *first = &s[0]->bank, *last = &s[banks - 1]->bank;
    if (first->pitch[0] != last->pitch[0] || first->resonance[0] != last->resonance[0])
        return 0;
    run_alike(s, io, banks);
    return 1;
}

/* ---- which it is ---------------------------------------------------------------------------- */

static enum motion motion_of(const struct tac_io *io)
{
    if (io->param[P_PITCH].stride || io->param[P_RESONANCE].stride)
        return ALL_MOVES;
    return io->param[P_CUTOFF].stride ? CUTOFF_MOVES : STILL;
}

/* Somebody hears more than the low-pass. */
static int has_others(const struct tac_io *io)
{
    uintptr_t others = 0;
    for (int port = OUT_LOW + 1; port < OUTS; port++)
        others |= (uintptr_t)io->out[port];
    return others != 0;
}

/* The common cases have loops of their own. */
TAC_INLINE void run_any(struct svf *const *s, const struct tac_io *io, int banks, int others)
{
    enum motion motion = motion_of(io);
    if (others && motion == STILL)
        run(s, io, banks, STILL, 1);
    else if (others || motion == ALL_MOVES)
        run(s, io, banks, motion, 1);
    else if (motion == CUTOFF_MOVES)
        run(s, io, banks, CUTOFF_MOVES, 0);
    else
        run(s, io, banks, STILL, 0);
}

/* Apart from the rest, whose registers need not be saved for it. */
__attribute__((noinline)) static int try_one(struct svf *s, const struct tac_io *io)
{
    return !has_others(io) && try_alike(&s, io, 1);
}

__attribute__((noinline)) static int try_two(struct svf *const *s, const struct tac_io *io)
{
    return !has_others(&io[0]) && !has_others(&io[1]) && try_alike(s, io, 2);
}

__attribute__((noinline)) static void run_two(struct svf *const *s, const struct tac_io *io)
{
    run_any(s, io, 2, 0);
}

static void process(void *state, const struct tac_io *io)
{
    struct svf *s = state;
    if (TAC_LANES > 1 && io->param[P_CUTOFF].line && try_one(s, io))
        return;
    run_any(&s, io, 1, has_others(io));
}

static void process2(void *states, const struct tac_io *io)
{
    struct svf *const *s = states;
    if (TAC_LANES > 1 && io->param[P_CUTOFF].line && try_two(s, io))
        return;
    if (motion_of(&io[0]) == motion_of(&io[1]) && !has_others(&io[0]) && !has_others(&io[1])) {
        run_two(s, io);
        return;
    }
    process(s[0], &io[0]);
    process(s[1], &io[1]);
}

TAC_BLOCK(svf) = {
    .name = "svf",
    .group = "filter",
    .doc = "Resonant filter, 12 dB per octave: low-, band-, high-pass, notch, peak and all-pass.",
    .about =
        "Trapezoidal state-variable filter (Simper 2013). Stays bounded however fast the cutoff "
        "moves.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {[OUT_LOW] = {"out", "low-pass", TAC_PORT_SIGNAL, 0},
            [OUT_BAND] = {"band", "band-pass, 0 dB at the peak", TAC_PORT_SIGNAL, 0},
            [OUT_HIGH] = {"high", "high-pass", TAC_PORT_SIGNAL, 0},
            [OUT_NOTCH] = {"notch", "all but the band", TAC_PORT_SIGNAL, 0},
            [OUT_PEAK] = {"peak", "low minus high: all, with a peak at the cutoff", TAC_PORT_SIGNAL,
                          0},
            [OUT_ALLPASS] = {"allpass", "all, turned in phase", TAC_PORT_SIGNAL, 0}},
    .param = {[P_CUTOFF] = {"cutoff", "corner frequency", TAC_UNIT_HZ, 10, 23500, 1000,
                            TAC_CURVE_LOG, NULL},
              [P_PITCH] = {"pitch", "semitones added to the cutoff", TAC_UNIT_SEMITONES, -136, 136,
                           0, TAC_CURVE_LINEAR, NULL},
              [P_RESONANCE] = {"resonance", "0 %: Q 0.5, 50 %: Q 5, 100 %: Q 50", TAC_UNIT_PERCENT,
                               0, 1, 0.1f, TAC_CURVE_LINEAR, NULL}},
    .state_bytes = sizeof(struct svf),
    .tail_s = -1,
    .live = live,
    .forget = forget,
    .init = init,
    .process = process,
    .process2 = process2,
};
