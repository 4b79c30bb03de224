/* SPDX-License-Identifier: MIT
 * adsr.c - an envelope: attack, decay, sustain, release, with exponential segments.
 *
 * Equation every segment falls towards its target: y = target + d, d *= q each frame. Attack aims
 *          at 1.25 and ends at 1, so that it takes the time asked for: q = 5^(-1 / (t fs)). Decay
 *          and release reach their end to -60 dB in the time: q = 1000^(-1 / (t fs)). Where the
 *          target changes, d takes up the difference: the value never steps.
 *          What is left of a release below -180 dB is cut off.
 * Latency  0. State: 48 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_ATTACK, P_DECAY, P_SUSTAIN, P_RELEASE };

#define INAUDIBLE 1e-9f

/* What d is multiplied by in each frame of a segment; or the times that it follows from. */
struct rates {
    tac_v attack, decay, release;
};

struct adsr {
    tac_v d, target;
    tac_m rising; /* all ones while in the attack */
    tac_m held;   /* gate of the frame before */
    float rate_hz;
    uint64_t kept;               /* with q and target: tac_io.still; 0: they are to be found */
    struct rates seconds, rates; /* computed when the times change */
    tac_v q;                     /* what d is multiplied by in each frame, where it glides */
};

static uint32_t live(const void *state)
{
    (void)state;
    return offsetof(struct adsr, kept);
}

static void forget(void *state)
{
    struct adsr *s = state;
    s->kept = 0;
    s->seconds.attack = tac_v_set(-1);
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct adsr *s = state;
    (void)memory;
    s->rate_hz = setup->rate_hz;
    forget(s);
}

/* 2^(-octaves / frames) */
TAC_INLINE tac_v rate(tac_v seconds, float rate_hz, float octaves)
{
    tac_v frames = tac_v_max(seconds * rate_hz, tac_v_set(1));
    return tac_v_exp2(-octaves / frames);
}

TAC_INLINE struct rates rates_at(const struct tac_io *io, uint32_t i, float rate_hz)
{
    return (struct rates){rate(TAC_AT(io->param[P_ATTACK], i), rate_hz, 2.32192809f),
                          rate(TAC_AT(io->param[P_DECAY], i), rate_hz, 9.96578428f),
                          rate(TAC_AT(io->param[P_RELEASE], i), rate_hz, 9.96578428f)};
}

/* Those at the start of the call. */
TAC_INLINE const struct rates *rates_of(struct adsr *s, const struct tac_io *io)
{
    struct rates now = {TAC_AT(io->param[P_ATTACK], 0), TAC_AT(io->param[P_DECAY], 0),
                        TAC_AT(io->param[P_RELEASE], 0)};
    if (tac_v_differ(now.attack, s->seconds.attack) | tac_v_differ(now.decay, s->seconds.decay) |
        tac_v_differ(now.release, s->seconds.release)) {
        s->seconds = now;
        s->rates = rates_at(io, 0, s->rate_hz);
    }
    return &s->rates;
}

/* d makes up for a target that moves. */
TAC_INLINE void aim(struct adsr *s, tac_v target)
{
    s->d += s->target - target;
    s->target = target;
}

static int is_moving(const struct tac_io *io)
{
    return io->param[P_ATTACK].stride || io->param[P_DECAY].stride || io->param[P_RELEASE].stride;
}

/* True when no lane changes its gate in these frames and none is in its attack: then every frame
 * has the same target and rate, which is most of the life of a voice. */
static int is_settled(const struct adsr *s, const struct tac_io *io)
{
    if (is_moving(io) || io->param[P_SUSTAIN].stride)
        return 0;
    tac_m change = s->rising;
    for (uint32_t i = 0; i < (io->in[0].stride ? io->frames : 1); i++)
        change |= (TAC_AT(io->in[0], i) > 0.5f) ^ s->held;
    return !tac_m_any(change);
}

/* The end of a release. */
TAC_INLINE tac_v cut(tac_v d, tac_m held)
{
    return tac_v_select(~held & (tac_m)(tac_v_abs(d) < INAUDIBLE), tac_v_set(0), d);
}

/* Between first and d: in some lane that has fallen to 0 by itself, too. */
TAC_INLINE int ends(tac_v first, tac_v d, tac_m held)
{
    return tac_m_any(~held & (tac_m)(tac_v_abs(d) < INAUDIBLE) & (tac_m)(first != tac_v_set(0)));
}

