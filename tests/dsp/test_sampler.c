/* SPDX-License-Identifier: MIT
 * test_sampler.c - what pitching a file does to a sine; the parts of an instrument. */
#include "play.h"
#include "test.h"

enum { HEAD = 1 << 17, N = 1 << 15 };

static float head[HEAD], heard[N];

static uint32_t read_nothing(struct tac_stream *self, float *out, uint32_t frames)
{
    (void)self, (void)out, (void)frames;
    return 0;
}

static bool always_at_end(struct tac_stream *self)
{
    (void)self;
    return true;
}

static struct tac_stream sine = {.channels = 1,
                                 .read = read_nothing,
                                 .at_end = always_at_end,
                                 .head = head,
                                 .head_frames = HEAD};

static double phase_of(const float *x, size_t n, double norm)
{
    double a = 0, b = 0;
    for (size_t i = 0; i < n; i++) {
        a += (double)x[i] * cos(2 * M_PI * norm * (double)i);
        b += (double)x[i] * sin(2 * M_PI * norm * (double)i);
    }
    return atan2(a, b);
}

/* All but the best fitting sine near that frequency, in dB below it. The pitch is a float, so the
 * frequency is off by up to 1e-7: it is read from the phases of the two halves. */
static double residual_db(const float *x, double norm)
{
    double turn = phase_of(x + N / 2, N / 2, norm) - phase_of(x, N / 2, norm);
    double a = 0, b = 0, error = 0;
    norm += remainder(turn - M_PI * norm * N, 2 * M_PI) / (M_PI * N);
    for (size_t i = 0; i < N; i++) {
        double w = 2 * M_PI * norm * (double)i;
        a += 2.0 / N * (double)x[i] * cos(w);
        b += 2.0 / N * (double)x[i] * sin(w);
    }
    for (size_t i = 0; i < N; i++) {
        double w = 2 * M_PI * norm * (double)i, r = (double)x[i] - a * cos(w) - b * sin(w);
        error += r * r / N;
    }
    return 10 * log10(error / ((a * a + b * b) / 2));
}

/* Frequencies that come out, as whole periods of N frames. */
static void a_pitched_sine_stays_a_sine(void)
{
    static const double pitch[] = {-7, -0.31, 0, 4, 7, 12}, periods[] = {137, 1367, 4733};
    play_sample = &sine;
    EACH_EXTREME(v)
    for (size_t k = 0; k < 3; k++)
        for (size_t t = 0; t < 6; t++) {
            struct play p;
            double norm = periods[k] / N / pow(2, pitch[t] / 12);
            for (size_t i = 0; i < HEAD; i++)
                head[i] = (float)sin(2 * M_PI * norm * (double)i);
            play_open(&p, v, "sampler");
            play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 1);
            play_set(&p, "pitch", pitch[t]);
            play_run(&p, NULL, 0, heard, 64);
            play_run(&p, NULL, 0, heard, N);
            double db = residual_db(heard, periods[k] / N);
            CHECK_MSG(db <= -105, "%s, %g periods, %g semitones: %.1f dB", v->name, periods[k],
                      pitch[t], db);
            play_close(&p);
        }
    play_sample = NULL;
}

/* Pitched up, a sine that would come out above half the rate does not: it would fold to below 18
 * kHz. One that has room keeps its level. */
static void what_has_no_room_is_left_out(void)
{
    static const struct {
        double semitones, hz; /* hz: of the file */
        int stays;
    } load[] = {{12, 15500, 0}, {12, 20000, 0}, {12, 8500, 1}, {7, 20500, 0}, {19, 12000, 0},
                {24, 9000, 0},  {24, 4000, 1},  {40, 3200, 0}, {1, 16000, 1}};
    play_sample = &sine;
    EACH_EXTREME(v)
    for (size_t k = 0; k < sizeof load / sizeof *load; k++) {
        struct play p;
        double power = 0;
        for (size_t i = 0; i < HEAD; i++)
            head[i] = (float)sin(2 * M_PI * load[k].hz / PLAY_RATE * (double)i);
        play_open(&p, v, "sampler");
        play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 1);
        play_set(&p, "pitch", load[k].semitones);
        play_run(&p, NULL, 0, heard, 1024);
        play_run(&p, NULL, 0, heard, 4096);
        for (size_t i = 0; i < 4096; i++)
            power += 2 * (double)heard[i] * (double)heard[i] / 4096;
        double db = 10 * log10(power + 1e-20);
        CHECK_MSG(load[k].stays ? fabs(db) < 0.1 : db <= -90, "%s, %g Hz, %g semitones up: %.2f dB",
                  v->name, load[k].hz, load[k].semitones, db);
        play_close(&p);
    }
    play_sample = NULL;
}

