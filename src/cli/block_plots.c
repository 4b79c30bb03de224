/* SPDX-License-Identifier: MIT
 * block_plots.c - a table of plots, and the ways to measure a curve.
 *
 * RESPONSE  level over frequency of the answer to an impulse
 * DENSITY   level over frequency of what comes out by itself
 * TIME      what comes out over time, after an impulse, a gate, a burst, or by itself
 * DECAY     what is left of the energy after an impulse, in dB over time
 * LEVEL     level out over level in, settled
 * SHAPE     value out over value in, on a slow ramp
 * SWEEP     value out over a parameter, with 1 going in */
#include "cli/block_plots.h"

#include "cli/block_probe.h"
#include "cli/svg_plot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind { RESPONSE, DENSITY, TIME, DECAY, LEVEL, SHAPE, SWEEP };
enum feed { NOTHING, IMPULSE, GATE, BURST };
enum { POINTS = 481, FRAMES_MAX = 1 << 18, RESPONSE_FRAMES = 1 << 14, WINDOW = 4096 };

struct curve {
    const char *label, *output, *settings;
};

struct spec {
    const char *block, *title;
    enum kind kind;
    enum feed feed;
    double x_low, x_high, y_low, y_high; /* Hz, s, dB, or plain */
    const char *param;                   /* of SWEEP */
    struct curve curve[TAC_PLOT_CURVES_MAX];
};

