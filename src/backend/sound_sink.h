/* SPDX-License-Identifier: MIT
 * sound_sink.h - a sound file that is written, whose end is whole when the disk is full.
 *
 * How     libsndfile writes through functions of ours, because its encoders (FLAC, Vorbis) do not
 *         tell, or tell late, what the system refused. They keep the first errno. Room on the disk
 *         is taken ahead of what is written (fallocate), so that a full disk is known while there
 *         is still room for what the encoder holds and for the heading. What is no plain file (a
 *         pipe, a device) gets its bytes in order; a heading that is written once more is left out
 *         there.
 * Threads one at a time. Not real-time. */
#ifndef TAC_BACKEND_SOUND_SINK_H
#define TAC_BACKEND_SOUND_SINK_H

#include "tactus/error.h"

#include <sndfile.h>
#include <stdbool.h>
#include <stdint.h>

struct tac_sound_sink;

/* The file is made, or emptied. info: as sf_open wants it for writing. */
int tac_sound_sink_open(const char *path, const SF_INFO *info, struct tac_sound_sink **ret_sink,
                        struct tac_error *err);

/* Interleaved. 0, or the negative errno of what the system refused first. */
int tac_sound_sink_write(struct tac_sound_sink *sink, const float *frames, uint32_t count);

/* Brings the heading up to date, where the format has one that can be. */
void tac_sound_sink_update(struct tac_sound_sink *sink);

/* Finishes the file. The first error, as above; NULL is fine. ret_whole: whether the file can be
 * read to its end. */
int tac_sound_sink_close(struct tac_sound_sink *sink, bool *ret_whole);

#endif