/* Goes on behind a head of any length, for one lane. frames 0: from there. */
static uint32_t read_on(struct tac_stream *self, float *out, uint32_t frames)
{
    static uint32_t next;
    if (!frames)
        next = self->head_frames;
    for (uint32_t i = 0; i < frames; i++)
        out[i] = (float)(1 + next++);
    return frames;
}

static void the_head_goes_over_into_the_stream(void)
{
    static struct tac_stream ramp = {
        .channels = 1, .read = read_on, .at_end = always_at_end, .head = head};
    const struct tac_variant *one = tac_blocks_variant_for(1);
    play_sample = &ramp;
    for (uint32_t i = 0; i < HEAD; i++)
        head[i] = (float)(1 + i);
    for (uint32_t frames = 960; frames <= 1100; frames += 7) {
        struct play p;
        uint32_t wrong = 0;
        ramp.head_frames = frames;
        read_on(&ramp, NULL, 0);
        play_open(&p, one, "sampler");
        play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 1);
        play_run(&p, NULL, 0, heard, 2048);
        for (uint32_t i = 0; i < 2048; i++)
            wrong += heard[i] != (float)(1 + i);
        CHECK_MSG(!wrong, "a head of %u frames: %u are wrong", frames, wrong);
        play_close(&p);
    }
    play_sample = NULL;
}

/* ---- instruments --------------------------------------------------------------------------- */

enum { SOUND = 4000 };

static float ramp[SOUND], other[SOUND];
static struct tac_part part[3];
static struct tac_instrument instrument = {.count = 3, .part = part};

/* Keys 48 to 59 at any velocity; from 60 on two layers. All at their own pitch, of one channel. */
static void compose(void)
{
    static uint16_t index[128 * 3];
    instrument.index = index;
    for (int i = 0; i < SOUND; i++) {
        ramp[i] = (float)(1 + i);
        other[i] = -(float)(1 + i);
    }
    struct tac_part plain = {.velocity_high = 127,
                             .gain = 1,
                             .release_s = -1,
                             .speed = 1,
                             .channels = 1,
                             .frames = SOUND,
                             .loop_end = SOUND,
                             .sound = ramp};
    for (int k = 0; k < 3; k++)
        part[k] = plain;
    part[0].key_low = 48;
    part[0].key_high = 59;
    part[1].key_low = part[2].key_low = 60;
    part[1].key_high = part[2].key_high = 127;
    part[1].velocity_high = 63;
    part[2].velocity_low = 64;
    part[2].sound = other;
    for (uint32_t key = 0, at = 0; key < 128; key++) {
        for (uint16_t k = 0; k < 3; k++)
            if (part[k].key_low <= key && key <= part[k].key_high)
                index[at++] = k;
        instrument.first[key + 1] = at;
    }
}

static void open_instrument(struct play *p, const struct tac_variant *v, double pitch,
                            double velocity)
{
    play_instrument = &instrument;
    play_open(p, v, "sampler");
    play_instrument = NULL;
    play_set(p, "pitch", pitch);
    play_fill(p->in[0], (size_t)PLAY_CHUNK * p->lanes, 1);
    play_fill(p->in[1], (size_t)PLAY_CHUNK * p->lanes, (float)velocity);
}

static void key_and_velocity_choose_the_part(void)
{
    static const struct {
        double pitch, velocity, first;
    } stroke[] = {{48, 1, 1},   {59.4, 0.1, 1},      {60, 0.49, 1},       {60, 0.51, -1},
                  {127, 1, -1}, {59.6, 1, -1},       {47, 1, 0},          {-20, 1, 0},
                  {135, 1, 0},  {(double)NAN, 1, 0}, {60, (double)NAN, 0}};
    compose();
    EACH_EXTREME(v)
    for (size_t k = 0; k < sizeof stroke / sizeof *stroke; k++) {
        struct play p;
        part[0].root = part[1].root = part[2].root = (float)stroke[k].pitch;
        open_instrument(&p, v, stroke[k].pitch, stroke[k].velocity);
        play_run(&p, NULL, 0, heard, 64);
        double due = stroke[k].first != 0 ? stroke[k].first * stroke[k].velocity : 0;
        CHECK_MSG(fabs((double)heard[0] - due) < 1e-6, "%s, key %g at %g: %g", v->name,
                  stroke[k].pitch, stroke[k].velocity, (double)heard[0]);
        play_close(&p);
    }
}

