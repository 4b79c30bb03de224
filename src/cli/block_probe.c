/* SPDX-License-Identifier: MIT
 * block_probe.c - see block_probe.h. Cost: the block's, and a sum over the frames per frequency. */
#include "cli/block_probe.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 };

static void *zeroed(size_t bytes)
{
    bytes = (bytes + 127) & ~(size_t)63;
    void *p = aligned_alloc(64, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

int tac_probe_output(const struct tac_block *block, const char *name)
{
    for (int i = 0; block->out[i].name; i++)
        if (!strcmp(block->out[i].name, name))
            return i;
    return -1;
}

int tac_probe_param(const struct tac_block *block, const char *name)
{
    for (int i = 0; block->param[i].name; i++)
        if (!strcmp(block->param[i].name, name))
            return i;
    return -1;
}

void tac_probe_set(struct tac_probe *p, int param, float value)
{
    for (int l = 0; l < 16; l++)
        p->param[param][l] = value;
}

/* "name=value name=value ..." */
static bool apply(struct tac_probe *p, const char *settings)
{
    char name[32];
    float value;
    int used;
    while (sscanf(settings, " %31[a-z_0-9]=%f%n", name, &value, &used) == 2) {
        int param = tac_probe_param(p->block, name);
        if (param < 0)
            return false;
        tac_probe_set(p, param, value);
        settings += used;
    }
    return settings[strspn(settings, " ")] == 0;
}

static bool take_buffers(struct tac_probe *p)
{
    bool there = true;
    for (int i = 0; p->block->in[i].name; i++) {
        p->in[i] = zeroed(CHUNK * sizeof(float));
        for (int f = 0; p->in[i] && f < CHUNK; f++)
            p->in[i][f] = p->block->in[i].rest;
        there = there && p->in[i];
    }
    for (int i = 0; p->block->out[i].name; i++)
        there = (p->out[i] = zeroed(CHUNK * sizeof(float))) && there;
    return there;
}

bool tac_probe_open(struct tac_probe *p, const struct tac_block *block, const char *settings)
{
    static const float notes[] = {57, 60, 64, 0, 69, 67};
    struct tac_setup setup = {.rate_hz = TAC_PROBE_RATE,
                              .frames_max = CHUNK,
                              .lanes = 1,
                              .lanes_used = 1,
                              .seed = 1,
                              .tempo_bpm = 120};
    memset(p, 0, sizeof *p);
    p->block = block;
    memcpy(p->numbers, notes, sizeof notes);
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && block->option[i].name; i++) {
        setup.option[i] = block->option[i].fallback;
        setup.numbers[i] = p->numbers;
        setup.numbers_count[i] = sizeof notes / sizeof *notes;
    }
    for (int i = 0; block->param[i].name; i++)
        tac_probe_set(p, i, block->param[i].fallback);
    p->state = zeroed(block->state_bytes);
    size_t bytes = block->memory_bytes ? block->memory_bytes(&setup) : 0;
    p->memory = bytes ? zeroed(bytes) : NULL;
    if (!take_buffers(p) || !p->state || (bytes && !p->memory) || !apply(p, settings)) {
        tac_probe_close(p);
        return false;
    }
    if (block->init)
        block->init(p->state, &setup, p->memory);
    return true;
}

void tac_probe_close(struct tac_probe *p)
{
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX; i++) {
        free(p->in[i]);
        free(p->out[i]);
    }
    free(p->state);
    free(p->memory);
    memset(p, 0, sizeof *p);
}

static void run_chunk(struct tac_probe *p, uint32_t frames)
{
    static struct tac_notes none;
    struct tac_notes notes = {0};
    struct tac_io io = {.frames = frames, .notes_in = &none, .notes_out = &notes};
    for (int i = 0; p->block->in[i].name; i++)
        io.in[i] = (struct tac_signal){p->in[i], 1, i == 0, 0};
    for (int i = 0; p->block->param[i].name; i++)
        io.param[i] = (struct tac_signal){p->param[i], 0, 0, 0};
    for (int i = 0; p->block->out[i].name; i++)
        io.out[i] = p->out[i];
    p->block->process(p->state, &io);
}

void tac_probe_run(struct tac_probe *p, const float *in, int port, float *out, size_t frames)
{
    for (size_t done = 0, n; done < frames; done += n) {
        n = frames - done < CHUNK ? frames - done : CHUNK;
        if (in && p->in[0])
            memcpy(p->in[0], in + done, n * sizeof *in);
        run_chunk(p, (uint32_t)n);
        memcpy(out + done, p->out[port], n * sizeof *out);
    }
}

/* The phasors turn by multiplication; over some ten thousand frames that is exact enough to draw.
 */
static double power_at(const float *x, size_t frames, double norm, bool windowed)
{
    double complex sum = 0, at = 1, turn = cexp(-2 * M_PI * (double complex)I * norm);
    double complex hann = 1, hann_turn = cexp(2 * M_PI * (double complex)I / (double)frames);
    for (size_t i = 0; i < frames; i++) {
        sum += (double)x[i] * (windowed ? 0.5 - 0.5 * creal(hann) : 1) * at;
        at *= turn;
        hann *= hann_turn;
    }
    return creal(sum) * creal(sum) + cimag(sum) * cimag(sum);
}

double tac_probe_response_db(const float *x, size_t frames, double norm)
{
    return 10 * log10(power_at(x, frames, norm, false) + 1e-20);
}

double tac_probe_density_db(const float *x, size_t frames, size_t window, double norm)
{
    double power = 0, count = 0;
    for (size_t at = 0; at + window <= frames; at += window, count++)
        power += power_at(x + at, window, norm, true);
    return 10 * log10(power / count / (double)window * 8 / 3 + 1e-20);
}
