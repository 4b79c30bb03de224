/* SPDX-License-Identifier: MIT
 * alsa_sample.h - float frames to and from the sample formats of sound cards.
 *
 * One channel at a time: floats are contiguous, samples stand step_bytes apart, which fits
 * interleaved and separate channels alike. Full scale is +-1; what is beyond is clipped, and 1.0
 * becomes the largest sample. Not dithered: rounding noise of 16 bits lies at -98 dB.
 * Threads any. Real-time: yes. */
#ifndef TAC_BACKEND_ALSA_SAMPLE_H
#define TAC_BACKEND_ALSA_SAMPLE_H

#include <alsa/asoundlib.h>
#include <stddef.h>
#include <stdint.h>

struct tac_alsa_sample {
    snd_pcm_format_t format;
    void (*put)(void *to, size_t step_bytes, const float *from, uint32_t frames);
    void (*get)(float *to, const void *from, size_t step_bytes, uint32_t frames);
};

/* All formats that are understood, the best first; format SND_PCM_FORMAT_UNKNOWN ends the list. */
extern const struct tac_alsa_sample tac_alsa_samples[];

#endif
