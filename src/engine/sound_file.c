/* SPDX-License-Identifier: MIT
 * sound_file.c - see sound_file.h. The last frame is read, as a heading may promise more than there
 * is. */
#include "engine/sound_file.h"

#include "base/sound_words.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Whether the file holds as much as its heading says. Leaves it at its beginning. */
static bool has_last_frame(SNDFILE *file, const SF_INFO *info)
{
    float frame[TAC_SOUND_CHANNELS_MAX];
    bool there = sf_seek(file, info->frames - 1, SEEK_SET) == info->frames - 1 &&
                 sf_readf_float(file, frame, 1) == 1;
    return sf_seek(file, 0, SEEK_SET) == 0 && there;
}

/* What is there and no file: a pipe would be waited for, and a directory is no unknown format. */
static const char *other_than_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
        return NULL;
    return S_ISDIR(st.st_mode) ? "it is a directory" : "it is no file";
}

static int check(SNDFILE *file, const SF_INFO *info, const char *path, struct tac_error *err)
{
    if (info->channels < 1 || info->channels > TAC_SOUND_CHANNELS_MAX || info->samplerate < 1000 ||
        info->samplerate > 1536000)
        return tac_error_set(
            err, -TAC_E_RANGE, NULL, 0, 0,
            "%s has %d channels at %d Hz; 1 to %d channels at 1 kHz to 1.5 MHz can "
            "be played",
            path, info->channels, info->samplerate, TAC_SOUND_CHANNELS_MAX);
    if (info->frames <= 0)
        return tac_error_set(err, -TAC_E_TRUNCATED, NULL, 0, 0, "%s has no sound in it", path);
    if (info->seekable && !has_last_frame(file, info))
        return tac_error_set(err, -TAC_E_TRUNCATED, NULL, 0, 0,
                             "%s is cut off: its heading promises %.1f s of sound", path,
                             (double)info->frames / info->samplerate);
    return 0;
}

int tac_sound_file_open(const char *path, SNDFILE **ret_file, SF_INFO *ret_info,
                        struct tac_error *err)
{
    SF_INFO info = {0};
    char why[96];
    const char *other = other_than_file(path);
    if (other)
        return tac_error_set(err, -EINVAL, NULL, 0, 0, "%s cannot be played: %s", path, other);
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (!file)
        return tac_error_set(err, -TAC_E_CORRUPT, NULL, 0, 0, "%s cannot be played: %s", path,
                             tac_sound_words(sf_error(NULL), sf_strerror(NULL), why, sizeof why));
    int code = check(file, &info, path, err);
    if (code < 0) {
        sf_close(file);
        return code;
    }
    *ret_file = file;
    *ret_info = info;
    return 0;
}
