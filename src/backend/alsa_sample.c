/* SPDX-License-Identifier: MIT
 * alsa_sample.c - conversion of samples; see alsa_sample.h. */
#include "backend/alsa_sample.h"

#include <math.h>
#include <string.h>

static int32_t scaled(float x, double full)
{
    double y = (double)x * full;
    return (int32_t)lrint(y < -full ? -full : y < full - 1 ? y : full - 1);
}

/* put_NAME and get_NAME for a sample of TYPE whose full scale is FULL. */
#define INTEGER_SAMPLE(name, type, full)                                                           \
    static void put_##name(void *to, size_t step, const float *from, uint32_t frames)              \
    {                                                                                              \
        for (uint32_t i = 0; i < frames; i++) {                                                    \
            type sample = (type)scaled(from[i], full);                                             \
            memcpy((char *)to + i * step, &sample, sizeof sample);                                 \
        }                                                                                          \
    }                                                                                              \
    static void get_##name(float *to, const void *from, size_t step, uint32_t frames)              \
    {                                                                                              \
        for (uint32_t i = 0; i < frames; i++) {                                                    \
            type sample;                                                                           \
            memcpy(&sample, (const char *)from + i * step, sizeof sample);                         \
            to[i] = (float)((double)sample / (full));                                              \
        }                                                                                          \
    }

INTEGER_SAMPLE(s16, int16_t, 32768.0)
INTEGER_SAMPLE(s32, int32_t, 2147483648.0)

static void put_float(void *to, size_t step, const float *from, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++)
        memcpy((char *)to + i * step, &from[i], sizeof *from);
}

static void get_float(float *to, const void *from, size_t step, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++)
        memcpy(&to[i], (const char *)from + i * step, sizeof *to);
}

/* 24 bits in the low three bytes of four; what stands in the fourth is not defined on input. */
static void put_s24(void *to, size_t step, const float *from, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++) {
        int32_t sample = scaled(from[i], 8388608.0);
        memcpy((char *)to + i * step, &sample, sizeof sample);
    }
}

static void get_s24(float *to, const void *from, size_t step, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++) {
        uint32_t sample;
        memcpy(&sample, (const char *)from + i * step, sizeof sample);
        to[i] = (float)((double)(int32_t)(sample << 8) / 2147483648.0);
    }
}

static void put_s24_3le(void *to, size_t step, const float *from, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++) {
        uint32_t sample = (uint32_t)scaled(from[i], 8388608.0);
        unsigned char *byte = (unsigned char *)to + i * step;
        byte[0] = (unsigned char)sample;
        byte[1] = (unsigned char)(sample >> 8);
        byte[2] = (unsigned char)(sample >> 16);
    }
}

static void get_s24_3le(float *to, const void *from, size_t step, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++) {
        const unsigned char *byte = (const unsigned char *)from + i * step;
        uint32_t high = (uint32_t)byte[0] << 8 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 24;
        to[i] = (float)((double)(int32_t)high / 2147483648.0);
    }
}

const struct tac_alsa_sample tac_alsa_samples[] = {
    {SND_PCM_FORMAT_FLOAT, put_float, get_float},
    {SND_PCM_FORMAT_S32, put_s32, get_s32},
    {SND_PCM_FORMAT_S24, put_s24, get_s24},
    {SND_PCM_FORMAT_S24_3LE, put_s24_3le, get_s24_3le},
    {SND_PCM_FORMAT_S16, put_s16, get_s16},
    {SND_PCM_FORMAT_UNKNOWN, NULL, NULL},
};