static const struct spec specs[] = {
    {"sine",
     "Spectrum at 1 kHz",
     DENSITY,
     NOTHING,
     20,
     20000,
     -120,
     40,
     NULL,
     {{"", "out", "frequency=1000"}}},
    {"saw", "Wave at 440 Hz", TIME, NOTHING, 0, 0.006, -1.2, 1.2, NULL, {{"", "out", ""}}},
    {"saw",
     "Spectrum at 1661 Hz",
     DENSITY,
     NOTHING,
     20,
     20000,
     -120,
     40,
     NULL,
     {{"", "out", "frequency=1661"}}},
    {"osc",
     "Waves at 440 Hz",
     TIME,
     NOTHING,
     0,
     0.006,
     -1.4,
     1.8,
     NULL,
     {{"saw", "out", "shape=0"},
      {"pulse, width 25 %", "out", "shape=1 width=0.25"},
      {"triangle", "out", "shape=2"}}},
    {"osc",
     "Hard sync at 440 Hz, 2.5 times",
     TIME,
     NOTHING,
     0,
     0.006,
     -1.4,
     1.4,
     NULL,
     {{"saw", "out", "sync=2.5"}}},
    {"osc",
     "Spectrum of the saw at 1661 Hz",
     DENSITY,
     NOTHING,
     20,
     20000,
     -120,
     40,
     NULL,
     {{"", "out", "frequency=1661"}}},
    {"noise",
     "Spectra",
     DENSITY,
     NOTHING,
     60,
     20000,
     -50,
     30,
     NULL,
     {{"white", "out", "colour=0"},
      {"pink", "out", "colour=1"},
      {"brown", "out", "colour=2"},
      {"blue", "out", "colour=3"},
      {"violet", "out", "colour=4"}}},
    {"svf",
     "Outputs, cutoff 1 kHz, resonance 25 %",
     RESPONSE,
     IMPULSE,
     20,
     20000,
     -60,
     20,
     NULL,
     {{"out", "out", "resonance=0.25"},
      {"band", "band", "resonance=0.25"},
      {"high", "high", "resonance=0.25"},
      {"notch", "notch", "resonance=0.25"},
      {"peak", "peak", "resonance=0.25"},
      {"allpass", "allpass", "resonance=0.25"}}},
    {"svf",
     "Low-pass, resonance",
     RESPONSE,
     IMPULSE,
     20,
     20000,
     -60,
     40,
     NULL,
     {{"0 %", "out", "resonance=0"},
      {"25 %", "out", "resonance=0.25"},
      {"50 %", "out", "resonance=0.5"},
      {"75 %", "out", "resonance=0.75"}}},
    {"ladder",
     "Resonance, small signals",
     RESPONSE,
     IMPULSE,
     20,
     20000,
     -80,
     20,
     NULL,
     {{"0 %", "out", "resonance=0 drive=-24"},
      {"30 %", "out", "resonance=0.3 drive=-24"},
      {"60 %", "out", "resonance=0.6 drive=-24"},
      {"85 %", "out", "resonance=0.85 drive=-24"}}},
    {"ladder",
     "Singing at full resonance after a click, cutoff 200 Hz",
     TIME,
     IMPULSE,
     0,
     0.25,
     -0.2,
     0.2,
     NULL,
     {{"", "out", "cutoff=200 resonance=1 drive=0"}}},
    {"eq",
     "Bands at 1 kHz",
     RESPONSE,
     IMPULSE,
     20,
     20000,
     -18,
     18,
     NULL,
     {{"peak 12 dB, q 1", "out", "gain=12 q=1"},
      {"peak -12 dB, q 4", "out", "gain=-12 q=4"},
      {"low-shelf 9 dB", "out", "gain=9 shape=1"},
      {"high-shelf -9 dB", "out", "gain=-9 shape=2"}}},
    {"eq",
     "Peaks of 9 dB, q 1, up to the top octave",
     RESPONSE,
     IMPULSE,
     500,
     20000,
     -3,
     12,
     NULL,
     {{"2 kHz", "out", "gain=9 q=1 frequency=2000"},
      {"6 kHz", "out", "gain=9 q=1 frequency=6000"},
      {"12 kHz", "out", "gain=9 q=1 frequency=12000"},
      {"18 kHz", "out", "gain=9 q=1 frequency=18000"}}},
    {"adsr",
     "A key held for half a second",
     TIME,
     GATE,
     0,
     1,
     0,
     1.1,
     NULL,
     {{"attack 10 ms, decay 200 ms", "out", "attack=0.01"},
      {"attack 200 ms, release 1 s", "out", "attack=0.2 release=1"}}},
    {"lfo",
     "Shapes at 1 Hz",
     TIME,
     NOTHING,
     0,
     2,
     -1.2,
     1.2,
     NULL,
     {{"sine", "out", "shape=0"},
      {"triangle", "out", "shape=1"},
      {"saw", "out", "shape=2"},
      {"square", "out", "shape=3"}}},
    {"sequencer",
     "Gate and pitch, one step per beat at 120 bpm",
     TIME,
     NOTHING,
     0,
     3.5,
     0,
     80,
     NULL,
     {{"pitch", "pitch", "rate=1"}, {"gate", "gate", "rate=1"}}},
    {"gain", "Level", SWEEP, NOTHING, -40, 12, 0, 4, "level", {{"", "out", ""}}},
    {"pan",
     "Sides",
     SWEEP,
     NOTHING,
     -1,
     1,
     0,
     1.1,
     "position",
     {{"left", "left", ""}, {"right", "right", ""}}},
    {"mixer",
     "Sides of input 1",
     SWEEP,
     NOTHING,
     -1,
     1,
     0,
     1.1,
     "pan1",
     {{"left", "left", ""}, {"right", "right", ""}}},
    {"bus",
     "Balance",
     SWEEP,
     NOTHING,
     -1,
     1,
     0,
     1.1,
     "balance",
     {{"left", "left", ""}, {"right", "right", ""}}},
    {"delay",
     "Answer to an impulse, 250 ms",
     TIME,
     IMPULSE,
     0,
     1.5,
     0,
     1.1,
     NULL,
     {{"feedback 60 %, mix 50 %", "out", "feedback=0.6 mix=0.5"}}},
    {"reverb",
     "What is left of an impulse, treble 100 %",
     DECAY,
     IMPULSE,
     0,
     4,
     -80,
     0,
     NULL,
     {{"1 s", "left", "time=1 mix=1 treble=1"},
      {"2 s", "left", "time=2 mix=1 treble=1"},
      {"4 s", "left", "time=4 mix=1 treble=1"}}},
    {"reverb",
     "Answer to an impulse",
     TIME,
     IMPULSE,
     0,
     0.4,
     -0.15,
     0.15,
     NULL,
     {{"left", "left", "mix=1"}, {"right", "right", "mix=1"}}},
    {"shaper",
     "Curves",
     SHAPE,
     NOTHING,
     -3,
     3,
     -1.2,
     1.2,
     NULL,
     {{"hard", "out", "shape=0"}, {"soft", "out", "shape=1"}, {"fold", "out", "shape=2"}}},
    {"compressor",
     "Static curve, threshold -18 dB",
     LEVEL,
     NOTHING,
     -60,
     0,
     -60,
     0,
     NULL,
     {{"2 : 1", "out", "ratio=2"}, {"4 : 1", "out", "ratio=4"}, {"20 : 1", "out", "ratio=20"}}},
    {"compressor",
     "Reduction of a burst of 100 ms",
     TIME,
     BURST,
     0,
     0.4,
     0,
     15,
     NULL,
     {{"attack 5 ms, release 100 ms, dB", "reduction", ""}}},
    {"limiter",
     "A burst of twice the ceiling",
     TIME,
     BURST,
     0,
     0.4,
     -1.2,
     1.2,
     NULL,
     {{"", "out", "drive=6 ceiling=-6"}}},
};

