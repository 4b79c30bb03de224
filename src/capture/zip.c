/* SPDX-License-Identifier: MIT
 * zip.c - see zip.h. Level 1: chunks are delta-coded already, and the writer shares the machine
 * with what it watches. */
#include "capture/zip.h"

#include "trace/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { LEVEL = 1, HEAD = 4 };

struct tac_zip {
    ZSTD_CCtx *in;
    ZSTD_DCtx *out;
    unsigned char *buffer;
    size_t size;
};

struct tac_zip *tac_zip_new(void)
{
    return calloc(1, sizeof(struct tac_zip));
}

void tac_zip_free(struct tac_zip *zip)
{
    if (!zip)
        return;
    ZSTD_freeCCtx(zip->in);
    ZSTD_freeDCtx(zip->out);
    free(zip->buffer);
    free(zip);
}

static int grow(struct tac_zip *zip, size_t size)
{
    if (zip->size >= size)
        return 0;
    unsigned char *buffer = realloc(zip->buffer, size);
    if (!buffer)
        return -ENOMEM;
    zip->buffer = buffer;
    zip->size = size;
    return 0;
}

size_t tac_zip_in(struct tac_zip *zip, const void *plain, size_t bytes, const void **ret_zipped)
{
    uint32_t length = (uint32_t)bytes;
    if (!zip->in)
        zip->in = ZSTD_createCCtx();
    if (!zip->in || bytes > TAC_CHUNK_BYTES_MAX || grow(zip, HEAD + ZSTD_compressBound(bytes)))
        return 0;
    size_t n =
        ZSTD_compressCCtx(zip->in, zip->buffer + HEAD, zip->size - HEAD, plain, bytes, LEVEL);
    if (ZSTD_isError(n) || n + HEAD >= bytes)
        return 0;
    memcpy(zip->buffer, &length, HEAD);
    *ret_zipped = zip->buffer;
    return n + HEAD;
}

long tac_zip_out(struct tac_zip *zip, const void *zipped, size_t bytes, const void **ret_plain)
{
    uint32_t length;
    if (bytes < HEAD)
        return -EBADMSG;
    memcpy(&length, zipped, HEAD);
    if (length > TAC_CHUNK_BYTES_MAX)
        return -EBADMSG;
    if (!zip->out)
        zip->out = ZSTD_createDCtx();
    if (!zip->out || grow(zip, length ? length : 1))
        return -ENOMEM;
    size_t n = ZSTD_decompressDCtx(zip->out, zip->buffer, length,
                                   (const unsigned char *)zipped + HEAD, bytes - HEAD);
    if (ZSTD_isError(n) || n != length)
        return -EBADMSG;
    *ret_plain = zip->buffer;
    return (long)n;
}
