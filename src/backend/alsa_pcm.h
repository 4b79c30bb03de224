/* SPDX-License-Identifier: MIT
 * alsa_pcm.h - one direction of an ALSA device: negotiated, then fed or drained a block at a time.
 *
 * Invariants  I1 the buffer holds at least two blocks  I2 put and get are called only when avail
 * has told that a block fits or is there. Threads     open, close: control. The rest: the audio
 * thread, real-time; they enter the kernel only for the device. */
#ifndef TAC_BACKEND_ALSA_PCM_H
#define TAC_BACKEND_ALSA_PCM_H

#include "backend/alsa_sample.h"
#include "tactus/error.h"

#include <stdbool.h>

struct tac_alsa_pcm {
    snd_pcm_t *pcm; /* NULL: this direction is not used */
    const struct tac_alsa_sample *sample;
    bool mmap, interleaved;
    uint32_t channels;      /* of the device, at least those that are wanted */
    uint32_t frames;        /* of a block */
    uint32_t buffer_frames; /* of the device */
    size_t sample_bytes;
    char *bytes;                  /* a block for the device, when it is not mapped */
    snd_pcm_channel_area_t *area; /* where each channel is in bytes */
    void **plane;                 /* the same as pointers, for separate channels */
    const float *silence;         /* a block of zeros */
};

/* Open device for channels at exactly rate_hz with blocks of frames. */
int tac_alsa_pcm_open(struct tac_alsa_pcm *pcm, const char *device, snd_pcm_stream_t direction,
                      uint32_t channels, double rate_hz, uint32_t frames, struct tac_error *err);
void tac_alsa_pcm_close(struct tac_alsa_pcm *pcm);

/* The rate nearest to 48 kHz that the device runs at. A device that plays only, or records only, is
 * asked in the direction that it has. */
int tac_alsa_pcm_rate(const char *device, double *ret_hz, struct tac_error *err);

/* Write a block; data[channel][frame], the device's further channels get silence. Negative: ALSA's
 * error. */
int tac_alsa_pcm_put(struct tac_alsa_pcm *pcm, float *const *data, uint32_t channels);

/* Read a block. */
int tac_alsa_pcm_get(struct tac_alsa_pcm *pcm, float *const *data, uint32_t channels);

#endif
