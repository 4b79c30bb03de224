/* SPDX-License-Identifier: MIT
 * test_filters.c - the filters against their transfer functions, and under violent modulation. */
#include "play.h"
#include "spectrum.h"
#include "test.h"

#include <complex.h>

enum { N = 1 << 16 };

static float pulse[N], heard[N];

/* |H| at hz of the impulse response in heard. */
static double response(double hz)
{
    double complex sum = 0;
    for (int i = 0; i < N; i++)
        sum += (double)heard[i] * cexp(-2 * M_PI * (double complex)I * hz / PLAY_RATE * i);
    return cabs(sum);
}

static void svf_is_the_bilinear_filter(void)
{
    static const double cutoff[] = {50, 1000, 8000};
    EACH_VARIANT(v)
    for (int c = 0; c < 3; c++)
        for (uint32_t port = 0; port < 4; port++) {
            struct play p;
            play_open(&p, v, "svf");
            play_set(&p, "cutoff", cutoff[c]);
            play_set(&p, "resonance", 0.5);
            pulse[0] = 1;
            play_run(&p, pulse, port, heard, N);
            for (double hz = 20; hz < 20000; hz *= 1.7) {
                double complex s = (double complex)I * tan(M_PI * hz / PLAY_RATE) /
                                   tan(M_PI * cutoff[c] / PLAY_RATE);
                double complex d = s * s + s / 5 + 1;
                double complex top[] = {1, s / 5, s * s, s * s + 1};
                double want = play_db(cabs(top[port] / d)), got = play_db(response(hz));
                CHECK_MSG(want < -80 || fabs(got - want) < 0.05,
                          "%s port %u cutoff %g at %.0f Hz: %.3f dB, not %.3f", v->name, port,
                          cutoff[c], hz, got, want);
            }
            play_close(&p);
        }
}

/* The same filter in double (Simper's form), fed with noise: what the floats add. */
static double null_db(const struct tac_variant *v, double hz, double resonance)
{
    enum { FRAMES = 1 << 14 };
    double g = tan(M_PI * hz / PLAY_RATE), k = pow(2, 1 - 6.64385618977 * resonance);
    double a1 = 1 / (1 + g * (g + k)), a2 = g * a1, a3 = g * a2, c1 = 0, c2 = 0;
    double error = 0, power = 0;
    struct play p;
    uint32_t seed = 1;
    for (int i = 0; i < FRAMES; i++) {
        seed = seed * 1664525u + 1013904223u;
        pulse[i] = (float)(int32_t)seed / 2147483648.0f;
    }
    play_open(&p, v, "svf");
    play_set(&p, "cutoff", hz);
    play_set(&p, "resonance", resonance);
    play_run(&p, pulse, 0, heard, FRAMES);
    play_close(&p);
    for (int i = 0; i < FRAMES; i++) {
        double v3 = (double)pulse[i] - c2, v1 = a1 * c1 + a2 * v3, v2 = c2 + a2 * c1 + a3 * v3;
        c1 = 2 * v1 - c1;
        c2 = 2 * v2 - c2;
        error += pow((double)heard[i] - v2, 2);
        power += v2 * v2;
    }
    memset(pulse, 0, sizeof pulse);
    return 10 * log10(error / power);
}

static void svf_is_as_good_as_in_double(void)
{
    static const double hz[] = {60, 1000, 8000};
    EACH_VARIANT(v)
    for (int k = 0; k < 6; k++) {
        double db = null_db(v, hz[k / 2], k & 1 ? 0.7 : 0.2);
        /* A Q of 12.5 at 60 Hz rings for 3 000 frames, and with it the last bit of each state. */
        CHECK_MSG(db <= (k == 1 ? -117 : -120), "%s, cutoff %g Hz: %.1f dB", v->name, hz[k / 2],
                  db);
    }
}

