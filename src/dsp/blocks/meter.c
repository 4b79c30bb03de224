/* SPDX-License-Identifier: MIT
 * meter.c - how loud a sound is: EBU R128 loudness, true peak, level.
 *
 * Method   Two sides through the K-weighting of BS.1770 (a shelf and a high-pass, as svf_core.h
 *          with the corners that give the standard's coefficients at 48 kHz at any rate); mean
 *          squares of steps of 100 ms. Momentary: the last 4 steps; short-term: the last 30.
 *          Integrated: all spans of 400 ms above -70 LUFS, and of these the ones above their mean
 *          less 10 LU. The spans lie in a histogram of 0.1 LU, and the sum above the second gate
 *          follows the gate by some bins at a time. One lane is seen to in a frame, so that every
 *          frame costs about the same: a span is counted within as many frames as there are lanes,
 *          and with 16 lanes a gate arrives within 50 ms. A reset forgets the histogram by giving
 *          its lane another age; bins of an older one are empty.
 *          True peak: the largest sample at four times the rate (half_band.h).
 * Source   ITU-R BS.1770-4; EBU Tech 3341. Corners: 1681.97 Hz, Q 0.7072, 4 dB; 38.14 Hz, Q 0.5.
 * Quality  within 0.1 LU of libebur128, peak within 0.1 dB (tests/dsp/test_meter.c).
 * Latency  0 of what passes through; readings come 100 ms late. State: 13 KiB a lane. */
#include "dsp/block.h"
#include "dsp/half_band.h"
#include "dsp/svf_core.h"

enum { P_RELEASE };
enum { IN_LEFT, IN_RIGHT, IN_RESET, SIDES = 2 };
enum {
    OUT_LEFT,
    OUT_RIGHT,
    OUT_MOMENTARY,
    OUT_SHORT,
    OUT_INTEGRATED,
    OUT_TRUE_PEAK,
    OUT_PEAK,
    OUT_RMS
};
enum { SPAN_STEPS = 4, SHORT_STEPS = 30, BINS = 750, STEEP_RING = 64, WIDE_RING = 16 };
enum { GATE_STRIDE = 6 }; /* bins that a gate moves by at a time */

static const float floor_lufs = -70, silent_db = -120;

/* One side: K-weighting, and four times the rate. */
struct side {
    struct tac_svf shelf, high;
    tac_v up1[STEEP_RING], up2[WIDE_RING];
};

struct bin {
    double energy;
    uint32_t spans, age;
};

/* The gated mean of a lane. Sums of all spans, and of those in bins from `gate` on. */
struct gated {
    double all, above;
    uint32_t all_spans, above_spans;
    uint32_t gate, wanted, age;
};

struct meter {
    struct side side[SIDES];
    tac_v step[SHORT_STEPS]; /* energies of the last steps */
    tac_v sum;               /* of the step that runs */
    tac_v momentary, brief, integrated, true_peak, peak, power;
    tac_v reset_before;
    struct gated gated[TAC_LANES];
    struct bin (*bin)[BINS]; /* [lanes] */
    struct tac_svf_tuning shelf, high;
    float shelf_k, high_gain, rate_hz;
    uint32_t frame, step_frames, steps, at, count;
    tac_v span;                 /* the last one */
    uint32_t counting, leading; /* bit l: lane l has not counted it; its gate moves */
};

static size_t memory_bytes(const struct tac_setup *setup)
{
    (void)setup;
    return sizeof(struct bin[TAC_LANES][BINS]);
}

