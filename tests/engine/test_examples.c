/* SPDX-License-Identifier: MIT
 * test_examples.c - the examples, rendered: level, peak, clicks and spectrum as they were when they
 * were made.
 *
 * Each octave from 63 Hz to 8 kHz, the sum of the channels, may differ by WITHIN dB from what
 * stands here (below -80 dB it counts as silence); a change of a block that is heard is seen.
 * TACTUS_EXAMPLES=print prints the table anew. */
#include "../dsp/spectrum.h"
#include "tactus/engine.h"
#include "test.h"

enum {
    RATE = 48000,
    SLICE = 64,
    CHUNKS = 5,
    FRAMES = CHUNKS * SPECTRUM,
    CHANNELS = 8,
    OCTAVES = 8
};

static const double WITHIN = 1.5;

struct example {
    const char *name;
    int channels, input; /* input: 1: the sweep of this program is played into it */
    double rms_db, step; /* step: largest second difference, which a click would pass */
    double octave_db[OCTAVES];
};

static const struct example examples[] = {
#include "examples.inc"
};

static float sound[CHANNELS][FRAMES], given[FRAMES];

/* Chords of decaying saws with clicks: something to master. */
static void compose_input(void)
{
    static const double hz[] = {55, 110, 138.6, 164.8, 220, 440, 659.3};
    for (size_t i = 0; i < FRAMES; i++) {
        double t = (double)i / RATE, beat = fmod(t, 0.5), y = 0;
        for (size_t k = 0; k < sizeof hz / sizeof *hz; k++)
            y += (2 * fmod(hz[k] * t, 1) - 1) * exp(-beat * (double)(1 + k));
        given[i] = (float)(0.12 * y + 0.3 * sin(2 * M_PI * 50 * t) * exp(-beat * 8));
    }
}

static struct tac_engine *open_example(const struct example *x)
{
    char path[512];
    struct tac_error err = {0};
    struct tac_engine_config config = {.rate_hz = RATE, .offline = 1, .no_lock = 1};
    struct tac_engine *e;
    snprintf(path, sizeof path, "%s/%s.yaml", TAC_EXAMPLES, x->name);
    if (tac_engine_new(&config, &e) < 0)
        return NULL;
    if (tac_engine_load(e, path, &err) < 0) {
        printf("# %s: %s\n", path, err.text);
        tac_engine_free(e);
        return NULL;
    }
    return e;
}

static bool render(const struct example *x)
{
    struct tac_engine *e = open_example(x);
    if (!e)
        return false;
    for (size_t at = 0; at < FRAMES; at += SLICE) {
        float *out[CHANNELS];
        const float *in[2] = {given + at, given + at};
        for (int c = 0; c < CHANNELS; c++)
            out[c] = sound[c] + at;
        tac_engine_process(e, x->input ? in : NULL, out, SLICE);
    }
    tac_engine_free(e);
    return true;
}

/* Mean power over channels and time, overall and by octave. */
static void measure(int channels, double *ret_rms_db, double octave_db[OCTAVES])
{
    static double re[SPECTRUM], im[SPECTRUM];
    double power = 0, octave[OCTAVES] = {0};
    for (int c = 0; c < channels; c++)
        for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
            for (size_t i = 0; i < SPECTRUM; i++) {
                double x = (double)sound[c][chunk * SPECTRUM + i];
                power += x * x;
                re[i] = x * (0.5 - 0.5 * cos(2 * M_PI * (double)i / SPECTRUM));
                im[i] = 0;
            }
            spectrum_fft(re, im, SPECTRUM);
            for (int o = 0; o < OCTAVES; o++) {
                size_t low = (size_t)(62.5 * M_SQRT1_2 * pow(2, o) * SPECTRUM / RATE);
                for (size_t k = low; k < 2 * low; k++)
                    octave[o] += re[k] * re[k] + im[k] * im[k];
            }
        }
    double frames = (double)channels * FRAMES;
    *ret_rms_db = 10 * log10(power / frames + 1e-20);
    for (int o = 0; o < OCTAVES; o++)
        octave_db[o] = 10 * log10(octave[o] / frames / SPECTRUM * 16 / 3 + 1e-20);
}

/* Half-way to the next frame, by a sinc of 16 taps under a Hann window. */
static double between(const float *x)
{
    double y = 0;
    for (int k = -7; k <= 8; k++) {
        double t = k - 0.5;
        y += (double)x[k] * sin(M_PI * t) / (M_PI * t) * pow(cos(M_PI * t / 17), 2);
    }
    return y;
}

/* The true peak: what is loud is looked at between its frames, too. */
static double peak(int channels)
{
    double top = 0;
    for (int c = 0; c < channels; c++)
        for (size_t i = 0; i < FRAMES; i++) {
            double x = isfinite(sound[c][i]) ? fabs((double)sound[c][i]) : (double)INFINITY;
            top = fmax(top, x);
            if (x > 0.6 && isfinite(x) && i >= 8 && i + 8 < FRAMES)
                top = fmax(top, fmax(fabs(between(&sound[c][i])), fabs(between(&sound[c][i - 1]))));
        }
    return top;
}

static double largest_step(int channels)
{
    double top = 0;
    for (int c = 0; c < channels; c++)
        for (size_t i = 2; i < FRAMES; i++)
            top = fmax(top, fabs((double)sound[c][i] - 2 * (double)sound[c][i - 1] +
                                 (double)sound[c][i - 2]));
    return top;
}

static double largest_mean(int channels)
{
    double top = 0;
    for (int c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t i = 0; i < FRAMES; i++)
            sum += (double)sound[c][i];
        top = fmax(top, fabs(sum) / FRAMES);
    }
    return top;
}

static void print_line(const struct example *x, double rms_db, const double octave_db[OCTAVES])
{
    printf("{\"%s\", %d, %d, %.1f, %.3f, {", x->name, x->channels, x->input, rms_db,
           largest_step(x->channels));
    for (int o = 0; o < OCTAVES; o++)
        printf("%.1f%s", octave_db[o], o + 1 < OCTAVES ? ", " : "}},\n");
}

static void examples_sound_as_they_did(void)
{
    bool print = getenv("TACTUS_EXAMPLES") != NULL;
    compose_input();
    for (size_t k = 0; k < sizeof examples / sizeof *examples; k++) {
        const struct example *x = &examples[k];
        double rms_db, octave_db[OCTAVES];
        if (!CHECK_MSG(render(x), "%s", x->name))
            continue;
        measure(x->channels, &rms_db, octave_db);
        if (print)
            print_line(x, rms_db, octave_db);
        CHECK_MSG(peak(x->channels) <= pow(10, -0.5 / 20), "%s peaks at %.3f", x->name,
                  peak(x->channels));
        CHECK_MSG(largest_mean(x->channels) < 0.01, "%s has a constant of %.4f", x->name,
                  largest_mean(x->channels));
        CHECK_MSG(print || largest_step(x->channels) <= 1.4 * x->step, "%s clicks: %.3f, was %.3f",
                  x->name, largest_step(x->channels), x->step);
        CHECK_MSG(print || fabs(rms_db - x->rms_db) <= WITHIN, "%s: %.1f dB, was %.1f", x->name,
                  rms_db, x->rms_db);
        for (int o = 0; o < OCTAVES; o++)
            CHECK_MSG(print || fabs(fmax(octave_db[o], -80) - fmax(x->octave_db[o], -80)) <= WITHIN,
                      "%s, octave of %g Hz: %.1f dB, was %.1f", x->name, 62.5 * pow(2, o),
                      octave_db[o], x->octave_db[o]);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(examples_sound_as_they_did);
    return test_end();
}
