/* SPDX-License-Identifier: MIT
 * test_control.c - lfo, sequencer and the joints of the envelope, frame by frame. */
#include "play.h"
#include "test.h"

enum { N = 4 * PLAY_RATE };

static float heard[N];

static double shape_of(int shape, double t)
{
    t -= floor(t);
    switch (shape) {
    case 0:
        return sin(2 * M_PI * t);
    case 1:
        return t < 0.25 ? 4 * t : t < 0.75 ? 2 - 4 * t : 4 * t - 4;
    case 2:
        return 2 * t - 1;
    default:
        return t < 0.5 ? 1 : -1;
    }
}

static void lfo_has_its_shapes(void)
{
    EACH_VARIANT(v)
    for (int shape = 0; shape < 4; shape++) {
        struct play p;
        double rate = 3, worst = 0;
        play_open(&p, v, "lfo");
        play_set(&p, "rate", rate);
        play_set(&p, "depth", 200);
        play_set(&p, "centre", 1000);
        play_set(&p, "shape", shape);
        play_run(&p, NULL, 0, heard, N);
        double norm = floor(rate / PLAY_RATE * 4294967296.0) / 4294967296.0;
        for (size_t i = 0; i < N; i++) {
            double t = norm * (double)i,
                   off = fabs((double)heard[i] - 1000 - 200 * shape_of(shape, t));
            double edge =
                fabs(t * 2 - floor(t * 2 + 0.5)); /* half periods: where saw and square jump */
            if (shape < 2 || edge > 1e-4)
                worst = fmax(worst, off);
        }
        CHECK_MSG(worst < 1e-3, "%s, shape %d: %g", v->name, shape, worst);
        play_close(&p);
    }
}

/* Where the gate of a sequencer rises and falls, against the arithmetic of its tempo. */
static void sequencer_keeps_time(void)
{
    static const float notes[] = {60, 0, 64, 67};
    EACH_VARIANT(v)
    {
        struct play p;
        uint32_t rises = 0, falls = 0;
        play_open_with(&p, v, "sequencer", notes, 4);
        play_set(&p, "rate", 4);
        play_set(&p, "length", 0.5);
        play_run(&p, NULL, 2, heard, N);
        double step = PLAY_RATE * 60.0 / 120 / 4;
        for (size_t i = 0; i < N; i++) {
            double at = (double)i / step, in = at - floor(at);
            int note = (int)fmod(floor(at), 4), held = notes[note] > 0 && in < 0.5;
            double joint = fmin(fabs(in - 0.5), fmin(in, 1 - in)) * step;
            CHECK_MSG(joint < 1.5 || (heard[i] > 0.5f) == held, "%s frame %zu", v->name, i);
            rises += heard[i] > 0.5f && (i == 0 || heard[i - 1] <= 0.5f);
            falls += heard[i] <= 0.5f && i && heard[i - 1] > 0.5f;
        }
        CHECK_MSG(rises == 24 && falls == 24, "%u notes begin, %u end", rises, falls);
        play_close(&p);
    }
}

static void sequencer_sends_what_it_plays(void)
{
    static const float notes[] = {60, 0, 64, 67};
    struct play p;
    uint32_t on = 0, off = 0;
    play_open_with(&p, tac_blocks_variant(0), "sequencer", notes, 4);
    play_set(&p, "rate", 4);
    play_set(&p, "transpose", 12);
    for (uint32_t i = 0; i < N / PLAY_CHUNK; i++) {
        p.notes_out.count = 0;
        play_chunk(&p, PLAY_CHUNK);
        for (uint32_t k = 0; k < p.notes_out.count; k++) {
            const struct tac_note *n = &p.notes_out.note[k];
            static const float expected[] = {72, 76, 79};
            CHECK_NEAR((double)n->pitch, (double)expected[(n->on ? on : off) % 3], 1e-6);
            CHECK(n->frame < PLAY_CHUNK);
            on += n->on;
            off += !n->on;
        }
    }
    CHECK_MSG(on == 24 && off == 24, "%u on, %u off", on, off);
    play_close(&p);
}

/* Strike, let go and strike again at awkward moments: no frame is farther from the one before than
 * the steepest segment goes. */
static void adsr_never_steps(void)
{
    EACH_VARIANT(v)
    {
        struct play p;
        static float gate[N];
        double worst = 0;
        play_open(&p, v, "adsr");
        play_set(&p, "attack", 0.01);
        play_set(&p, "decay", 0.05);
        play_set(&p, "release", 0.03);
        play_set(&p, "sustain", 0.4);
        for (size_t i = 0; i < N; i++)
            gate[i] = (i * i / 100000 + i / 977) % 3 ? 1 : 0;
        play_run(&p, gate, 0, heard, N);
        for (size_t i = 1; i < N; i++)
            worst = fmax(worst, fabs((double)heard[i] - (double)heard[i - 1]));
        double attack = 1.25 * (1 - pow(5, -1 / (0.01 * PLAY_RATE)));
        double release = 1 - pow(1000, -1 / (0.03 * PLAY_RATE));
        CHECK_MSG(worst <= fmax(attack, release) * 1.001, "%s: a step of %g", v->name, worst);
        play_close(&p);
    }
}

/* A release of no time is over after three frames, and what is left of it is cut off there, also
 * where it would fall to 0 by itself before the call ends. */
static void adsr_ends_at_the_same_frame_in_calls_of_any_length(void)
{
    static const uint32_t sizes[] = {1, 2, 5, 16, 64};
    EACH_VARIANT(v)
    {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            struct play p;
            static float gate[256];
            for (size_t i = 0; i < 256; i++)
                gate[i] = i < 127;
            play_open(&p, v, "adsr");
            play_set(&p, "release", 0);
            for (size_t at = 0; at < 256; at += sizes[s]) {
                size_t n = 256 - at < sizes[s] ? 256 - at : sizes[s];
                play_run(&p, gate + at, 0, heard + at, n);
            }
            CHECK_MSG(heard[128] > 0 && heard[131] == 0, "%s, calls of %u: %g", v->name, sizes[s],
                      (double)heard[131]);
            play_close(&p);
        }
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(lfo_has_its_shapes);
    TEST(sequencer_keeps_time);
    TEST(sequencer_sends_what_it_plays);
    TEST(adsr_never_steps);
    TEST(adsr_ends_at_the_same_frame_in_calls_of_any_length);
    return test_end();
}
