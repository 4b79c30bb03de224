/* SPDX-License-Identifier: MIT
 * fuzz_midi.c - the reader of Standard MIDI Files on any bytes, for libFuzzer and AFL++.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_midi.c src/engine/midi_file.c
 *   with -DTAC_FUZZ_MAIN any compiler: reads the files named as arguments
 *
 * Seeded mutations run with the tests (tests/engine/test_midi_file.c). */
#include "engine/midi_file.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tac_song *song;
    if (tac_midi_file_parse(bytes, size, &song, NULL) == 0)
        free(song);
    return 0;
}

#ifdef TAC_FUZZ_MAIN
int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 20];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rbe");
        if (!file)
            return 1;
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, size);
    }
    return 0;
}
#endif
