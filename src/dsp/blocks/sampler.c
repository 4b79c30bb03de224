/* SPDX-License-Identifier: MIT
 * sampler.c - strikes a sound file at each gate, at any pitch, each lane on its own.
 *
 * Method   the engine keeps the first half second of the file in memory and reads the rest from
 *          disk when it is struck (struct tac_stream). A lane copies frames from there into a
 *          short buffer and reads between them by a windowed sinc of 32 taps (tables.py). Pitched
 *          up, the sinc is stretched by the same ratio, so that what would come out above half the
 *          rate is left out. What sounds when a lane is struck again, or when the file ends, falls
 *          away in 3 ms instead of breaking off.
 *          An instrument has parts instead (struct tac_instrument), whose sounds lie in memory: key
 *          and velocity of the stroke choose one, and a loop goes round while the sound is copied,
 *          its end crossing over into what lies before its beginning.
 * Quality  at the pitch of the file its own samples, bit for bit; else distortion below -105 dB.
 *          Pitched up, what is left out folds to below 18 kHz at less than -90 dB
 *          (tests/dsp/test_sampler.c).
 * Latency  0. State: 16 KiB, and 5 KiB a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"
#include "dsp/tables.h"

#include <string.h>

enum { P_PITCH, P_ROOT, P_MODE, P_RELEASE, P_LEVEL };
enum { IN_GATE, IN_VELOCITY };
enum { OUT_LEFT, OUT_RIGHT, SIDES };
enum { O_FILE, O_LOOP };
enum { ONE_SHOT, GATED };
enum { BEFORE = TAC_SINC_TAPS / 2 - 1, RUN = 64, CHANNELS_MAX = 64, FASTEST = 16 };
enum { REACH = TAC_SINC_TAPS / 2 * FASTEST, BUFFER = 2 * REACH + 2 * RUN };

static const char *const modes[] = {"one-shot", "gated", NULL};
static const char *const yes_no[] = {"no", "yes", NULL};

struct lane {
    struct tac_stream *file;     /* NULL: instrument, or nothing */
    const struct tac_part *part; /* the one that was struck last */
    float side[SIDES][BUFFER];   /* frames of the file around the place that is heard */
    double at;                   /* that place in the buffer */
    uint32_t filled, next; /* frames in the buffer; frame of the head or part that comes next */
    uint32_t silent;       /* frames behind the end of the file in the buffer */
    float gain, fade;      /* fade: 1, falling once the gate is let go */
    float last[SIDES], tail[SIDES];
    uint8_t playing, held, released;
    uint8_t turning; /* from the end of the loop to its beginning */
};

struct sampler {
    struct lane *lane; /* [lanes] */
    const struct tac_instrument *instrument;
    uint32_t lanes_used;
    float rate_hz, tail_rate;
    float frames[RUN * CHANNELS_MAX];
};

