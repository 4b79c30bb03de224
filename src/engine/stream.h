/* SPDX-License-Identifier: MIT
 * stream.h - sound files, read ahead by a helper thread, for blocks that play them.
 *
 * How     A stream is a ring of frames at the engine's rate. The helper reads with libsndfile,
 *         converts the rate with libsamplerate where it differs, and fills the ring about every
 *         10 ms; the audio thread takes frames out. Opening fills the ring before the first cycle.
 *         Offline there is no helper: taking frames out fills the ring when it runs dry, so what is
 *         heard depends on nothing but the file; and there the best converter is used.
 * Threads open, link, close: control. read, at_end: the audio thread. */
#ifndef TAC_ENGINE_STREAM_H
#define TAC_ENGINE_STREAM_H

#include "engine/vault.h"
#include "tactus/block.h"
#include "tactus/error.h"

struct tac_disk;
struct tac_file_stream;

/* The helper thread; with offline there is none. */
int tac_disk_new(bool offline, struct tac_disk **ret_disk);
void tac_disk_free(struct tac_disk *disk);
bool tac_disk_is_offline(const struct tac_disk *disk);
/* Frames that streams could not deliver (or recordings not take) in time, so far. */
void tac_disk_add_underruns(struct tac_disk *disk, uint64_t frames);
uint64_t tac_disk_underruns(const struct tac_disk *disk);

/* The ring lies in the vault, which must outlive the stream. On failure err->text says why. */
int tac_stream_open(struct tac_disk *disk, struct tac_vault *vault, const char *path,
                    double rate_hz, bool looping, struct tac_file_stream **ret_stream,
                    struct tac_error *err);
/* A sample: half a second of it lies in memory from the start, so that it can be struck at any
 * time; the rest is read when it is struck. sibling: an open stream of the same file and node,
 * whose memory is shared, or NULL. */
int tac_sample_open(struct tac_disk *disk, struct tac_vault *vault, const char *path,
                    double rate_hz, bool looping, const struct tac_file_stream *sibling,
                    struct tac_file_stream **ret_stream, struct tac_error *err);
struct tac_stream *tac_stream_interface(struct tac_file_stream *stream);

/* A list of streams, to be closed together. */
void tac_stream_link(struct tac_file_stream *stream, struct tac_file_stream **list);
void tac_streams_close(struct tac_disk *disk, struct tac_file_stream *list);

#endif
