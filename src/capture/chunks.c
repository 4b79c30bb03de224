/* SPDX-License-Identifier: MIT
 * chunks.c - the chunks of a recording in memory, and their payloads without compression. */
#include "capture/chunkfile.h"
#include "capture/reader.h"

#include <errno.h>

int tac_reader_scan(struct tac_reader *r, const char *name, struct tac_error *err)
{
    struct tac_chunkfile file;
    struct tac_reader_chunk chunk;
    int more;
    tac_chunkfile_memory(&file, r->bytes, r->size, name);
    while ((more = tac_chunkfile_next(&file, &chunk.head, &chunk.payload, err)) > 0) {
        struct tac_reader_chunk *slot = tac_list_add(&r->chunks, sizeof *slot);
        if (!slot)
            return -ENOMEM;
        *slot = chunk;
    }
    r->pub.problems |= file.problems;
    r->pub.bytes_damaged = file.damaged;
    tac_chunkfile_close(&file);
    return more;
}

bool tac_reader_plain(struct tac_reader *r, const struct tac_reader_chunk *chunk,
                      struct tac_reader_chunk *ret_plain)
{
    *ret_plain = *chunk;
    if (!(chunk->head.flags & TAC_CHUNK_ZSTD))
        return true;
    if (!r->zip)
        r->zip = tac_zip_new();
    const void *plain;
    long n = r->zip ? tac_zip_out(r->zip, chunk->payload, chunk->head.bytes, &plain) : -ENOMEM;
    if (n < 0) {
        r->keeps.failed = r->keeps.failed || n == -ENOMEM;
        r->pub.problems |= TAC_CAPTURE_DAMAGED;
        return false;
    }
    ret_plain->payload = plain;
    ret_plain->head.bytes = (uint32_t)n;
    return true;
}