static size_t memory_bytes(const struct tac_setup *setup)
{
    (void)setup;
    return TAC_LANES * sizeof(struct lane);
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct sampler *s = state;
    s->lane = memory;
    s->instrument = setup->instrument;
    s->lanes_used = setup->lanes_used;
    s->rate_hz = setup->rate_hz;
    s->tail_rate = 1.0f - 2.3f / (0.003f * setup->rate_hz + 2.3f);
    for (uint32_t l = 0; l < TAC_LANES; l++)
        s->lane[l].file = setup->sample[l];
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Up to n frames from the head, then from the stream, or where the head ends from both. */
static uint32_t fetch(struct sampler *s, struct lane *lane, uint32_t n, const float **ret_frames)
{
    const struct tac_stream *f = lane->file;
    uint32_t left = f->head_frames - lane->next, own = left < n ? left : n;
    const float *head = f->head + (size_t)lane->next * f->channels;
    lane->next += own;
    *ret_frames = own == n ? head : s->frames;
    if (own == n)
        return n;
    if (own)
        memcpy(s->frames, head, (size_t)own * f->channels * sizeof *head);
    return own + lane->file->read(lane->file, s->frames + (size_t)own * f->channels, n - own);
}

/* At the place where a loop ends, or begins to cross over. */
static int goes_round(const struct lane *lane)
{
    return lane->part->mode == TAC_PART_LOOP ||
           (lane->part->mode == TAC_PART_SUSTAIN && !lane->released);
}

/* Frames of the part from next on; where it turns, under a share of those a loop earlier. */
static void copy_part(const struct lane *lane, float *to, uint32_t count)
{
    const struct tac_part *z = lane->part;
    uint32_t cross = z->loop_end - z->fade, values = count * z->channels;
    const float *from = z->sound + (size_t)lane->next * z->channels;
    if (!lane->turning || lane->next < cross) {
        memcpy(to, from, values * sizeof *to);
        return;
    }
    const float *earlier = from - (size_t)(z->loop_end - z->loop_first) * z->channels;
    for (uint32_t i = 0; i < values; i++) {
        float share = ((float)(lane->next - cross + i / z->channels) + 0.5f) / (float)z->fade;
        to[i] = from[i] + share * (earlier[i] - from[i]);
    }
}

/* Up to n frames of the part: on to its end, or round its loop. Each two rounds give a frame. */
static uint32_t fetch_part(struct lane *lane, float *to, uint32_t n)
{
    const struct tac_part *z = lane->part;
    uint32_t got = 0, cross = z->loop_end - z->fade;
    while (got < n) {
        if (lane->next == cross)
            lane->turning = (uint8_t)goes_round(lane);
        if (lane->next == z->frames && !lane->turning)
            break;
        uint32_t end = lane->next < cross ? cross : lane->turning ? z->loop_end : z->frames;
        uint32_t count = end - lane->next < n - got ? end - lane->next : n - got;
        copy_part(lane, to + (size_t)got * z->channels, count);
        got += count;
        lane->next += count;
        if (lane->turning && lane->next == z->loop_end) {
            lane->next = z->loop_first;
            lane->turning = 0;
        }
    }
    return got;
}

static uint32_t channels_of(const struct lane *lane)
{
    return lane->part ? lane->part->channels : lane->file->channels;
}

/* Make room by forgetting what no tap reaches any more, and put in up to RUN frames. */
static void refill(struct sampler *s, struct lane *lane)
{
    uint32_t gone = (uint32_t)lane->at - REACH, channels = channels_of(lane);
    const float *frame = s->frames;
    lane->at -= (double)gone;
    lane->filled -= gone;
    uint32_t got = lane->part ? fetch_part(lane, s->frames, RUN) : fetch(s, lane, RUN, &frame);
    for (int c = 0; c < SIDES; c++) {
        float *to = lane->side[c];
        uint32_t from = c < (int)channels ? (uint32_t)c : channels - 1;
        for (uint32_t i = 0; i < lane->filled; i++)
            to[i] = to[i + gone];
        for (uint32_t i = 0; i < RUN; i++)
            to[lane->filled + i] = i < got ? frame[i * channels + from] : 0;
    }
    lane->silent = got ? RUN - got : lane->silent + RUN;
    lane->filled += RUN;
}

static void stop(struct lane *lane)
{
    for (int c = 0; c < SIDES; c++) {
        lane->tail[c] += lane->last[c];
        lane->last[c] = 0;
    }
    lane->playing = 0;
}

/* The first part of the key that has the velocity, or NULL: also for what is no number, or none of
 * MIDI. */
static const struct tac_part *find_part(const struct tac_instrument *instrument, float pitch,
                                        float velocity)
{
    if (!(pitch > -0.5f && pitch < 127.5f && velocity >= 0 && velocity < 1.004f))
        return NULL;
    int key = (int)(pitch + 0.5f), loud = (int)(velocity * 127 + 0.5f);
    for (uint32_t i = instrument->first[key]; i < instrument->first[key + 1]; i++) {
        const struct tac_part *z = &instrument->part[instrument->index[i]];
        if (z->velocity_low <= loud && loud <= z->velocity_high)
            return z;
    }
    return NULL;
}

static void strike(struct sampler *s, struct lane *lane, float pitch, float velocity)
{
    stop(lane);
    if (s->instrument)
        lane->part = find_part(s->instrument, pitch, velocity);
    if (!lane->part && !lane->file)
        return;
    for (int c = 0; c < SIDES; c++)
        for (uint32_t i = 0; i < REACH; i++)
            lane->side[c][i] = 0;
    if (!lane->part && lane->next >= lane->file->head_frames)
        lane->file->restart(lane->file);
    lane->at = REACH;
    lane->filled = REACH;
    lane->next = lane->part ? lane->part->first : 0;
    lane->silent = 0;
    lane->gain = velocity * (lane->part ? lane->part->gain : 1);
    lane->fade = 1;
    lane->released = lane->turning = 0;
    lane->playing = channels_of(lane) > 0 && channels_of(lane) <= CHANNELS_MAX;
}

/* ---- between the frames -------------------------------------------------------------------- */

typedef float four __attribute__((vector_size(16), aligned(4)));

static float read_between(const float *x, float fraction)
{
    float place = fraction * TAC_SINC_PHASES;
    uint32_t row = (uint32_t)place;
    float f = place - (float)row;
    const float *a = tac_sinc[row], *b = tac_sinc[row + 1];
    four sum = {0};
    for (int k = 0; k < TAC_SINC_TAPS; k += 4) {
        four wa = *(const four *)(const void *)(a + k), wb = *(const four *)(const void *)(b + k);
        sum += *(const four *)(const void *)(x + k) * (wa + f * (wb - wa));
    }
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* The sinc at t, -16 < t <= 16. */
static float sinc_at(float t)
{
    float place = t + (float)(TAC_SINC_TAPS / 2);
    uint32_t tap = (uint32_t)place;
    float phase = (1.0f - (place - (float)tap)) * TAC_SINC_PHASES;
    uint32_t row = phase < TAC_SINC_PHASES ? (uint32_t)phase : TAC_SINC_PHASES - 1;
    float a = tac_sinc[row][tap], b = tac_sinc[row + 1][tap];
    return a + (phase - (float)row) * (b - a);
}

/* At a place pitched up: both sides under one stretched sinc. */
static void read_stretched(struct lane *lane, float ratio, float y[SIDES])
{
    uint32_t whole = (uint32_t)lane->at;
    float f = (float)(lane->at - (double)whole), narrow = 1.0f / ratio, sum = 0;
    float reach = (float)(TAC_SINC_TAPS / 2) * ratio - 0.01f;
    int first = -(int)(reach - f), last = (int)(reach + f);
    y[0] = y[1] = 0;
    for (int k = first; k <= last; k++) {
        float w = sinc_at(((float)k - f) * narrow);
        sum += w;
        for (int c = 0; c < SIDES; c++)
            y[c] += w * lane->side[c][(int)whole + k];
    }
    for (int c = 0; c < SIDES; c++)
        y[c] /= sum;
}

/* The place is behind the last frame, and nothing more will come. */
static int is_over(const struct lane *lane)
{
    if (lane->filled - lane->silent > (uint32_t)lane->at)
        return 0;
    if (lane->part)
        return lane->next == lane->part->frames;
    return lane->next >= lane->file->head_frames && lane->file->at_end(lane->file);
}

static void sound(struct lane *lane, float ratio)
{
    uint32_t whole = (uint32_t)lane->at;
    float f = (float)(lane->at - (double)whole), y[SIDES] = {0};
    if (ratio > 1)
        read_stretched(lane, ratio, y);
    for (int c = 0; c < SIDES; c++) {
        const float *x = lane->side[c] + whole;
        if (ratio <= 1)
            y[c] = f > 0 ? read_between(x - BEFORE, f) : x[0];
        lane->last[c] = y[c] * lane->gain * lane->fade;
    }
    lane->at += (double)ratio;
}

/* Room for the taps behind the place. */
static void make_ready(struct sampler *s, struct lane *lane, float ratio)
{
    uint32_t behind = (uint32_t)((ratio > 1 ? ratio : 1) * (TAC_SINC_TAPS / 2)) + 2;
    for (int again = 0; again <= REACH / RUN + 1 && lane->filled < (uint32_t)lane->at + behind;
         again++)
        refill(s, lane);
}

/* Whether what sounds ends with its gate. */
static int is_gated(const struct lane *lane, const struct tac_signal *mode, uint32_t l, uint32_t i)
{
    if (lane->part)
        return lane->part->mode != TAC_PART_ONE_SHOT;
    return mode->data[(size_t)i * mode->stride + l] > 0.5f;
}

static void heed_gate(struct sampler *s, const struct tac_io *io, uint32_t l, uint32_t i)
{
    struct lane *lane = &s->lane[l];
    const struct tac_signal gate = io->in[IN_GATE];
    int held = gate.data[(size_t)i * gate.stride + l] > 0.5f;
    if (held && !lane->held)
        strike(s, lane, TAC_AT(io->param[P_PITCH], i)[l], TAC_AT(io->in[IN_VELOCITY], i)[l]);
    if (!held && lane->held && lane->playing && is_gated(lane, &io->param[P_MODE], l, i))
        lane->released = 1;
    lane->held = (uint8_t)held;
}

/* How many frames of its sound a lane goes on in a frame. */
static float ratio_at(const struct lane *lane, const struct tac_io *io, uint32_t l, uint32_t i)
{
    tac_v root = lane->part ? tac_v_set(lane->part->root) : TAC_AT(io->param[P_ROOT], i);
    tac_v pitch = TAC_AT(io->param[P_PITCH], i) - root;
    float ratio = tac_v_semitones(tac_v_set(pitch[l]))[0];
    ratio = lane->part ? ratio * lane->part->speed : ratio;
    return ratio < FASTEST ? ratio : FASTEST;
}

static void fall(struct lane *lane, float seconds, float rate_hz)
{
    if (lane->part && lane->part->release_s >= 0)
        seconds = lane->part->release_s;
    lane->fade *= tac_v_exp2(tac_v_set(-9.96578428f / (seconds * rate_hz + 1.0f)))[0];
    if (lane->fade < 1e-5f)
        stop(lane);
}

static void play_frame(struct sampler *s, const struct tac_io *io, uint32_t l, uint32_t i)
{
    struct lane *lane = &s->lane[l];
    heed_gate(s, io, l, i);
    if (!lane->playing)
        return;
    float ratio = ratio_at(lane, io, l, i);
    make_ready(s, lane, ratio);
    if (is_over(lane)) {
        stop(lane);
        return;
    }
    sound(lane, ratio);
    if (lane->released)
        fall(lane, TAC_AT(io->param[P_RELEASE], i)[l], s->rate_hz);
}

static void process(void *state, const struct tac_io *io)
{
    struct sampler *s = state;
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_v level = TAC_AT(io->param[P_LEVEL], i), y[SIDES] = {{0}};
        for (uint32_t l = 0; l < s->lanes_used; l++) {
            struct lane *lane = &s->lane[l];
            if (!lane->file && !s->instrument)
                continue;
            play_frame(s, io, l, i);
            for (int c = 0; c < SIDES; c++) {
                lane->tail[c] *= s->tail_rate;
                y[c][l] = lane->last[c] + lane->tail[c];
            }
        }
        tac_put(io, OUT_LEFT, i, y[OUT_LEFT] * level);
        tac_put(io, OUT_RIGHT, i, y[OUT_RIGHT] * level);
    }
}

TAC_BLOCK(sampler) = {
    .name = "sampler",
    .group = "source",
    .doc = "Strikes a sound file at each gate, at any pitch.",
    .about =
        "In a voices section each voice plays the file on its own: set root to the note that "
        "the file holds, and drive pitch by the section's. The beginning is kept in memory; "
        "the rest is read from disk while it sounds, so files may be as long as they like. "
        "Pitched up, it leaves out what has no room below half the sample rate; that costs more "
        "the higher it is.\n\n"
        "A file in SFZ is an instrument: several sounds, each for some keys and velocities, with "
        "loops that cross over. Its parts bring their own root, mode and, if they say so, "
        "release; pitch and velocity at the stroke choose the part. What is read of SFZ stands in "
        "the patch format.",
    .in = {[IN_GATE] = {"gate", "strikes when it rises above 0.5", TAC_PORT_SIGNAL, 0},
           [IN_VELOCITY] = {"velocity", "loudness of the stroke, 0 to 1", TAC_PORT_SIGNAL, 1}},
    .out = {[OUT_LEFT] = {"left", "left side, or all of a mono file", TAC_PORT_SIGNAL, 0},
            [OUT_RIGHT] = {"right", "right side, or all of a mono file", TAC_PORT_SIGNAL, 0}},
    .param = {[P_PITCH] = {"pitch", "semitones; as far above root as the file is pitched up",
                           TAC_UNIT_SEMITONES, -136, 136, 0, TAC_CURVE_LINEAR, NULL},
              [P_ROOT] = {"root", "the pitch at which the file plays as it is", TAC_UNIT_SEMITONES,
                          0, 127, 0, TAC_CURVE_STEP, NULL},
              [P_MODE] = {"mode", "one-shot: to the end of the file; gated: while the gate is held",
                          TAC_UNIT_NONE, 0, 1, 0, TAC_CURVE_STEP, modes},
              [P_RELEASE] = {"release", "gated: time to fall by 60 dB after the gate", TAC_UNIT_S,
                             0.001f, 60, 0.05f, TAC_CURVE_LOG, NULL},
              [P_LEVEL] = {"level", "amplitude", TAC_UNIT_PERCENT, 0, 4, 1, TAC_CURVE_LINEAR,
                           NULL}},
    .option = {[O_FILE] = {"file", "the sound file, or an instrument (.sfz)", TAC_OPTION_SAMPLE, 0,
                           0, 0, NULL},
               [O_LOOP] = {"loop", "start again at the end", TAC_OPTION_CHOICE, 0, 1, 0, yes_no}},
    .state_bytes = sizeof(struct sampler),
    .memory_bytes = memory_bytes,
    .init = init,
    .process = process,
};