/* A span that has not been counted belongs to what is forgotten. */
static void forget(struct meter *s, uint32_t lane)
{
    s->gated[lane] = (struct gated){.age = s->gated[lane].age + 1};
    s->counting &= ~(1u << lane);
    s->leading &= ~(1u << lane);
    s->integrated[lane] = silent_db;
    s->true_peak[lane] = s->peak[lane] = 0;
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct meter *s = state;
    s->bin = memory;
    s->rate_hz = setup->rate_hz;
    s->step_frames = (uint32_t)(setup->rate_hz / 10 + 0.5f);
    float per_hz = 1.0f / setup->rate_hz, shelf_q = 0.70717524f, high_q = 0.50032704f;
    s->shelf_k = 1 / shelf_q;
    s->shelf = tac_svf_tune(tac_v_set(1681.9744f), per_hz, tac_v_set(s->shelf_k));
    s->high = tac_svf_tune(tac_v_set(38.135471f), per_hz, tac_v_set(1 / high_q));
    struct tac_ratio g = tac_v_tan_pi(tac_v_set(38.135471f * per_hz));
    float t = g.n[0] / g.d[0];
    s->high_gain = 1 + t * (t + 1 / high_q); /* the standard leaves this high-pass unscaled */
    s->momentary = s->brief = tac_v_set(silent_db);
    for (uint32_t lane = 0; lane < TAC_LANES; lane++)
        forget(s, lane);
}

/* ---- loudness ------------------------------------------------------------------------------ */

TAC_INLINE tac_v weigh(const struct meter *s, struct side *side, tac_v x)
{
    const float treble = 1.58486470f, middle = 1.25872094f; /* 4 dB and about its root */
    struct tac_svf_bands b = tac_svf_step(&side->shelf, &s->shelf, x);
    tac_v band = b.band * s->shelf_k;
    x = treble * (x - band - b.low) + middle * band + b.low;
    b = tac_svf_step(&side->high, &s->high, x);
    return (x - b.band * (1 / 0.50032704f) - b.low) * s->high_gain;
}

TAC_INLINE tac_v loudness(tac_v energy)
{
    tac_v lufs = tac_v_log2(tac_v_max(energy, tac_v_set(1e-12f))) * 3.01029996f - 0.691f;
    return tac_v_max(lufs, tac_v_set(silent_db));
}

static uint32_t bin_of(float lufs)
{
    float bin = (lufs - floor_lufs) * 10;
    return bin < 0 ? 0 : bin > BINS - 1 ? BINS - 1 : (uint32_t)bin;
}

static float loudness_of(double energy)
{
    return loudness(tac_v_set((float)energy))[0];
}

static struct bin *bin_at(struct meter *s, uint32_t lane, uint32_t index)
{
    struct bin *b = &s->bin[lane][index];
    if (b->age != s->gated[lane].age)
        *b = (struct bin){.age = s->gated[lane].age};
    return b;
}

static void count_span(struct meter *s, uint32_t lane, float energy)
{
    struct gated *g = &s->gated[lane];
    float lufs = loudness_of((double)energy);
    s->counting &= ~(1u << lane);
    if (lufs < floor_lufs)
        return;
    uint32_t index = bin_of(lufs);
    struct bin *b = bin_at(s, lane, index);
    b->energy += (double)energy;
    b->spans++;
    g->all += (double)energy;
    g->all_spans++;
    if (index >= g->gate) {
        g->above += (double)energy;
        g->above_spans++;
    }
    g->wanted = bin_of(loudness_of(g->all / g->all_spans) - 10);
    s->leading |= 1u << lane;
}

/* The second gate moves by some bins. */
static void lead_gate(struct meter *s, uint32_t lane)
{
    struct gated *g = &s->gated[lane];
    for (int k = 0; k < GATE_STRIDE && g->gate < g->wanted; k++) {
        const struct bin *b = bin_at(s, lane, g->gate++);
        g->above -= b->energy;
        g->above_spans -= b->spans;
    }
    for (int k = 0; k < GATE_STRIDE && g->gate > g->wanted; k++) {
        const struct bin *b = bin_at(s, lane, --g->gate);
        g->above += b->energy;
        g->above_spans += b->spans;
    }
    if (g->gate != g->wanted)
        return;
    s->leading &= ~(1u << lane);
    if (g->above_spans)
        s->integrated[lane] = loudness_of(g->above / g->above_spans);
}

/* The lane whose turn it is in this frame. */
TAC_INLINE void see_to_one(struct meter *s)
{
    uint32_t lane = s->count % TAC_LANES;
    if (s->counting >> lane & 1)
        count_span(s, lane, s->span[lane]);
    else if (s->leading >> lane & 1)
        lead_gate(s, lane);
}

