/* SPDX-License-Identifier: MIT
 * fuzz_capture.c - the reader and the exporters on any bytes, for libFuzzer and AFL++.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_capture.c    libFuzzer
 *   with -DTAC_FUZZ_MAIN any compiler: reads the files named as arguments (AFL++: @@; the corpus)
 *
 * A random mutation would nearly always break a chunk's CRC and end there; so each chunk that is
 * found is given the right one before the reader sees it. */
#include "base/crc.h"
#include "capture/export.h"
#include "capture/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void mend(unsigned char *bytes, size_t size)
{
    struct tac_format_chunk head;
    for (size_t at = 0; at + sizeof head <= size;) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.magic != TAC_FORMAT_MAGIC || head.bytes > size - at - sizeof head) {
            at++;
            continue;
        }
        head.crc = 0;
        head.crc =
            tac_crc32c(tac_crc32c(0, &head, sizeof head), bytes + at + sizeof head, head.bytes);
        memcpy(bytes + at, &head, sizeof head);
        at += sizeof head + head.bytes;
    }
}

/* Chunk by chunk, as from a stream. */
static void export_all(const unsigned char *bytes, size_t size)
{
    static const struct tac_export_options options = {.symbols = ""};
    for (const struct tac_export_format *const *f = tac_export_formats; *f; f++) {
        struct tac_walk *walk;
        void *me;
        if ((*f)->open("/dev/null", &options, &me))
            continue;
        if (tac_walk_open(&(struct tac_event_taker){me, (*f)->event}, &walk) == 0) {
            int error = tac_walk_memory(walk, bytes, size, "fuzz", NULL);
            (void)!(*f)->close(me, error ? NULL : tac_walk_capture(walk));
            tac_walk_close(walk);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    struct tac_capture *c;
    if (size)
        memcpy(copy, bytes, size);
    mend(copy, size);
    if (tac_capture_open_memory(copy, size, "fuzz", NULL, &c) == 0)
        tac_capture_close(c);
    export_all(copy, size);
    free(copy);
    return 0;
}

#ifdef TAC_FUZZ_MAIN
int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 22];
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