struct bench {
    float in[FRAMES_MAX], out[FRAMES_MAX];
    double x[TAC_PLOT_CURVES_MAX][POINTS], y[TAC_PLOT_CURVES_MAX][POINTS];
};

static double x_of(const struct tac_plot_axis *a, int point)
{
    double t = (double)point / (POINTS - 1);
    return a->log ? a->low * pow(a->high / a->low, t) : a->low + (a->high - a->low) * t;
}

static void feed_frames(struct bench *b, enum feed feed, size_t frames)
{
    memset(b->in, 0, frames * sizeof *b->in);
    if (feed == IMPULSE)
        b->in[0] = 1;
    for (size_t i = 0; i < frames && feed == GATE; i++)
        b->in[i] = i < frames / 2;
    for (size_t i = 0; i < frames && feed == BURST; i++) {
        bool loud = i >= frames / 4 && i < frames / 2;
        b->in[i] =
            (loud ? 1.0f : 0.05f) * sinf((float)(2 * M_PI * 500 / TAC_PROBE_RATE) * (float)i);
    }
}

/* Sampled so that nothing of a wave is lost between two points: the value of largest size. */
static void over_time(struct bench *b, bool swings, double *y, size_t frames)
{
    for (int k = 0; k < POINTS; k++) {
        size_t from = (size_t)((double)frames * k / POINTS);
        size_t to = (size_t)((double)frames * (k + 1) / POINTS);
        y[k] = (double)b->out[from];
        for (size_t i = from; i < to && swings; i++)
            if (fabs((double)b->out[i]) > fabs(y[k]))
                y[k] = (double)b->out[i];
    }
}

static void decay(struct bench *b, double *y, size_t frames)
{
    double left = 0, total = 0;
    for (size_t i = 0; i < FRAMES_MAX; i++)
        total += (double)b->out[i] * (double)b->out[i];
    left = total;
    for (size_t i = 0, k = 0; i < frames && k < POINTS; i++) {
        if (i * POINTS / frames == k)
            y[k++] = 10 * log10(left / total + 1e-20);
        left -= (double)b->out[i] * (double)b->out[i];
    }
}

/* Each point on a block of its own that has settled on it. */
static bool settle(struct bench *b, const struct spec *s, const struct curve *c, double x,
                   double *y)
{
    const struct tac_block *block = tac_blocks_get((uint32_t)tac_blocks_find(s->block));
    struct tac_probe p;
    size_t frames = TAC_PROBE_RATE / 2;
    float level = s->kind == LEVEL ? (float)pow(10, x / 20) : s->kind == SHAPE ? (float)x : 1;
    if (!tac_probe_open(&p, block, c->settings))
        return false;
    if (s->kind == SWEEP)
        tac_probe_set(&p, tac_probe_param(block, s->param), (float)x);
    for (size_t i = 0; i < frames; i++)
        b->in[i] = level;
    tac_probe_run(&p, b->in, tac_probe_output(block, c->output), b->out,
                  s->kind == LEVEL ? frames : 256);
    double out = (double)b->out[s->kind == LEVEL ? frames - 1 : 255];
    *y = s->kind == LEVEL ? 20 * log10(fabs(out) + 1e-9) : out;
    tac_probe_close(&p);
    return true;
}