static tac_v mean_of_last(const struct meter *s, uint32_t steps)
{
    tac_v sum = tac_v_set(0);
    for (uint32_t k = 0; k < steps; k++)
        sum += s->step[(s->at + SHORT_STEPS - 1 - k) % SHORT_STEPS];
    return sum / (float)steps;
}

static void end_step(struct meter *s)
{
    s->step[s->at] = s->sum / (float)s->step_frames;
    s->at = (s->at + 1) % SHORT_STEPS;
    s->steps += s->steps < SHORT_STEPS;
    s->sum = tac_v_set(0);
    s->frame = 0;
    if (s->steps < SPAN_STEPS)
        return;
    s->span = mean_of_last(s, SPAN_STEPS);
    s->counting = (1u << TAC_LANES) - 1;
    s->momentary = loudness(s->span);
    if (s->steps == SHORT_STEPS)
        s->brief = loudness(mean_of_last(s, SHORT_STEPS));
}

/* ---- peaks --------------------------------------------------------------------------------- */

/* The largest of the four samples between two frames. */
TAC_INLINE tac_v oversampled_peak(struct side *side, uint32_t frame, tac_v x)
{
    struct tac_pair p =
        tac_half_band_up(side->up1, STEEP_RING, frame, tac_half_steep, TAC_HALF_STEEP, x);
    struct tac_pair a =
        tac_half_band_up(side->up2, WIDE_RING, 2 * frame, tac_half_wide, TAC_HALF_WIDE, p.first);
    struct tac_pair b = tac_half_band_up(side->up2, WIDE_RING, 2 * frame + 1, tac_half_wide,
                                         TAC_HALF_WIDE, p.second);
    return tac_v_max(tac_v_max(tac_v_abs(a.first), tac_v_abs(a.second)),
                     tac_v_max(tac_v_abs(b.first), tac_v_abs(b.second)));
}

TAC_INLINE tac_v to_db(tac_v size)
{
    return tac_v_log2(tac_v_max(size, tac_v_set(1e-12f))) * 6.02059991f;
}

static void reset(struct meter *s, tac_v now)
{
    uint32_t bits = tac_m_bits((now > 0.5f) & (s->reset_before <= 0.5f));
    s->reset_before = now;
    for (; bits; bits &= bits - 1)
        forget(s, (uint32_t)__builtin_ctz(bits));
}

struct loud {
    tac_v energy, true_peak, peak;
};

/* between: the true peak is wanted, which costs more than all else. */
TAC_INLINE void listen(struct meter *s, int side, int between, tac_v x, struct loud *loud)
{
    tac_v w = weigh(s, &s->side[side], x);
    loud->energy += w * w;
    if (between)
        loud->true_peak = tac_v_max(loud->true_peak, oversampled_peak(&s->side[side], s->count, x));
    loud->peak = tac_v_max(loud->peak, tac_v_abs(x));
}

static void put_readings(const struct meter *s, const struct tac_io *io, uint32_t i)
{
    tac_put(io, OUT_MOMENTARY, i, s->momentary);
    tac_put(io, OUT_SHORT, i, s->brief);
    tac_put(io, OUT_INTEGRATED, i, s->integrated);
    if (io->out[OUT_TRUE_PEAK])
        tac_put(io, OUT_TRUE_PEAK, i, to_db(tac_v_max(s->true_peak, tac_v_set(1e-6f))));
    if (io->out[OUT_PEAK])
        tac_put(io, OUT_PEAK, i, to_db(tac_v_max(s->peak, tac_v_set(1e-6f))));
    if (io->out[OUT_RMS])
        tac_put(io, OUT_RMS, i, to_db(s->power) * 0.5f);
}

