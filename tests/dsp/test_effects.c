/* SPDX-License-Identifier: MIT
 * test_effects.c - delay, shaper and reverb against what theory says. */
#include "play.h"
#include "spectrum.h"
#include "test.h"

enum { N = SPECTRUM };

static float given[N + 4800], heard[N + 4800];

static void delay_is_late_by_its_time(void)
{
    memset(given, 0, sizeof given);
    given[0] = 1;
    EACH_VARIANT(v)
    {
        struct play p;
        play_open(&p, v, "delay");
        play_set(&p, "time", 480.0 / PLAY_RATE);
        play_set(&p, "mix", 1);
        play_set(&p, "feedback", 0.5);
        play_run(&p, given, 0, heard, 2000);
        CHECK_NEAR(heard[480], 1, 1e-3);
        CHECK_NEAR(heard[960], 0.5, 1e-3);
        CHECK_NEAR(heard[481], 0, 1e-3);
        play_close(&p);
    }
}

static double shaper_alias_db(const struct tac_variant *v, int shape, size_t periods)
{
    for (int i = 0; i < N + 4800; i++)
        given[i] = (float)sin(2 * M_PI * (double)periods * i / N);
    struct play p;
    play_open(&p, v, "shaper");
    play_set(&p, "drive", 20 * log10(5));
    play_set(&p, "shape", shape);
    play_run(&p, given, 0, heard, N + 4800);
    play_close(&p);
    return spectrum_alias_db(heard + 4800, periods);
}

static void shaper_does_not_alias(void)
{
    EACH_VARIANT(v)
    {
        double hard = shaper_alias_db(v, 0, 5715), soft = shaper_alias_db(v, 1, 5715);
        CHECK_MSG(hard <= -75, "%s hard: %.1f dB", v->name, hard);
        CHECK_MSG(soft <= -95, "%s soft: %.1f dB", v->name, soft);
    }
}

/* Below the threshold of the clip the shaper is a delay of its latency. */
static void shaper_is_transparent_when_quiet(void)
{
    struct play p;
    for (int i = 0; i < N; i++)
        given[i] = (float)(0.5 * sin(0.1 * i) + 0.3 * sin(1.7 * i));
    play_open(&p, tac_blocks_variant(0), "shaper");
    play_set(&p, "shape", 0);
    play_run(&p, given, 0, heard, N);
    double worst = 0;
    for (uint32_t i = 1000; i < N; i++) {
        /* The mean of two neighbours at four times the rate is 1/8 frame late, and a little dull.
         */
        double t = (double)i - 46 - 0.125;
        double want = 0.5 * sin(0.1 * t) + 0.3 * sin(1.7 * t) * cos(1.7 / 8);
        worst = fmax(worst, fabs((double)heard[i] - want));
    }
    CHECK_MSG(worst < 2e-3, "%g", worst);
    play_close(&p);
}

/* Silence before the impulse, where the ringing of the band filter can go. */
enum { LEAD = 4800 };

enum { PLACES = 6 };

static float place[PLACES][N]; /* answers at two sides of three channels */

/* Add the power over time of the octave around hz (a smooth band, which rings for long in neither
 * direction). */
static void add_octave(const float *x, double hz, double power[N])
{
    static double re[N], im[N];
    for (size_t i = 0; i < N; i++) {
        re[i] = (double)x[i];
        im[i] = 0;
    }
    spectrum_fft(re, im, N);
    for (size_t k = 0; k < N; k++) {
        double f = (double)k * PLAY_RATE / N;
        double octaves = fabs(log2((f + 1e-9) / hz));
        double weight = octaves < 1 && k < N / 2 ? pow(cos(M_PI / 2 * octaves), 2) : 0;
        re[k] *= weight;
        im[k] *= -weight;
    }
    spectrum_fft(re, im, N);
    for (size_t i = 0; i < N; i++)
        power[i] += re[i] * re[i] + im[i] * im[i];
}

/* T60 of the octave around hz, from the backward integral of the squared response (M. Schroeder,
 * 1965), fitted from -5 to -35 dB. Averaged over places in the room, as ISO 3382 asks: the few
 * modes of a low octave beat at each of them. */
static double decay_time(double hz)
{
    static double power[N];
    memset(power, 0, sizeof power);
    for (int k = 0; k < PLACES; k++)
        add_octave(place[k], hz, power);
    double total = 0, sum = 0;
    for (size_t i = 0; i < N; i++)
        total += power[i];
    size_t from = 0, to = 0;
    for (size_t i = 0; i < N && !to; i++) {
        sum += power[i];
        double db = 10 * log10(1 - sum / total + 1e-15);
        from = !from && db < -5 ? i : from;
        to = db < -35 ? i : 0;
    }
    return 2 * (double)(to - from) / PLAY_RATE;
}