static bool measure_run(struct bench *b, const struct spec *s, const struct curve *c,
                        const struct tac_plot *plot, double *y)
{
    const struct tac_block *block = tac_blocks_get((uint32_t)tac_blocks_find(s->block));
    size_t seconds = (size_t)(s->x_high * TAC_PROBE_RATE), frames = seconds;
    struct tac_probe p;
    if (s->kind == RESPONSE)
        frames = RESPONSE_FRAMES;
    if (s->kind == DENSITY)
        frames = 24 * WINDOW;
    if (s->kind == DECAY)
        frames = FRAMES_MAX;
    if (!tac_probe_open(&p, block, c->settings))
        return false;
    feed_frames(b, s->feed, frames);
    tac_probe_run(&p, s->feed ? b->in : NULL, tac_probe_output(block, c->output), b->out, frames);
    tac_probe_close(&p);
    double drive =
        strstr(c->settings, "drive=-24") ? 24 : 0; /* small signals: shown as if at 0 dB */
    for (int k = 0; k < POINTS && s->kind == RESPONSE; k++)
        y[k] = tac_probe_response_db(b->out, frames, x_of(&plot->x, k) / TAC_PROBE_RATE) + drive;
    for (int k = 0; k < POINTS && s->kind == DENSITY; k++)
        y[k] = tac_probe_density_db(b->out, frames, WINDOW, x_of(&plot->x, k) / TAC_PROBE_RATE);
    if (s->kind == TIME)
        over_time(b, s->feed == IMPULSE || s->feed == BURST, y, seconds);
    if (s->kind == DECAY)
        decay(b, y, seconds);
    return true;
}

static bool measure(struct bench *b, const struct spec *s, const struct curve *c,
                    const struct tac_plot *plot, double *y)
{
    if (s->kind < LEVEL)
        return measure_run(b, s, c, plot, y);
    for (int k = 0; k < POINTS; k++)
        if (!settle(b, s, c, x_of(&plot->x, k), &y[k]))
            return false;
    return true;
}

static struct tac_plot frame_of(const struct spec *s)
{
    static const char *const x[] = {"Hz", "Hz", "s", "s", "dB in", "in", ""};
    static const char *const y[] = {"dB", "dB", "", "dB", "dB out", "out", "out"};
    struct tac_plot plot = {.title = s->title,
                            .x = {x[s->kind], s->x_low, s->x_high, s->kind <= DENSITY},
                            .y = {y[s->kind], s->y_low, s->y_high, false}};
    if (s->kind == SWEEP)
        plot.x.label = s->param;
    if (s->kind == TIME && s->x_high < 0.5) {
        plot.x.label = "ms";
        plot.x.high *= 1000;
    }
    return plot;
}

static bool add_plot(struct tac_text *text, struct bench *b, const struct spec *s)
{
    struct tac_plot plot = frame_of(s);
    for (; plot.curves < TAC_PLOT_CURVES_MAX && s->curve[plot.curves].output; plot.curves++) {
        const struct curve *c = &s->curve[plot.curves];
        double *x = b->x[plot.curves], *y = b->y[plot.curves];
        if (!measure(b, s, c, &plot, y))
            return false;
        for (int k = 0; k < POINTS; k++)
            x[k] = x_of(&plot.x, k);
        plot.curve[plot.curves] = (struct tac_plot_curve){c->label, x, y, POINTS};
    }
    tac_svg_plot(text, &plot);
    return true;
}

int tac_block_plots(struct tac_text *text, const struct tac_block *block)
{
    struct bench *b = malloc(sizeof *b);
    bool good = b != NULL;
    for (size_t i = 0; i < sizeof specs / sizeof *specs && good; i++)
        if (!strcmp(specs[i].block, block->name))
            good = add_plot(text, b, &specs[i]);
    free(b);
    return good ? 0 : -ENOMEM;
}
