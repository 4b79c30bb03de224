/* SPDX-License-Identifier: MIT
 * test_osc.c - the alias and the harmonics of the oscillators with corners. */
#include "play.h"
#include "spectrum.h"
#include "test.h"

static float heard[SPECTRUM + 4800];
static const float *const steady = heard + 4800;

static void play_periods(const struct tac_variant *v, const char *block, size_t periods, int shape,
                         double width, double sync)
{
    struct play p;
    play_open(&p, v, block);
    play_set(&p, "frequency", (double)periods * PLAY_RATE / SPECTRUM);
    if (!strcmp(block, "osc")) {
        play_set(&p, "shape", shape);
        play_set(&p, "width", width);
        play_set(&p, "sync", sync);
    }
    play_run(&p, NULL, 0, heard, SPECTRUM + 4800);
    play_close(&p);
}

static void osc_has_no_audible_alias(void)
{
    static const struct {
        size_t periods;
        double bound[3]; /* saw, pulse, triangle */
    } pitch[] = {
        {151, {-105, -105, -110}},
        {2267, {-97, -97, -100}},
        {4811, {-95, -95, -100}},
        {9613, {-90, -90, -95}},
    };
    EACH_VARIANT(v)
    for (size_t k = 0; k < sizeof pitch / sizeof *pitch; k++)
        for (int shape = 0; shape < 3; shape++) {
            play_periods(v, "osc", pitch[k].periods, shape, 0.37, 1);
            double db = spectrum_alias_db(steady, pitch[k].periods);
            CHECK_MSG(db <= pitch[k].bound[shape], "%s shape %d, %.0f Hz: %.1f dB", v->name, shape,
                      (double)pitch[k].periods * PLAY_RATE / SPECTRUM, db);
        }
}

static void hard_sync_has_no_audible_alias(void)
{
    EACH_VARIANT(v)
    for (int shape = 0; shape < 3; shape++) {
        play_periods(v, "osc", 601, shape, 0.5, 2.71828);
        double db = spectrum_alias_db(steady, 601);
        CHECK_MSG(db <= -80, "%s shape %d: %.1f dB", v->name, shape, db);
    }
}

static void harmonics_have_their_level(void)
{
    play_periods(tac_blocks_variant(0), "osc", 601, 0, 0.5, 1);
    double norm = 601.0 / SPECTRUM;
    for (int h = 1; h * norm * PLAY_RATE < 16000; h++) {
        double db = play_db(play_amplitude(steady, SPECTRUM, h * norm) * h * M_PI / 2);
        CHECK_MSG(fabs(db) < 0.5, "harmonic %d: %.2f dB", h, db);
    }
}

static void waves_have_no_constant(void)
{
    EACH_EXTREME(v)
    for (int shape = 0; shape < 3; shape++) {
        double sum = 0;
        play_periods(v, "osc", 601, shape, 0.3, 1);
        for (size_t i = 0; i < SPECTRUM; i++)
            sum += (double)steady[i];
        CHECK_MSG(play_db(fabs(sum) / SPECTRUM) <= -100, "%s shape %d: %.1f dB", v->name, shape,
                  play_db(fabs(sum) / SPECTRUM));
    }
}

/* The cheap saw gives what its method gives, no less. */
static void saw_aliases_as_polyblep_does(void)
{
    EACH_VARIANT(v)
    {
        play_periods(v, "saw", 151, 0, 0, 0);
        double low = spectrum_alias_db(steady, 151);
        play_periods(v, "saw", 4811, 0, 0, 0);
        double high = spectrum_alias_db(steady, 4811);
        CHECK_MSG(low <= -46 && high <= -28, "%s: %.1f and %.1f dB", v->name, low, high);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(osc_has_no_audible_alias);
    TEST(hard_sync_has_no_audible_alias);
    TEST(harmonics_have_their_level);
    TEST(waves_have_no_constant);
    TEST(saw_aliases_as_polyblep_does);
    return test_end();
}