/* A full-scale saw-like input while the cutoff jumps three octaves about 1 kHz at audio rate. */
static double peak_under_modulation(const struct tac_variant *v, const char *block,
                                    double resonance)
{
    struct play p;
    play_open(&p, v, block);
    int cutoff = play_param(&p, "cutoff");
    p.moving = 1u << cutoff;
    play_set(&p, "resonance", resonance);
    double peak = 0;
    for (int chunk = 0; chunk < 300; chunk++) {
        for (uint32_t f = 0; f < PLAY_CHUNK; f++) {
            double t = (double)chunk * PLAY_CHUNK + f;
            double hz = 1000 * pow(2, 3 * sin(2 * M_PI * 997 / PLAY_RATE * t));
            play_fill(p.param[cutoff] + (size_t)f * p.lanes, p.lanes, (float)hz);
            play_fill(p.in[0] + (size_t)f * p.lanes, p.lanes, (float)(2 * fmod(t / 109, 1) - 1));
        }
        play_chunk(&p, PLAY_CHUNK);
        for (uint32_t i = 0; i < PLAY_CHUNK * p.lanes; i++)
            peak = fmax(peak, fabs((double)p.out[0][i]));
    }
    play_close(&p);
    return peak;
}

static void filters_stay_bounded_under_modulation(void)
{
    EACH_VARIANT(v)
    {
        double svf = peak_under_modulation(v, "svf", 0.2);
        CHECK_MSG(svf < 8, "%s svf: %g", v->name, svf);
        double ladder = peak_under_modulation(v, "ladder", 1);
        CHECK_MSG(ladder < 4, "%s ladder: %g", v->name, ladder);
    }
}

/* Mean frequency between the first and the last rising zero crossing. */
static double sung_hz(const float *x, int n)
{
    double first = -1, last = 0;
    int periods = -1;
    for (int i = 1; i < n; i++)
        if (x[i - 1] < 0 && x[i] >= 0) {
            last = i - (double)x[i] / ((double)x[i] - (double)x[i - 1]);
            first = first < 0 ? last : first;
            periods++;
        }
    return periods > 0 ? periods * PLAY_RATE / (last - first) : 0;
}

/* The kinds of ladder: bit 0 at twice the rate, bit 1 with stages that saturate. */
enum { KINDS = 4, FINE = 1, STAGES = 2 };

static const char *const kinds[KINDS] = {"fast", "fine", "fast, stages", "fine, stages"};

static void open_ladder(struct play *p, const struct tac_variant *v, int kind)
{
    play_option = "quality";
    play_option_value = (float)(kind & FINE);
    play_other_option = "saturation";
    play_other_value = (float)(kind & STAGES ? 1 : 0);
    play_open(p, v, "ladder");
    play_option = play_other_option = NULL;
}

static void check_pitch(const struct tac_variant *v, int kind)
{
    static const double cutoff[] = {20, 110, 440, 1000, 4000, 8000, 12000};
    for (size_t k = 0; k < sizeof cutoff / sizeof *cutoff; k++) {
        struct play p;
        open_ladder(&p, v, kind);
        play_set(&p, "cutoff", cutoff[k]);
        play_set(&p, "resonance", 1);
        pulse[0] = 1;
        for (int again = 0; again < (k ? 2 : 4); again++) {
            play_run(&p, pulse, 0, heard, N);
            pulse[0] = 0;
        }
        double cents = 1200 * log2(sung_hz(heard, N) / cutoff[k]);
        CHECK_MSG(fabs(cents) <= 5, "%s %s at %g Hz: %.1f cents", v->name, kinds[kind], cutoff[k],
                  cents);
        play_close(&p);
    }
}

static void ladder_sings_in_tune(void)
{
    EACH_VARIANT(v)
    check_pitch(v, 0);
    EACH_EXTREME(v)
    for (int kind = 1; kind < KINDS; kind++)
        check_pitch(v, kind);
}

/* A loud sine through an open filter, whose own level is 0 dB: what lies on no harmonic. */
static double ladder_alias_db(const struct tac_variant *v, int kind, size_t periods,
                              double drive_db)
{
    enum { LEAD = 4800 };
    static float in[N + LEAD], out[N + LEAD];
    struct play p;
    for (int i = 0; i < N + LEAD; i++)
        in[i] = (float)sin(2 * M_PI * (double)periods * i / N);
    open_ladder(&p, v, kind);
    play_set(&p, "drive", drive_db);
    play_set(&p, "cutoff", 6000);
    play_run(&p, in, 0, out, N + LEAD);
    play_close(&p);
    return spectrum_alias_db(out + LEAD, periods);
}

