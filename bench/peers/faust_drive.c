/* SPDX-License-Identifier: MIT
 * faust_drive.c - runs a C class that Faust wrote, for peer_faust.py.
 *
 * usage: drive INSTANCES SECONDS. Blocks of 64 frames at 48 kHz, outputs summed over the instances,
 * gates down, every slider whose name begins with "fc" moved once per block. */
#include <faust/gui/CInterface.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>
#define max(a, b) ((a) < (b) ? (b) : (a))
#define min(a, b) ((a) < (b) ? (a) : (b))
#include PROGRAM

enum { BLOCK = 64, CHANNELS = 64, SLIDERS = 4096 };

static float *cutoff[SLIDERS];
static int cutoffs;

static void open_box(void *self, const char *label)
{
    (void)self, (void)label;
}

static void close_box(void *self)
{
    (void)self;
}

static void add_button(void *self, const char *label, float *zone)
{
    (void)self, (void)label;
    *zone = 1;
}

static void add_slider(void *self, const char *label, float *zone, float init, float low,
                       float high, float step)
{
    (void)self, (void)init, (void)low, (void)high, (void)step;
    if (!strncmp(label, "fc", 2) && cutoffs < SLIDERS)
        cutoff[cutoffs++] = zone;
}

static void declare(void *self, float *zone, const char *key, const char *value)
{
    (void)self, (void)zone, (void)key, (void)value;
}

int main(int argc, char **argv)
{
    int instances = atoi(argv[1]);
    long blocks = (long)(atof(argv[2]) * 48000 / BLOCK);
    static float buffer[CHANNELS][BLOCK], mix[BLOCK];
    float *out[CHANNELS], *in[1] = {mix}, check = 0;
    UIGlue glue = {.openTabBox = open_box,
                   .openHorizontalBox = open_box,
                   .openVerticalBox = open_box,
                   .closeBox = close_box,
                   .addButton = add_button,
                   .addCheckButton = add_button,
                   .addVerticalSlider = add_slider,
                   .addHorizontalSlider = add_slider,
                   .addNumEntry = add_slider,
                   .declare = declare};
    mydsp **dsp = malloc((size_t)instances * sizeof *dsp);
    _mm_setcsr(_mm_getcsr() | 0x8040);
    for (int c = 0; c < CHANNELS; c++)
        out[c] = buffer[c];
    for (int i = 0; i < instances; i++) {
        dsp[i] = newmydsp();
        initmydsp(dsp[i], 48000);
        buildUserInterfacemydsp(dsp[i], &glue);
    }
    for (long b = 0; b < blocks; b++) {
        for (int i = 0; i < cutoffs; i++)
            *cutoff[i] =
                1200 + 960 * sinf(0.0083776f * (0.3f + 0.01f * (float)i) * (float)(b & 8191));
        for (int i = 0; i < instances; i++) {
            computemydsp(dsp[i], BLOCK, in, out);
            for (int f = 0; f < BLOCK; f++)
                mix[f] += buffer[0][f];
        }
        check += mix[5];
        memset(mix, 0, sizeof mix);
    }
    printf("%g\n", (double)check);
    return argc > 3;
}
