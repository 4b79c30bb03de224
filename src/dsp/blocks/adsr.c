/* SPDX-License-Identifier: MIT
 * adsr.c - an envelope: attack, decay, sustain, release, with exponential segments.
 *
 * Equation  every segment runs y += (target - y) c. Attack aims at 1.25 and ends at 1, so that it
 * takes the time that was asked for: c = 1 - 5^(-1 / (t fs)). Decay and release aim at their end
 *           and reach it to -60 dB in the time: c = 1 - 1000^(-1 / (t fs)).
 *           A new gate starts from the value that is there, so there is no step.
 * Latency   0. State: 8 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_ATTACK, P_DECAY, P_SUSTAIN, P_RELEASE };

struct adsr {
    tac_v y;
    tac_m rising; /* all ones while in the attack */
    tac_m held;   /* gate of the frame before */
    float rate_hz;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct adsr *s = state;
    (void)memory;
    s->rate_hz = setup->rate_hz;
}

/* 1 - 2^(-octaves / frames) */
TAC_INLINE tac_v rate(tac_v seconds, float rate_hz, float octaves)
{
    tac_v frames = tac_v_max(seconds * rate_hz, tac_v_set(1));
    return 1.0f - tac_v_exp2(-octaves / frames);
}

/* True when no lane changes its gate in these frames and none is in its attack: then every frame
 * has the same target and rate, which is most of the life of a voice. */
static int is_settled(const struct adsr *s, const struct tac_io *io)
{
    tac_m change = s->rising;
    for (uint32_t i = 0; i < io->frames; i++)
        change |= (TAC_AT(io->in[0], i) > 0.5f) ^ s->held;
    return !tac_m_any(change) && !io->param[P_SUSTAIN].stride;
}

static void glide(struct adsr *s, const struct tac_io *io, tac_v decay, tac_v release)
{
    tac_v target = tac_v_select(s->held, TAC_AT(io->param[P_SUSTAIN], 0), tac_v_set(0));
    tac_v c = tac_v_select(s->held, decay, release), y = s->y;
    float *out = io->out[0];
    for (uint32_t i = 0; i < io->frames; i++) {
        y += (target - y) * c;
        y = tac_v_select(tac_v_abs(y) < 1e-9f, tac_v_set(0), y);
        tac_v_store(out + (size_t)i * TAC_LANES, y);
    }
    s->y = y;
}

static void process(void *state, const struct tac_io *io)
{
    struct adsr *s = state;
    tac_v y = s->y, attack = {0}, decay = {0}, release = {0};
    tac_m rising = s->rising, held = s->held;
    int moving =
        io->param[P_ATTACK].stride || io->param[P_DECAY].stride || io->param[P_RELEASE].stride;
    if (!moving && is_settled(s, io)) {
        glide(s, io, rate(TAC_AT(io->param[P_DECAY], 0), s->rate_hz, 9.96578428f),
              rate(TAC_AT(io->param[P_RELEASE], 0), s->rate_hz, 9.96578428f));
        return;
    }
    for (uint32_t i = 0; i < io->frames; i++) {
        if (i == 0 || moving) {
            attack = rate(TAC_AT(io->param[P_ATTACK], i), s->rate_hz, 2.32192809f);
            decay = rate(TAC_AT(io->param[P_DECAY], i), s->rate_hz, 9.96578428f);
            release = rate(TAC_AT(io->param[P_RELEASE], i), s->rate_hz, 9.96578428f);
        }
        tac_m gate = TAC_AT(io->in[0], i) > 0.5f;
        rising = (rising | (gate & ~held)) & gate;
        held = gate;
        tac_v sustain = TAC_AT(io->param[P_SUSTAIN], i);
        tac_v target =
            tac_v_select(gate, tac_v_select(rising, tac_v_set(1.25f), sustain), tac_v_set(0));
        tac_v c = tac_v_select(gate, tac_v_select(rising, attack, decay), release);
        y += (target - y) * c;
        tac_m top = rising & (y >= 1.0f);
        y = tac_v_select(top, tac_v_set(1), y);
        y = tac_v_select(tac_v_abs(y) < 1e-9f, tac_v_set(0), y);
        rising &= ~top;
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, y);
    }
    s->y = y;
    s->rising = rising;
    s->held = held;
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
    .init = init,
    .process = process,
};