static void ladder_aliases_no_more_than_documented(void)
{
    static const struct {
        size_t periods;
        double drive_db, within[KINDS];
    } load[] = {{2733, 6, {-120, -120, -120, -120}},
                {5467, 6, {-54, -110, -54, -97}},
                {5467, 12, {-34, -69, -34, -66}}};
    EACH_EXTREME(v)
    for (int k = 0; k < 3 * KINDS; k++) {
        int i = k / KINDS, kind = k % KINDS;
        double db = ladder_alias_db(v, kind, load[i].periods, load[i].drive_db);
        CHECK_MSG(db <= load[i].within[kind], "%s %s, %zu periods, %g dB: %.1f dB", v->name,
                  kinds[kind], load[i].periods, load[i].drive_db, db);
    }
}

static void ladder_is_four_poles_when_quiet(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct play p;
        double rate = PLAY_RATE * (1 + (kind & FINE));
        open_ladder(&p, tac_blocks_variant(0), kind);
        play_set(&p, "resonance", 0.5);
        pulse[0] = 1e-3f;
        play_run(&p, pulse, 0, heard, N);
        for (double hz = 20; hz < 15000; hz *= 1.7) {
            double complex s = (double complex)I * tan(M_PI * hz / rate) / tan(M_PI * 1000 / rate);
            double want = play_db(cabs(1 / ((1 + s) * (1 + s) * (1 + s) * (1 + s) + 2.1)));
            double got = play_db(response(hz) * 1000);
            CHECK_MSG(fabs(got - want) < 0.05, "%s, %.0f Hz: %.3f dB, not %.3f", kinds[kind], hz,
                      got, want);
        }
        play_close(&p);
    }
}

/* The slopes of the four amplifiers, y' = w tanh(x - y), the first behind tanh(x - k y4). */
static void slopes(const double y[4], double x, double w, double k, double ret_slope[4])
{
    double from = tanh(x - k * y[3]);
    for (int n = 0; n < 4; n++) {
        ret_slope[n] = w * tanh(from - y[n]);
        from = y[n];
    }
}

/* The ladder as the equation says, by Runge and Kutta in steps of 1/16 frame. */
static double true_ladder(double y[4], double t, double gain, double norm, double w, double k)
{
    const double h = 1.0 / 16;
    for (int n = 0; n < 16; n++) {
        double a[4], b[4], c[4], d[4], at[4];
        slopes(y, gain * sin(2 * M_PI * norm * (t + n * h)), w, k, a);
        for (int i = 0; i < 4; i++)
            at[i] = y[i] + h / 2 * a[i];
        slopes(at, gain * sin(2 * M_PI * norm * (t + (n + 0.5) * h)), w, k, b);
        for (int i = 0; i < 4; i++)
            at[i] = y[i] + h / 2 * b[i];
        slopes(at, gain * sin(2 * M_PI * norm * (t + (n + 0.5) * h)), w, k, c);
        for (int i = 0; i < 4; i++)
            at[i] = y[i] + h * c[i];
        slopes(at, gain * sin(2 * M_PI * norm * (t + (n + 1) * h)), w, k, d);
        for (int i = 0; i < 4; i++)
            y[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]);
    }
    return y[3];
}

