/* SPDX-License-Identifier: MIT
 * mixer.h - several patches at once: engines side by side, each with a gain, a pan, mute, solo and
 * meters.
 *
 *     struct tac_mixer *mixer;
 *     uint32_t strip;
 *     tac_mixer_new(&(struct tac_mixer_config){.outputs = 2}, &mixer);
 *     tac_mixer_add(mixer, drums, &strip);
 *     tac_mixer_set(mixer, strip, &(struct tac_mixer_strip){.gain_db = -3});
 *     in the callback:  tac_mixer_process(mixer, in, out, frames);
 *
 * A strip is an engine (tactus/engine.h) that stays its owner's: load, edit, notes and parameters
 * go there, while the others sound. Its channel c goes to channel first_out + c of the mixer; a
 * patch of one channel is placed between two by its pan. Each hears the mixer's inputs from the
 * first on. Strips are computed and summed in the order of their ids, so the same calls give the
 * same bits.
 *
 * Threads   control functions: any thread but the audio thread; they lock among themselves.
 *           tac_mixer_process: one thread at a time, the audio thread; it never waits for control.
 *           An engine that is in a mixer is processed by the mixer alone.
 * Real time tac_mixer_process obeys the law, as tac_engine_process does. Changes of gain, pan, mute
 *           and solo are ramps of 20 ms from the next call on. */
#ifndef TACTUS_MIXER_H
#define TACTUS_MIXER_H

#include "tactus/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TAC_MIXER_STRIPS_MAX 64
#define TAC_MIXER_GAIN_MIN_DB (-120.0f) /* and below: silence */
#define TAC_MIXER_GAIN_MAX_DB 24.0f

struct tac_mixer;

struct tac_mixer_config {
    double rate_hz;           /* that of all engines; 0: 48 000 */
    uint32_t inputs, outputs; /* channels, 0 .. TAC_ENGINE_CHANNELS_MAX; outputs at least 1 */
    uint32_t no_lock;         /* 1: do not try to lock memory */
};

/* How a strip is mixed. All zeros: as it is. */
struct tac_mixer_strip {
    float gain_db; /* up to TAC_MIXER_GAIN_MAX_DB */
    /* -1 left .. 1 right. Of one channel: its place between first_out and the channel after it,
     * with the same power everywhere (-3 dB each in the middle). Of more: the odd ones (left) or
     * the even ones become softer. Without effect where the mixer has one channel. */
    float pan;
    uint32_t mute, solo; /* solo: while any strip has it, those that do not are silent */
    uint32_t first_out;  /* channel of the mixer, from 0, that gets the patch's first */
};

/* config: at least outputs. -EINVAL: it is NULL, or a value is out of range; -ENOMEM. */
TAC_API TAC_MUST_CHECK int tac_mixer_new(const struct tac_mixer_config *config,
                                         struct tac_mixer **ret_mixer);

/* Not while process runs. The engines go on living. NULL is fine. */
TAC_API void tac_mixer_free(struct tac_mixer *mixer);

/* Put an engine with a patch into the mixer; it sounds from the next process call on. The id is not
 * given to another strip while this one is there. -EINVAL: nothing is loaded, another rate, or more
 * channels than the mixer has; -EEXIST: it is in a strip already; -TAC_E_LIMIT: no strip is left.
 */
TAC_API TAC_MUST_CHECK int tac_mixer_add(struct tac_mixer *mixer, struct tac_engine *engine,
                                         uint32_t *ret_strip);

/* Take it out: it fades (20 ms; waited for at most 60 ms, where nobody calls process), and when the
 * function returns the engine is its owner's alone. -ENOENT. */
TAC_API int tac_mixer_remove(struct tac_mixer *mixer, uint32_t strip);

/* -ENOENT; -EINVAL: a value is no number or out of range, or the channels do not fit. */
TAC_API int tac_mixer_set(struct tac_mixer *mixer, uint32_t strip,
                          const struct tac_mixer_strip *how);
TAC_API int tac_mixer_get(struct tac_mixer *mixer, uint32_t strip, struct tac_mixer_strip *ret_how);

#define TAC_MIXER_MIX 0xffffffffu /* instead of a strip: the mix itself */

/* Level of channel `channel` of the patch behind its fader and pan: what it adds to the mix. A
 * patch of one channel that is panned has two. -ENOENT past the last. */
TAC_API int tac_mixer_meter(struct tac_mixer *mixer, uint32_t strip, uint32_t channel,
                            struct tac_engine_meter *ret_meter);

/* Audio: compute frames (0 or more) of the mix. in: config.inputs channels (may be NULL when
 * silent), out: config.outputs channels, each an array of frames floats. */
TAC_API void tac_mixer_process(struct tac_mixer *mixer, const float *const *in, float *const *out,
                               uint32_t frames);

#ifdef __cplusplus
}
#endif
#endif
