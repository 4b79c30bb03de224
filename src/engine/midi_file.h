/* SPDX-License-Identifier: MIT
 * midi_file.h - reads Standard MIDI Files into songs that blocks play.
 *
 * Formats 0 and 1, ticks per quarter note or per frame of a second. The tracks are merged by time;
 * tempo changes become seconds; a sustain pedal holds the notes that are let go under it; pitch
 * bends are kept, all else is passed over. Source: MIDI Manufacturers Association 1996, "Standard
 * MIDI Files 1.0" (RP-001). Threads: control. */
#ifndef TAC_ENGINE_MIDI_FILE_H
#define TAC_ENGINE_MIDI_FILE_H

#include "tactus/block.h"
#include "tactus/error.h"

enum { TAC_MIDI_BYTES_MAX = 16 << 20, TAC_MIDI_EVENTS_MAX = 1 << 20 };

/* The bytes of a file. On failure err->text says what is wrong and where. The song is one piece of
 * malloc's memory, free() ends it. */
int tac_midi_file_parse(const uint8_t *bytes, size_t size, struct tac_song **ret_song,
                        struct tac_error *err);

/* The same with the file of that name. */
int tac_midi_file_load(const char *path, struct tac_song **ret_song, struct tac_error *err);

#endif