static void answer(const struct tac_variant *v, double treble, double corner)
{
    for (uint32_t k = 0; k < PLACES; k++) {
        struct play p;
        play_lane_first = k / 2;
        play_open(&p, v, "reverb");
        play_set(&p, "time", 0.8);
        play_set(&p, "treble", treble);
        play_set(&p, "corner", corner);
        play_set(&p, "mix", 1);
        play_run(&p, given, k % 2, place[k], N);
        play_close(&p);
    }
    play_lane_first = 0;
}

static void reverb_decays_in_its_time(void)
{
    memset(given, 0, sizeof given);
    given[LEAD] = 1;
    EACH_EXTREME(v)
    {
        answer(v, 1, 3000);
        for (double hz = 125; hz < 9000; hz *= 2)
            CHECK_MSG(fabs(decay_time(hz) / 0.8 - 1) < 0.05, "%s %.0f Hz: %.3f s, not 0.8", v->name,
                      hz, decay_time(hz));
    }
}

static void reverb_treble_decays_faster(void)
{
    memset(given, 0, sizeof given);
    given[LEAD] = 1;
    answer(tac_blocks_variant(0), 0.5, 1000);
    CHECK_NEAR(decay_time(125), 0.8, 0.04);
    CHECK_NEAR(decay_time(8000), 0.4, 0.02);
}

/* Level of a sine behind the delay in dB, and what comes out beside it. */
static double delayed_sine(const struct tac_variant *v, double quality, int moving, double norm,
                           double *ret_level_db)
{
    enum { FRAMES = 1 << 14 };
    struct play p;
    double a = 0, b = 0, error = 0;
    for (int i = 0; i < FRAMES + 2048; i++)
        given[i] = (float)sin(2 * M_PI * norm * i);
    play_option = "quality";
    play_option_value = (float)quality;
    play_open(&p, v, "delay");
    play_option = NULL;
    play_set(&p, "time", 1000.5 / PLAY_RATE);
    play_set(&p, "feedback", 0);
    play_set(&p, "mix", 1);
    p.moving = moving ? ~0u : 0;
    play_run(&p, given, 0, heard, FRAMES + 2048);
    play_close(&p);
    for (int i = 0; i < FRAMES; i++) {
        a += 2.0 / FRAMES * (double)heard[i + 2048] * cos(2 * M_PI * norm * i);
        b += 2.0 / FRAMES * (double)heard[i + 2048] * sin(2 * M_PI * norm * i);
    }
    for (int i = 0; i < FRAMES; i++) {
        double w = 2 * M_PI * norm * i, r = (double)heard[i + 2048] - a * cos(w) - b * sin(w);
        error += r * r / FRAMES;
    }
    *ret_level_db = 10 * log10(a * a + b * b);
    return 10 * log10(error * 2);
}

/* A time that stands still changes the level alone; sweeping it shows the errors of all fractions.
 */
static double swept_sine(const struct tac_variant *v, double quality, double hz)
{
    enum { FRAMES = 1 << 14 };
    struct play p;
    double error = 0;
    play_option = "quality";
    play_option_value = (float)quality;
    play_open(&p, v, "delay");
    play_option = NULL;
    play_set(&p, "feedback", 0);
    play_set(&p, "mix", 1);
    p.moving = 1u << play_param(&p, "time");
    for (int at = 0; at < FRAMES; at += PLAY_CHUNK) {
        for (int f = 0; f < PLAY_CHUNK; f++) {
            float back = 1000 + 0.01f * (float)(at + f);
            play_fill(p.param[play_param(&p, "time")] + (size_t)f * p.lanes, p.lanes,
                      back / PLAY_RATE);
            play_fill(p.in[0] + (size_t)f * p.lanes, p.lanes,
                      (float)sin(2 * M_PI * hz / PLAY_RATE * (at + f)));
        }
        play_chunk(&p, PLAY_CHUNK);
        for (int f = 0; f < PLAY_CHUNK && at >= 2048; f++) {
            /* the time as the block has it, in floats */
            float back = (1000 + 0.01f * (float)(at + f)) / PLAY_RATE * PLAY_RATE;
            double expected = sin(2 * M_PI * hz / PLAY_RATE * (at + f - (double)back));
            double r = (double)p.out[0][(size_t)f * p.lanes] - expected;
            error += r * r / (FRAMES - 2048);
        }
    }
    play_close(&p);
    return 10 * log10(error * 2);
}