static int settle(struct adsr *s, const struct tac_io *io)
{
    uint64_t now = tac_still(io);
    if (!is_settled(s, io))
        return 0;
    const struct rates *r = rates_of(s, io);
    aim(s, tac_v_select(s->held, TAC_AT(io->param[P_SUSTAIN], 0), tac_v_set(0)));
    s->q = tac_v_select(s->held, r->decay, r->release);
    s->kept = io->in[0].stride ? 0 : now;
    return 1;
}

/* True when the call has one target and one rate: those of the state. */
TAC_INLINE int glides(struct adsr *s, const struct tac_io *io)
{
    return tac_is_still(io, s->kept) || settle(s, io);
}

/* The same frames once more, in some of which a release ends: a few times in a note. */
static void glide_to_end(struct adsr *s, const struct tac_io *io)
{
    for (uint32_t i = 0; i < io->frames; i++) {
        s->d = cut(s->d * s->q, s->held);
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, s->target + s->d);
    }
}

TAC_INLINE void glide(struct adsr *const *s, const struct tac_io *io, int banks)
{
    tac_v d[2], target[2], q[2];
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        q[b] = s[b]->q;
        d[b] = s[b]->d;
        target[b] = s[b]->target;
    }
    for (uint32_t i = 0; i < io->frames; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++) {
            d[b] *= q[b];
            tac_v_store(io[b].out[0] + (size_t)i * TAC_LANES, target[b] + d[b]);
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        if (ends(s[b]->d, d[b], s[b]->held))
            glide_to_end(s[b], &io[b]);
        else
            s[b]->d = d[b];
    }
}

static void run(struct adsr *state, const struct tac_io *io)
{
    struct adsr s = *state;
    struct rates r = *rates_of(&s, io);
    int moving = is_moving(io);
    s.kept = 0;
    for (uint32_t i = 0; i < io->frames; i++) {
        if (moving)
            r = rates_at(io, i, s.rate_hz);
        tac_m gate = TAC_AT(io->in[0], i) > 0.5f;
        s.rising = (s.rising | (gate & ~s.held)) & gate;
        s.held = gate;
        tac_v end = tac_v_select(s.rising, tac_v_set(1.25f), TAC_AT(io->param[P_SUSTAIN], i));
        aim(&s, tac_v_select(gate, end, tac_v_set(0)));
        s.d *= tac_v_select(gate, tac_v_select(s.rising, r.attack, r.decay), r.release);
        tac_m top = s.rising & (s.target + s.d >= 1.0f);
        s.d = cut(tac_v_select(top, tac_v_set(-0.25f), s.d), gate);
        s.rising &= ~top;
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, s.target + s.d);
    }
    *state = s;
}

static void process(void *state, const struct tac_io *io)
{
    struct adsr *s = state;
    if (glides(s, io))
        glide(&s, io, 1);
    else
        run(s, io);
}

static void process2(void *states, const struct tac_io *io)
{
    struct adsr *const *s = states;
    if (glides(s[0], &io[0]) && glides(s[1], &io[1])) {
        glide(s, io, 2);
        return;
    }
    process(s[0], &io[0]);
    process(s[1], &io[1]);
}

static int at_rest(const void *state)
{
    const struct adsr *s = state;
    tac_m moves = (tac_m)(s->d != tac_v_set(0)) | (tac_m)(s->target != tac_v_set(0));
    return !tac_m_any(moves | s->rising | s->held);
}

TAC_BLOCK(adsr) = {
    .name = "adsr",
    .group = "envelope",
    .doc = "Envelope with attack, decay, sustain and release.",
    .in = {{"gate", "above 0.5 while the key is held", TAC_PORT_SIGNAL, 0}},
    .out = {{"out", "0 to 1", TAC_PORT_SIGNAL, 0}},
    .param = {[P_ATTACK] = {"attack", "time to the top", TAC_UNIT_S, 0, 60, 0.005f, TAC_CURVE_STEP,
                            NULL},
              [P_DECAY] = {"decay", "time to fall to the sustain level within -60 dB", TAC_UNIT_S,
                           0, 60, 0.2f, TAC_CURVE_STEP, NULL},
              [P_SUSTAIN] = {"sustain", "level while held", TAC_UNIT_PERCENT, 0, 1, 0.7f,
                             TAC_CURVE_LINEAR, NULL},
              [P_RELEASE] = {"release", "time to fall by 60 dB after the key is let go", TAC_UNIT_S,
                             0, 60, 0.3f, TAC_CURVE_STEP, NULL}},
    .state_bytes = sizeof(struct adsr),
    .tail_s = -1,
    .silent_by = 1,
    .at_rest = at_rest,
    .live = live,
    .forget = forget,
    .init = init,
    .process = process,
    .process2 = process2,
};
