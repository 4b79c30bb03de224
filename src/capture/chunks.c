/* SPDX-License-Identifier: MIT
 * chunks.c - finds the chunks of a recording that are whole, whatever lies between them.
 *
 * A chunk counts when its magic, its length and its CRC fit. Where one does not, the search goes on
 * byte by byte for the next magic; what was passed over is counted as damage. */
#include "base/crc.h"
#include "capture/reader.h"

#include <errno.h>
#include <string.h>

/* True and the chunk when one that is whole starts at `at`. *ret_short: it would end after the
 * file. */
static bool chunk_at(const struct tac_reader *r, size_t at, struct tac_reader_chunk *ret_chunk,
                     bool *ret_short)
{
    struct tac_format_chunk head;
    *ret_short = r->size - at < sizeof head;
    if (*ret_short)
        return false;
    memcpy(&head, r->bytes + at, sizeof head);
    if (head.magic != TAC_FORMAT_MAGIC || head.bytes > TAC_CHUNK_BYTES_MAX)
        return false;
    *ret_short = head.bytes > r->size - at - sizeof head;
    if (*ret_short)
        return false;
    const unsigned char *payload = r->bytes + at + sizeof head;
    uint32_t crc = head.crc;
    head.crc = 0;
    if (tac_crc32c(tac_crc32c(0, &head, sizeof head), payload, head.bytes) != crc)
        return false;
    *ret_chunk = (struct tac_reader_chunk){head, payload};
    return true;
}

/* The next place after `at` where a magic stands, or the end. */
static size_t next_magic(const struct tac_reader *r, size_t at)
{
    const uint32_t magic = TAC_FORMAT_MAGIC;
    const void *found = memmem(r->bytes + at, r->size - at, &magic, sizeof magic);
    return found ? (size_t)((const unsigned char *)found - r->bytes) : r->size;
}

static int check_first(struct tac_reader *r, const char *name, struct tac_error *err)
{
    const uint32_t magic = TAC_FORMAT_MAGIC;
    if (!r->size)
        return tac_error_set(err, -TAC_E_TRUNCATED, name, 0, 0, "the file is empty");
    size_t n = r->size < sizeof magic ? r->size : sizeof magic;
    if (memcmp(r->bytes, &magic, n) != 0 && next_magic(r, 0) == r->size)
        return tac_error_set(err, -TAC_E_SYNTAX, name, 0, 0,
                             "this is not a Tactus recording (it does not begin with 'TACR')");
    return 0;
}

static int check_version(const struct tac_reader *r, const char *name, struct tac_error *err)
{
    const struct tac_reader_chunk *first = r->chunks.data;
    if (!r->chunks.count)
        return tac_error_set(err, -TAC_E_TRUNCATED, name, 0, 0,
                             "not one whole chunk is in the file: it was cut off at its beginning");
    const char *line = (const char *)first->payload;
    if (first->head.kind == TAC_CHUNK_META && first->head.bytes > 7 &&
        !memcmp(line, "format=", 7) && (first->head.bytes < 9 || memcmp(line + 7, "1\n", 2) != 0))
        return tac_error_set(err, -TAC_E_VERSION, name, 0, 0,
                             "format %.*s is newer than this program: it reads format %u",
                             (int)(first->head.bytes - 8), line + 7, TAC_FORMAT_VERSION);
    return 0;
}

int tac_reader_scan(struct tac_reader *r, const char *name, struct tac_error *err)
{
    int error = check_first(r, name, err);
    if (error)
        return error;
    size_t at = 0;
    while (at < r->size) {
        struct tac_reader_chunk chunk;
        bool is_short;
        if (chunk_at(r, at, &chunk, &is_short)) {
            struct tac_reader_chunk *slot = tac_list_add(&r->chunks, sizeof *slot);
            if (!slot)
                return -ENOMEM;
            *slot = chunk;
            at += sizeof chunk.head + chunk.head.bytes;
            continue;
        }
        size_t next = next_magic(r, at + 1 < r->size ? at + 1 : r->size);
        r->pub.problems |=
            is_short && next == r->size ? TAC_CAPTURE_TRUNCATED : TAC_CAPTURE_DAMAGED;
        r->pub.bytes_damaged += next - at;
        at = next;
    }
    return check_version(r, name, err);
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