static void delay_reads_between_frames(void)
{
    EACH_VARIANT(v)
    {
        double level, still;
        for (int moving = 0; moving < 2; moving++) {
            still = delayed_sine(v, 0, moving, 1707.0 / 16384, &level); /* 5 kHz */
            CHECK_MSG(still <= -120 && fabs(level) < 0.01, "fast: %.1f dB, level %.3f", still,
                      level);
            still = delayed_sine(v, 1, moving, 6144.0 / 16384, &level); /* 18 kHz */
            CHECK_MSG(still <= -115 && fabs(level) < 0.1, "fine: %.1f dB, level %.3f", still,
                      level);
        }
        double fast = swept_sine(v, 0, 1000), fine = swept_sine(v, 1, 5000);
        double fast_high = swept_sine(v, 0, 5000);
        CHECK_MSG(fast <= -120 && fast_high <= -65, "%s, fast, swept: %.1f, %.1f dB", v->name, fast,
                  fast_high);
        CHECK_MSG(fine <= -105, "%s, fine, swept: %.1f dB", v->name, fine);
    }
}

/* Abel and Huang 2006, "A simple, robust measure of reverberation echo density": how many samples
 * of a window lie outside its standard deviation, over what noise would have there; 1 is dense. */
static double echo_density(const float *x, size_t middle, size_t half)
{
    double power = 0, outside = 0;
    for (size_t i = middle - half; i < middle + half; i++)
        power += (double)x[i] * (double)x[i] / (double)(2 * half);
    for (size_t i = middle - half; i < middle + half; i++)
        outside += (double)x[i] * (double)x[i] > power;
    return outside / (double)(2 * half) / erfc(M_SQRT1_2);
}

static void reverb_is_dense_by_a_tenth_of_a_second(void)
{
    EACH_VARIANT(v)
    for (uint32_t port = 0; port < 2; port++) {
        struct play p;
        memset(given, 0, sizeof given);
        given[0] = 1;
        play_open(&p, v, "reverb");
        play_set(&p, "mix", 1);
        play_set(&p, "treble", 1);
        play_run(&p, given, port, heard, N);
        play_close(&p);
        for (size_t ms = 100; ms <= 400; ms += 20)
            CHECK_MSG(echo_density(heard, ms * 48, 960) >= 0.9, "%s, side %u at %zu ms: %.2f",
                      v->name, port, ms, echo_density(heard, ms * 48, 960));
    }
}

enum { BAND = 48, BANDS = 8000 * (SPECTRUM / BAND) / PLAY_RATE }; /* bands of 35 Hz */

/* Power of what is left of the answer a second and a half after it, band by band. */
static void late_bands(const struct tac_variant *v, uint32_t port, double power[BANDS])
{
    static float late[N + PLAY_RATE * 3 / 2];
    static double re[N], im[N];
    struct play p;
    memset(late, 0, sizeof late);
    late[0] = 1;
    play_open(&p, v, "reverb");
    play_set(&p, "mix", 1);
    play_set(&p, "treble", 1);
    play_run(&p, late, port, late, N + PLAY_RATE * 3 / 2);
    play_close(&p);
    for (size_t i = 0; i < N; i++) {
        re[i] = (double)late[PLAY_RATE * 3 / 2 + i] * (0.5 - 0.5 * cos(2 * M_PI * (double)i / N));
        im[i] = 0;
    }
    spectrum_fft(re, im, N);
    for (size_t b = 0; b < BANDS; b++) {
        power[b] = 0;
        for (size_t k = b * BAND; k < (b + 1) * BAND; k++)
            power[b] += re[k] * re[k] + im[k] * im[k];
    }
}

/* A mode that lasted longer than its neighbours would stand out of what is left: no band does. */
static void no_mode_of_the_reverb_rings_on(void)
{
    static double power[BANDS];
    EACH_EXTREME(v)
    for (uint32_t port = 0; port < 2; port++) {
        double most = 0;
        late_bands(v, port, power);
        for (int b = 3; b < BANDS - 2; b++) {
            double beside = (power[b - 2] + power[b - 1] + power[b + 1] + power[b + 2]) / 4;
            most = fmax(most, 10 * log10(power[b] / beside));
        }
        CHECK_MSG(most < 6, "%s, side %u: %.1f dB over its neighbours", v->name, port, most);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(delay_is_late_by_its_time);
    TEST(delay_reads_between_frames);
    TEST(shaper_does_not_alias);
    TEST(shaper_is_transparent_when_quiet);
    TEST(reverb_decays_in_its_time);
    TEST(reverb_is_dense_by_a_tenth_of_a_second);
    TEST(no_mode_of_the_reverb_rings_on);
    TEST(reverb_treble_decays_faster);
    return test_end();
}