/* Frame by frame, at the pitch of the sound: round the loop while the gate is up, then on to the
 * end, which it reaches at full level where the release is long. */
static void a_loop_goes_round_until_the_gate_falls(void)
{
    compose();
    part[0].mode = TAC_PART_SUSTAIN;
    part[0].root = 50;
    part[0].loop_first = 1000;
    part[0].loop_end = 1500;
    part[0].release_s = 1e6f;
    EACH_EXTREME(v)
    {
        struct play p;
        uint32_t wrong = 0;
        open_instrument(&p, v, 50, 1);
        play_run(&p, NULL, 0, heard, 5120);
        for (uint32_t i = 0; i < 5120; i++)
            wrong += heard[i] != ramp[i < 1500 ? i : 1000 + (i - 1000) % 500];
        CHECK_MSG(!wrong, "%s: %u frames are wrong", v->name, wrong);
        play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 0);
        play_run(&p, NULL, 0, heard, 5120);
        uint32_t end = 0;
        for (uint32_t i = 1; i < 5120; i++) {
            end = fabsf(heard[i]) >= 1 ? i : end;
            wrong += heard[i] > heard[i - 1] + 1.5f;
        }
        /* What lay in the buffer before the gate fell still goes round. */
        CHECK_MSG(!wrong && end > 2500 && end < 3600, "%s: %u wrong, ends at %u", v->name, wrong,
                  end);
        play_close(&p);
    }
}

/* The loop is half a period of a triangle longer than whole periods: without a cross-fade there is
 * an edge; with one, no step is larger than those of the sound and of the fade. */
static void a_loop_crosses_over(void)
{
    compose();
    for (int i = 0; i < SOUND; i++)
        ramp[i] = fabsf((float)(i % 200) / 50 - 2) - 1;
    part[0].mode = TAC_PART_LOOP;
    part[0].root = 50;
    part[0].loop_first = 1000;
    part[0].loop_end = 2100;
    EACH_EXTREME(v)
    for (uint32_t fade = 0; fade <= 400; fade += 400) {
        struct play p;
        double step = 0;
        part[0].fade = fade;
        open_instrument(&p, v, 50, 1);
        play_run(&p, NULL, 0, heard, 20000);
        for (int i = 1; i < 20000; i++)
            step = fmax(step, fabs((double)heard[i] - (double)heard[i - 1]));
        CHECK_MSG(fade ? step < 0.026 : step > 1.9, "%s, fade of %u: a step of %.4f", v->name, fade,
                  step);
        play_close(&p);
    }
}

/* One shot, and a gate that ends a sound within its release. */
static void parts_end_as_they_say(void)
{
    compose();
    part[0].root = 50;
    part[0].release_s = 0.001f;
    for (int mode = TAC_PART_GATED; mode <= TAC_PART_ONE_SHOT; mode++)
        EACH_EXTREME(v)
        {
            struct play p;
            part[0].mode = (enum tac_part_mode)mode;
            open_instrument(&p, v, 50, 1);
            play_run(&p, NULL, 0, heard, 640);
            play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 0);
            play_run(&p, NULL, 0, heard, 640);
            CHECK_MSG(mode == TAC_PART_GATED ? fabsf(heard[400]) < 0.1f : heard[400] == ramp[1040],
                      "%s, mode %d: %g", v->name, mode, (double)heard[400]);
            play_run(&p, NULL, 0, heard, 6400);
            CHECK(fabsf(heard[6399]) < 1e-3f);
            play_close(&p);
        }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_pitched_sine_stays_a_sine);
    TEST(what_has_no_room_is_left_out);
    TEST(the_head_goes_over_into_the_stream);
    TEST(key_and_velocity_choose_the_part);
    TEST(a_loop_goes_round_until_the_gate_falls);
    TEST(a_loop_crosses_over);
    TEST(parts_end_as_they_say);
    return test_end();
}
