/* SPDX-License-Identifier: MIT
 * wav_writer.h - records what an audio thread plays into a WAV file, without disturbing it.
 *
 * The audio thread pushes frames into a pre-touched ring; a helper thread of normal priority writes
 * them as 32-bit float through libsndfile and keeps the header up to date, so that the file is
 * whole whenever the process dies; beyond 4 GiB it becomes RF64. A file that was there is written
 * over when the first frame comes, not before. A ring that is full (a slow disk) drops and counts.
 */
#ifndef TAC_ENGINE_WAV_WRITER_H
#define TAC_ENGINE_WAV_WRITER_H

#include "tactus/error.h"

#include <stdint.h>

struct tac_wav_writer;

/* Open the file and start the helper. Room for two seconds of sound in the ring. Control thread.
 * 0, or a negative code with err filled. */
TAC_MUST_CHECK int tac_wav_writer_open(const char *path, double rate_hz, uint32_t channels,
                                       struct tac_wav_writer **ret_writer, struct tac_error *err);

/* Audio thread: planar[channel][frame]. Real-time: yes, wait-free. */
void tac_wav_writer_push(struct tac_wav_writer *writer, const float *const *planar,
                         uint32_t frames);

/* Frames that a push may hold now without dropping. Audio thread. */
uint64_t tac_wav_writer_room(const struct tac_wav_writer *writer);

/* Write what is left, close, free. A negative code when writing failed at any time (disk full):
 * what was written before is kept. NULL is fine. */
int tac_wav_writer_close(struct tac_wav_writer *writer, struct tac_error *err);

/* Frames that did not fit into the ring so far. */
uint64_t tac_wav_writer_dropped(const struct tac_wav_writer *writer);

#endif