/* Loud sines through a narrow filter, where the stages have much to do. */
static void ladder_stages_saturate_as_their_equation_says(void)
{
    enum { FRAMES = 9600 };
    static const double hz[] = {100, 400}, within[] = {-50, -37};
    for (int k = 0; k < 2; k++) {
        struct play p;
        double y[4] = {0}, error = 0, power = 0, norm = hz[k] / PLAY_RATE;
        open_ladder(&p, tac_blocks_variant(0), STAGES);
        play_set(&p, "resonance", 0.5);
        play_set(&p, "drive", 12);
        play_set(&p, "cutoff", 300);
        for (int i = 0; i < FRAMES; i++)
            pulse[i] = (float)sin(2 * M_PI * norm * i);
        play_run(&p, pulse, 0, heard, FRAMES);
        play_close(&p);
        for (int i = 1; i < FRAMES; i++) {
            double want = true_ladder(y, i - 1, pow(10, 12.0 / 20), norm,
                                      2 * M_PI * 300 / PLAY_RATE, 0.5 * 4.2);
            error += pow((double)heard[i] - want, 2);
            power += want * want;
        }
        double db = 10 * log10(error / power);
        CHECK_MSG(db < within[k], "%g Hz: %.1f dB", hz[k], db);
    }
    memset(pulse, 0, sizeof pulse);
}

static double size_at(const float *x, int frames, double norm)
{
    double complex sum = 0, at = 1, turn = cexp(-2 * M_PI * (double complex)I * norm);
    for (int i = 0; i < frames; i++, at *= turn)
        sum += (double)x[i] * at;
    return cabs(sum);
}

/* Where the answer to an impulse is loudest, in cents from the cutoff, by halving an interval. */
static double peak_cents(const float *x, int frames, double norm)
{
    double low = -40, high = 40;
    while (high - low > 0.05) {
        double a = low + (high - low) / 3, b = high - (high - low) / 3;
        if (size_at(x, frames, norm * pow(2, a / 1200)) <
            size_at(x, frames, norm * pow(2, b / 1200)))
            low = a;
        else
            high = b;
    }
    return (low + high) / 2;
}

static void svf_peaks_at_its_cutoff(void)
{
    enum { FRAMES = 1 << 15 };
    static const double hz[] = {50, 200, 1000, 4000, 10000, 18000};
    memset(pulse, 0, sizeof pulse);
    pulse[0] = 1;
    EACH_VARIANT(v)
    for (size_t k = 0; k < sizeof hz / sizeof *hz; k++) {
        struct play p;
        play_open(&p, v, "svf");
        play_set(&p, "cutoff", hz[k]);
        play_set(&p, "resonance", 0.8);
        play_run(&p, pulse, 1, heard, FRAMES);
        double cents = peak_cents(heard, FRAMES, hz[k] / PLAY_RATE);
        CHECK_MSG(fabs(cents) <= 2, "%s at %g Hz: %.2f cents off", v->name, hz[k], cents);
        play_close(&p);
    }
}

/* low - high = peak, low + high = notch, notch - band = all-pass, which keeps the size of all. */
static void svf_outputs_belong_together(void)
{
    enum { FRAMES = 1 << 13 };
    static float out[6][FRAMES];
    memset(pulse, 0, sizeof pulse);
    pulse[0] = 1;
    EACH_VARIANT(v)
    {
        for (uint32_t port = 0; port < 6; port++) {
            struct play p;
            play_open(&p, v, "svf");
            play_set(&p, "resonance", 0.3);
            play_run(&p, pulse, port, out[port], FRAMES);
            play_close(&p);
        }
        for (int i = 0; i < FRAMES; i++) {
            CHECK_NEAR(out[4][i], (double)out[0][i] - (double)out[2][i], 2e-6);
            CHECK_NEAR(out[3][i], (double)out[0][i] + (double)out[2][i], 2e-6);
            CHECK_NEAR(out[5][i], (double)out[3][i] - (double)out[1][i], 2e-6);
        }
        for (double norm = 0.001; norm < 0.49; norm *= 1.7)
            CHECK_NEAR(size_at(out[5], FRAMES, norm), 1, 1e-3);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(svf_is_the_bilinear_filter);
    TEST(svf_peaks_at_its_cutoff);
    TEST(svf_outputs_belong_together);
    TEST(svf_is_as_good_as_in_double);
    TEST(filters_stay_bounded_under_modulation);
    TEST(ladder_sings_in_tune);
    TEST(ladder_aliases_no_more_than_documented);
    TEST(ladder_is_four_poles_when_quiet);
    TEST(ladder_stages_saturate_as_their_equation_says);
    return test_end();
}
