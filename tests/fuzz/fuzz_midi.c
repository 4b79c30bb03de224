/* SPDX-License-Identifier: MIT
 * fuzz_midi.c - the reader of Standard MIDI Files on any bytes. See fuzz_main.h for how it is
 * run. */
#include "engine/midi_file.h"

#include "fuzz_main.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tac_song *song;
    if (tac_midi_file_parse(bytes, size, &song, NULL) == 0)
        free(song);
    return 0;
}
