/* SPDX-License-Identifier: MIT
 * chunkfile.c - see chunkfile.h. */
#include "capture/chunkfile.h"

#include "base/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20, IN_VAIN_BYTES = 8 * TAC_CHUNK_BYTES_MAX };

int tac_chunkfile_open(struct tac_chunkfile *f, const char *path, struct tac_error *err)
{
    struct stat st;
    *f = (struct tac_chunkfile){.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), .name = path};
    int error = f->fd < 0 || fstat(f->fd, &st) ? -errno : 0;
    if (!error && !S_ISREG(st.st_mode))
        error = -EINVAL;
    if (!error)
        return 0;
    tac_chunkfile_close(f);
    if (error == -EINVAL)
        return tac_error_set(err, error, path, 0, 0, "this is not a file");
    return tac_error_set(err, error, path, 0, 0, "cannot be read: %s", tac_error_sentence(error));
}

void tac_chunkfile_memory(struct tac_chunkfile *f, const void *bytes, size_t size, const char *name)
{
    *f = (struct tac_chunkfile){
        .fd = -1, .bytes = bytes, .size = size, .at_end = true, .name = name, .total = size};
}

void tac_chunkfile_close(struct tac_chunkfile *f)
{
    if (f->fd >= 0)
        close(f->fd);
    free(f->buffer);
    f->fd = -1;
    f->buffer = NULL;
}

/* Have n bytes from `at` on, where the file has so many. 0 or -errno. */
static int fill(struct tac_chunkfile *f, size_t n)
{
    if (f->at_end || f->size - f->at >= n)
        return 0;
    f->size -= f->at;
    if (f->buffer)
        memmove(f->buffer, f->buffer + f->at, f->size);
    f->at = 0;
    size_t want = n > READ_BYTES ? n : READ_BYTES;
    if (f->room < want) {
        unsigned char *grown = realloc(f->buffer, want);
        if (!grown)
            return -ENOMEM;
        f->buffer = grown;
        f->room = want;
    }
    f->bytes = f->buffer;
    while (f->size < n) {
        ssize_t got = read(f->fd, f->buffer + f->size, f->room - f->size);
        if (got < 0 && errno != EINTR)
            return -errno;
        f->at_end = f->at_end || got == 0;
        if (got == 0)
            break;
        f->size += got > 0 ? (size_t)got : 0;
        f->total += got > 0 ? (uint64_t)got : 0;
    }
    return 0;
}

enum look { WHOLE, SHORT, NONE };

/* Damage costs about as many bytes of sums as bytes are damaged. A file that is made to look like
 * many large chunks, one in another, would cost a large one for each: beyond this it is not
 * believed.
 */
static bool is_worth_a_sum(const struct tac_chunkfile *f, uint32_t bytes)
{
    return f->in_vain + bytes <= IN_VAIN_BYTES + 4 * f->damaged;
}

/* What stands at `at`; *ret_need: the bytes of the chunk that its header tells of. */
static enum look look_at(struct tac_chunkfile *f, struct tac_format_chunk *head, size_t *ret_need)
{
    size_t left = f->size - f->at;
    *ret_need = sizeof *head;
    if (left < sizeof *head)
        return SHORT;
    memcpy(head, f->bytes + f->at, sizeof *head);
    if (head->magic != TAC_FORMAT_MAGIC || head->bytes > TAC_CHUNK_BYTES_MAX ||
        !is_worth_a_sum(f, head->bytes))
        return NONE;
    *ret_need += head->bytes;
    if (left < *ret_need)
        return SHORT;
    uint32_t crc = head->crc;
    head->crc = 0;
    uint32_t right =
        tac_crc32c(tac_crc32c(0, head, sizeof *head), f->bytes + f->at + sizeof *head, head->bytes);
    head->crc = crc;
    f->in_vain += right == crc ? 0 : head->bytes;
    return right == crc ? WHOLE : NONE;
}

/* Go on to the next place where a magic stands, or the end of what is there. True: found. */
static bool skip_to_magic(struct tac_chunkfile *f)
{
    const uint32_t magic = TAC_FORMAT_MAGIC;
    size_t from = f->at + 1 < f->size ? f->at + 1 : f->size;
    const void *found = memmem(f->bytes + from, f->size - from, &magic, sizeof magic);
    size_t to = f->size;
    if (found)
        to = (size_t)((const unsigned char *)found - f->bytes);
    else if (!f->at_end && f->size - from >= sizeof magic)
        to = f->size - sizeof magic + 1; /* a magic may go on in what is read next */
    f->damaged += to - f->at;
    f->at = to;
    return found != NULL;
}

static int no_recording(const struct tac_chunkfile *f, struct tac_error *err)
{
    if (!f->total)
        return tac_error_set(err, -TAC_E_TRUNCATED, f->name, 0, 0, "the file is empty");
    return tac_error_set(err, -TAC_E_SYNTAX, f->name, 0, 0,
                         "this is not a Tactus recording (it does not begin with 'TACR')");
}

/* The first bytes tell a recording that was cut off from what never was one. */
static bool begins_like_one(struct tac_chunkfile *f)
{
    const uint32_t magic = TAC_FORMAT_MAGIC;
    size_t n = f->size < sizeof magic ? f->size : sizeof magic;
    return n && !memcmp(f->bytes, &magic, n);
}

static int check_version(const struct tac_chunkfile *f, const struct tac_format_chunk *head,
                         const char *line, struct tac_error *err)
{
    if (head->kind == TAC_CHUNK_META && head->bytes > 7 && !memcmp(line, "format=", 7) &&
        (head->bytes < 9 || memcmp(line + 7, "1\n", 2) != 0))
        return tac_error_set(err, -TAC_E_VERSION, f->name, 0, 0,
                             "format %.*s is newer than this program: it reads format %u",
                             (int)(head->bytes - 8), line + 7, TAC_FORMAT_VERSION);
    return 0;
}

static int at_the_end(const struct tac_chunkfile *f, bool like_one, struct tac_error *err)
{
    if (f->chunks)
        return 0;
    if (!like_one)
        return no_recording(f, err);
    return tac_error_set(err, -TAC_E_TRUNCATED, f->name, 0, 0,
                         "not one whole chunk is in the file: it was cut off at its beginning");
}

int tac_chunkfile_next(struct tac_chunkfile *f, struct tac_format_chunk *ret_head,
                       const unsigned char **ret_payload, struct tac_error *err)
{
    size_t need = sizeof *ret_head;
    bool like_one = false;
    for (;;) {
        int error = fill(f, need);
        if (error)
            return tac_error_set(err, error, f->name, 0, 0, "cannot be read: %s",
                                 tac_error_sentence(error));
        like_one = like_one || begins_like_one(f);
        if (f->at == f->size && f->at_end)
            return at_the_end(f, like_one, err);
        enum look look = look_at(f, ret_head, &need);
        if (look == WHOLE) {
            *ret_payload = f->bytes + f->at + sizeof *ret_head;
            f->at += need;
            error = f->chunks++ ? 0 : check_version(f, ret_head, (const char *)*ret_payload, err);
            return error ? error : 1;
        }
        if (look == SHORT && !f->at_end)
            continue;
        bool found = skip_to_magic(f);
        like_one = like_one || found;
        f->problems |= look == SHORT && !found ? TAC_CAPTURE_TRUNCATED : TAC_CAPTURE_DAMAGED;
        need = sizeof *ret_head;
    }
}
