/* SPDX-License-Identifier: MIT
 * sound_sink.c - see sound_sink.h.
 *
 * Invariant  while `ahead` is set, the disk has RESERVE bytes for the file behind what was written,
 *            or error is set and they are being used up. */
#include "backend/sound_sink.h"

#include "base/sound_words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RESERVE = 1 << 20, STEP = 4 << 20 };

struct tac_sound_sink {
    SNDFILE *file;
    int fd, error; /* error: the first, negative */
    bool plain;    /* a file on a disk */
    bool ahead;    /* room is taken ahead */
    bool cut;      /* something was not written */
    bool coded;    /* in pieces that a reader needs whole */
    sf_count_t at, size, room;
};

static void note(struct tac_sound_sink *s, int error)
{
    if (!s->error)
        s->error = -error;
}

/* Where room cannot be taken ahead for another reason than that there is none, it is not. */
static void take_room(struct tac_sound_sink *s, sf_count_t wanted)
{
    static const off_t steps[] = {STEP, 0};
    int refused = 0;
    for (int i = 0; i < 2 && s->ahead && !s->error && s->room < wanted + RESERVE; i++) {
        off_t bytes = wanted + RESERVE + steps[i] - s->room;
        refused = fallocate(s->fd, FALLOC_FL_KEEP_SIZE, s->room, bytes) < 0 ? errno : 0;
        if (!refused)
            s->room += bytes;
        else if (refused != ENOSPC && refused != EDQUOT)
            s->ahead = false;
    }
    if (refused && s->ahead)
        note(s, refused);
}

static sf_count_t sink_length(void *user)
{
    return ((struct tac_sound_sink *)user)->size;
}

static sf_count_t sink_tell(void *user)
{
    return ((struct tac_sound_sink *)user)->at;
}

static sf_count_t sink_seek(sf_count_t offset, int whence, void *user)
{
    struct tac_sound_sink *s = user;
    sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? s->at : s->size;
    if (from + offset < 0)
        return -1;
    return s->at = from + offset;
}

static sf_count_t sink_write(const void *data, sf_count_t bytes, void *user)
{
    struct tac_sound_sink *s = user;
    const char *from = data;
    sf_count_t done = 0;
    take_room(s, s->at + bytes);
    if (!s->plain && s->at != s->size)
        done = bytes;
    while (done < bytes) {
        ssize_t n = s->plain ? pwrite(s->fd, from + done, (size_t)(bytes - done), s->at + done)
                             : write(s->fd, from + done, (size_t)(bytes - done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            note(s, n < 0 ? errno : EIO);
            s->cut = true;
            break;
        }
        done += n;
    }
    s->at += done;
    s->size = s->at > s->size ? s->at : s->size;
    return done;
}

/* Without a reader a pipe is refused, not waited for. */
static int open_path(struct tac_sound_sink *s, const char *path, struct tac_error *err)
{
    struct stat st;
    s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
    if (s->fd < 0)
        return tac_error_set(err, -errno, path, 0, 0, "cannot be written: %s",
                             errno == ENXIO ? "nobody reads from it" : strerror(errno));
    (void)!fcntl(s->fd, F_SETFL, 0);
    s->plain = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);
    s->ahead = s->plain;
    return 0;
}

int tac_sound_sink_open(const char *path, const SF_INFO *info, struct tac_sound_sink **ret_sink,
                        struct tac_error *err)
{
    static SF_VIRTUAL_IO functions = {
        .get_filelen = sink_length, .seek = sink_seek, .write = sink_write, .tell = sink_tell};
    SF_INFO copy = *info;
    struct tac_sound_sink *s = calloc(1, sizeof *s);
    if (!s)
        return tac_error_set(err, -ENOMEM, path, 0, 0, "out of memory");
    int code = open_path(s, path, err), format = info->format & SF_FORMAT_TYPEMASK;
    if (code < 0) {
        free(s);
        return code;
    }
    s->coded = format == SF_FORMAT_FLAC || format == SF_FORMAT_OGG;
    s->file = sf_open_virtual(&functions, SFM_WRITE, &copy, s);
    if (!s->file) {
        char why[96];
        code = tac_error_set(
            err, s->error ? s->error : -EIO, path, 0, 0, "cannot be written: %s",
            s->error ? strerror(-s->error)
                     : tac_sound_words(sf_error(NULL), sf_strerror(NULL), why, sizeof why));
        tac_sound_sink_close(s, NULL);
        return code;
    }
    sf_command(s->file, SFC_RF64_AUTO_DOWNGRADE, NULL, SF_TRUE);
    *ret_sink = s;
    return 0;
}

int tac_sound_sink_write(struct tac_sound_sink *s, const float *frames, uint32_t count)
{
    if (sf_writef_float(s->file, frames, count) != count)
        note(s, EIO);
    return s->error;
}

void tac_sound_sink_update(struct tac_sound_sink *s)
{
    if (!s->coded) /* a second heading amid a stream ends it */
        sf_command(s->file, SFC_UPDATE_HEADER_NOW, NULL, 0);
}

int tac_sound_sink_close(struct tac_sound_sink *s, bool *ret_whole)
{
    if (!s)
        return 0;
    if (s->file)
        sf_close(s->file);
    if (s->plain && s->room > s->size && ftruncate(s->fd, s->size) < 0)
        note(s, errno);
    if (close(s->fd) < 0)
        note(s, errno);
    int error = s->error;
    if (ret_whole)
        *ret_whole = !s->cut || !s->coded;
    free(s);
    return error;
}
