/* SPDX-License-Identifier: MIT
 * test_mixing.c - pan, gain, mix, mixer and bus against their formulas in double. */
#include "play.h"
#include "test.h"

static double factor(double db)
{
    return pow(10, db / 20);
}

/* Play a chunk with constant inputs; the last frame of an output in the last lane. */
static double settle(struct play *p, const double *in, int ins, int port)
{
    for (int i = 0; i < ins; i++)
        play_fill(p->in[i], (size_t)PLAY_CHUNK * p->lanes, (float)in[i]);
    play_chunk(p, PLAY_CHUNK);
    return (double)p->out[port][(size_t)PLAY_CHUNK * p->lanes - 1];
}

static void pan_keeps_the_power(void)
{
    EACH_VARIANT(v)
    for (double place = -1; place <= 1; place += 0.125) {
        struct play p;
        double x = 0.7, angle = (1 + place) * M_PI / 4;
        play_open(&p, v, "pan");
        play_set(&p, "position", place);
        CHECK_NEAR(settle(&p, &x, 1, 0), x * cos(angle), 2e-7);
        CHECK_NEAR(settle(&p, &x, 1, 1), x * sin(angle), 2e-7);
        play_close(&p);
    }
}

static void gain_is_the_product(void)
{
    EACH_VARIANT(v)
    for (double db = -60; db <= 40; db += 7.3) {
        struct play p;
        double x[2] = {0.3, 0.8};
        play_open(&p, v, "gain");
        play_set(&p, "level", db);
        CHECK_NEAR(settle(&p, x, 2, 0) / (x[0] * x[1] * factor(db)), 1, 1e-6);
        p.moving = 1;
        CHECK_NEAR(settle(&p, x, 2, 0) / (x[0] * x[1] * factor(db)), 1, 1e-6);
        play_close(&p);
    }
}

static const double given[8] = {0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 0.7, -0.8};

static void set_input(struct play *p, const char *what, int i, double value)
{
    char name[16];
    snprintf(name, sizeof name, "%s%d", what, i + 1);
    play_set(p, name, value);
}

static void mix_is_the_sum_of_what_is_connected(void)
{
    EACH_VARIANT(v)
    {
        struct play p;
        double sum = 0;
        play_open(&p, v, "mix");
        p.connected = 0xb7;
        for (int i = 0; i < 8; i++) {
            set_input(&p, "level", i, -3.0 * i);
            sum += p.connected >> i & 1 ? given[i] * factor(-3.0 * i) : 0;
        }
        CHECK_NEAR(settle(&p, given, 8, 0), sum, 1e-6);
        play_close(&p);
    }
}

static void mixer_places_each_of_its_inputs(void)
{
    EACH_VARIANT(v)
    for (int moving = 0; moving < 2; moving++) {
        struct play p;
        double left = 0, right = 0;
        play_open(&p, v, "mixer");
        p.connected = 0x7f;
        p.moving = moving ? ~0u : 0;
        for (int i = 0; i < 8; i++) {
            double place = -1 + i * 0.28, g = i == 7 ? 0 : given[i] * factor(i - 4.0);
            set_input(&p, "level", i, i - 4.0);
            set_input(&p, "pan", i, place);
            left += g * cos((1 + place) * M_PI / 4);
            right += g * sin((1 + place) * M_PI / 4);
        }
        CHECK_NEAR(settle(&p, given, 8, 0), left, 2e-6);
        CHECK_NEAR(settle(&p, given, 8, 1), right, 2e-6);
        play_close(&p);
    }
}

static void bus_turns_balance_and_width(void)
{
    EACH_VARIANT(v)
    for (double width = 0; width <= 2; width += 0.5)
        for (double balance = -1; balance <= 1; balance += 0.5) {
            struct play p;
            double x[2] = {0.6, -0.25}, mid = (x[0] + x[1]) / 2, side = (x[0] - x[1]) / 2 * width;
            play_open(&p, v, "bus");
            p.connected = 3;
            play_set(&p, "level", -6);
            play_set(&p, "width", width);
            play_set(&p, "balance", balance);
            CHECK_NEAR(settle(&p, x, 2, 0), (mid + side) * factor(-6) * fmin(1, 1 - balance), 1e-6);
            CHECK_NEAR(settle(&p, x, 2, 1), (mid - side) * factor(-6) * fmin(1, 1 + balance), 1e-6);
            p.connected = 1; /* mono in: the same on both sides */
            CHECK_NEAR(settle(&p, x, 2, 1), x[0] * factor(-6) * fmin(1, 1 + balance), 1e-6);
            play_close(&p);
        }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(pan_keeps_the_power);
    TEST(gain_is_the_product);
    TEST(mix_is_the_sum_of_what_is_connected);
    TEST(mixer_places_each_of_its_inputs);
    TEST(bus_turns_balance_and_width);
    return test_end();
}