static void process(void *state, const struct tac_io *io)
{
    struct meter *s = state;
    int stereo = io->in[IN_RIGHT].connected != 0, between = io->out[OUT_TRUE_PEAK] != NULL;
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_v left = TAC_AT(io->in[IN_LEFT], i), right = TAC_AT(io->in[IN_RIGHT], i);
        struct loud loud = {0};
        reset(s, TAC_AT(io->in[IN_RESET], i));
        listen(s, 0, between, left, &loud);
        if (stereo)
            listen(s, 1, between, right, &loud);
        s->sum += loud.energy;
        s->true_peak = tac_v_max(s->true_peak, loud.true_peak);
        s->peak = tac_v_max(s->peak, loud.peak);
        s->count++;
        tac_v square = stereo ? (left * left + right * right) * 0.5f : left * left;
        tac_v seconds = TAC_AT(io->param[P_RELEASE], i);
        s->power += (square - s->power) / (seconds * s->rate_hz + 1.0f);
        if (++s->frame == s->step_frames)
            end_step(s);
        see_to_one(s);
        tac_put(io, OUT_LEFT, i, left);
        tac_put(io, OUT_RIGHT, i, right);
        put_readings(s, io, i);
    }
}

static const char *reading(const void *state, uint32_t port, uint32_t lane, float *ret_value)
{
    const struct meter *s = state;
    tac_v value;
    switch (port) {
    case OUT_MOMENTARY:
        value = s->momentary;
        break;
    case OUT_SHORT:
        value = s->brief;
        break;
    case OUT_INTEGRATED:
        value = s->integrated;
        break;
    case OUT_TRUE_PEAK:
        if (s->true_peak[lane] <= 0)
            return NULL; // silence, or nobody wanted it: process
        value = to_db(tac_v_max(s->true_peak, tac_v_set(1e-6f)));
        break;
    case OUT_PEAK:
        value = to_db(tac_v_max(s->peak, tac_v_set(1e-6f)));
        break;
    case OUT_RMS:
        value = to_db(s->power) * 0.5f;
        break;
    default:
        return NULL;
    }
    *ret_value = value[lane];
    return port <= OUT_INTEGRATED ? "LUFS" : "dB";
}

TAC_BLOCK(meter) = {
    .name = "meter",
    .group = "measure",
    .doc = "How loud a sound is: EBU R128 loudness, true peak, level.",
    .about = "The sound passes through; the other outputs are readings in LUFS and dB.",
    .in = {[IN_LEFT] = {"left", "the sound, or its left side", TAC_PORT_SIGNAL, 0},
           [IN_RIGHT] = {"right", "its right side; mono when nothing is connected", TAC_PORT_SIGNAL,
                         0},
           [IN_RESET] = {"reset", "begins integrated loudness and peaks anew when it rises",
                         TAC_PORT_SIGNAL, 0}},
    .out = {[OUT_LEFT] = {"left", "the sound as it came", TAC_PORT_SIGNAL, 0},
            [OUT_RIGHT] = {"right", "the sound as it came", TAC_PORT_SIGNAL, 0},
            [OUT_MOMENTARY] = {"momentary", "loudness of the last 400 ms, LUFS", TAC_PORT_SIGNAL,
                               0},
            [OUT_SHORT] = {"short", "loudness of the last 3 s, LUFS", TAC_PORT_SIGNAL, 0},
            [OUT_INTEGRATED] = {"integrated", "loudness since the start, gated, LUFS",
                                TAC_PORT_SIGNAL, 0},
            [OUT_TRUE_PEAK] = {"true_peak", "loudest value between samples since the start, dB",
                               TAC_PORT_SIGNAL, 0},
            [OUT_PEAK] = {"peak", "loudest sample since the start, dB", TAC_PORT_SIGNAL, 0},
            [OUT_RMS] = {"rms", "mean power over about the release time, dB", TAC_PORT_SIGNAL, 0}},
    .param = {[P_RELEASE] = {"release", "time constant of rms", TAC_UNIT_S, 0.001f, 60, 0.3f,
                             TAC_CURVE_LOG, NULL}},
    .state_bytes = sizeof(struct meter),
    .memory_bytes = memory_bytes,
    .init = init,
    .process = process,
    .reading = reading,
};
