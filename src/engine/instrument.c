/* SPDX-License-Identifier: MIT
 * instrument.c - see instrument.h. */
#include "engine/instrument.h"

#include "base/plain_file.h"
#include "engine/sfz.h"
#include "engine/sound_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sound that has been read. */
struct sound {
    const float *frames;
    uint32_t channels, count;
    double rate_hz;
};

struct loader {
    struct tac_vault *vault;
    const char *path;
    const struct tac_sfz_region *region;
    struct sound *sound; /* of each region */
    size_t bytes;
    struct tac_error *err;
};

bool tac_instrument_is_one(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (!strcmp(dot, ".sfz") || !strcmp(dot, ".SFZ"));
}

/* ---- sounds -------------------------------------------------------------------------------- */

static int read_frames(struct loader *l, SNDFILE *file, const SF_INFO *info,
                       struct sound *ret_sound)
{
    size_t bytes = (size_t)info->channels * sizeof(float);
    if ((uint64_t)info->frames > (TAC_INSTRUMENT_BYTES_MAX - l->bytes) / bytes)
        return tac_error_set(l->err, -TAC_E_LIMIT, NULL, 0, 0,
                             "the sounds of an instrument may have %d MiB",
                             TAC_INSTRUMENT_BYTES_MAX >> 20);
    float *frames = tac_vault_take(l->vault, (size_t)info->frames * bytes);
    if (!frames)
        return tac_error_set(l->err, -ENOMEM, NULL, 0, 0, "no memory is left for its sounds");
    sf_count_t got = sf_readf_float(file, frames, info->frames);
    if (got <= 0)
        return tac_error_set(l->err, -TAC_E_CORRUPT, NULL, 0, 0, "a sound cannot be read");
    l->bytes += (size_t)info->frames * bytes;
    *ret_sound =
        (struct sound){frames, (uint32_t)info->channels, (uint32_t)got, (double)info->samplerate};
    return 0;
}

/* The file lies beside the text, unless it is absolute. */
static int read_sound(struct loader *l, const char *name, struct sound *ret_sound)
{
    char path[TAC_ERROR_TEXT_MAX + TAC_SFZ_PATH_MAX];
    const char *slash = strrchr(l->path, '/');
    int folder = slash && name[0] != '/' ? (int)(slash + 1 - l->path) : 0;
    if ((size_t)snprintf(path, sizeof path, "%.*s%s", folder, l->path, name) >= sizeof path)
        return tac_error_set(l->err, -TAC_E_LIMIT, NULL, 0, 0, "its path is too long");
    SNDFILE *file;
    SF_INFO info;
    int code = tac_sound_file_open(path, &file, &info, l->err);
    if (code < 0)
        return code;
    code = read_frames(l, file, &info, ret_sound);
    sf_close(file);
    return code;
}

static int find_sound(struct loader *l, uint32_t index)
{
    for (uint32_t k = 0; k < index; k++)
        if (!strcmp(l->region[k].sample, l->region[index].sample)) {
            l->sound[index] = l->sound[k];
            return 0;
        }
    return read_sound(l, l->region[index].sample, &l->sound[index]);
}

/* ---- parts --------------------------------------------------------------------------------- */

static enum tac_part_mode mode_of(const struct tac_sfz_region *r)
{
    switch (r->loop) {
    case TAC_SFZ_ONE_SHOT:
        return TAC_PART_ONE_SHOT;
    case TAC_SFZ_CONTINUOUS:
        return TAC_PART_LOOP;
    case TAC_SFZ_SUSTAIN:
        return TAC_PART_SUSTAIN;
    case TAC_SFZ_NO_LOOP:
        return TAC_PART_GATED;
    default:
        return r->loop_last >= 0 ? TAC_PART_LOOP : TAC_PART_GATED;
    }
}

/* A frame that was given, or else; never beyond most. */
static uint32_t frame_of(double given, double otherwise, uint32_t most)
{
    double frame = given < 0 ? otherwise : given;
    return frame > most ? most : (uint32_t)frame;
}

static void set_loop(struct tac_part *z, const struct tac_sfz_region *r, double rate_hz)
{
    z->loop_first = frame_of(r->loop_first, 0, z->frames - 1);
    z->loop_end = frame_of(r->loop_last < 0 ? -1 : r->loop_last + 1, z->frames, z->frames);
    if (z->loop_end <= z->loop_first)
        z->loop_end = z->frames;
    uint32_t length = z->loop_end - z->loop_first;
    z->fade = frame_of(r->crossfade_s * rate_hz, 0, length);
    z->fade = z->fade < z->loop_first ? z->fade : z->loop_first;
}

static struct tac_part part_of(const struct tac_sfz_region *r, const struct sound *sound,
                               double rate_hz)
{
    struct tac_part z = {
        .key_low = (uint8_t)r->key_low,
        .key_high = (uint8_t)r->key_high,
        .velocity_low = (uint8_t)r->velocity_low,
        .velocity_high = (uint8_t)r->velocity_high,
        .root = (float)r->root,
        .gain = (float)pow(10, r->volume_db / 20),
        .release_s = (float)r->release_s,
        .speed = (float)(sound->rate_hz / rate_hz),
        .mode = mode_of(r),
        .channels = sound->channels,
        .sound = sound->frames,
    };
    z.frames = frame_of(r->last < 0 ? -1 : r->last + 1, sound->count, sound->count);
    z.frames = z.frames ? z.frames : 1;
    z.first = frame_of(r->first, 0, z.frames - 1);
    set_loop(&z, r, sound->rate_hz);
    return z;
}

/* Which parts each key has, in their order. */
static int index_keys(struct tac_vault *vault, struct tac_instrument *instrument,
                      struct tac_error *err)
{
    uint32_t entries = 0;
    for (uint32_t k = 0; k < instrument->count; k++)
        if (instrument->part[k].key_high >= instrument->part[k].key_low)
            entries += instrument->part[k].key_high - instrument->part[k].key_low + 1u;
    instrument->index = TAC_VAULT_NEW(vault, uint16_t, entries);
    if (!instrument->index)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "no memory is left");
    for (uint32_t key = 0, at = 0; key < 128; key++) {
        for (uint32_t k = 0; k < instrument->count; k++)
            if (instrument->part[k].key_low <= key && key <= instrument->part[k].key_high)
                instrument->index[at++] = (uint16_t)k;
        instrument->first[key + 1] = at;
    }
    return 0;
}

static int make_parts(struct loader *l, uint32_t count, double rate_hz,
                      struct tac_instrument **ret_instrument)
{
    struct tac_instrument *instrument = TAC_VAULT_NEW(l->vault, struct tac_instrument, 1);
    struct tac_part *part = TAC_VAULT_NEW(l->vault, struct tac_part, count);
    if (!instrument || !part)
        return tac_error_set(l->err, -ENOMEM, NULL, 0, 0, "no memory is left");
    for (uint32_t k = 0; k < count; k++) {
        int code = find_sound(l, k);
        if (code < 0) {
            struct tac_error why = l->err ? *l->err : (struct tac_error){0};
            return tac_error_set(l->err, code, l->path, l->region[k].line, 0, "%s", why.text);
        }
        part[k] = part_of(&l->region[k], &l->sound[k], rate_hz);
    }
    *instrument = (struct tac_instrument){.count = count, .part = part};
    int code = index_keys(l->vault, instrument, l->err);
    if (code >= 0)
        *ret_instrument = instrument;
    return code;
}

/* ---- the text ------------------------------------------------------------------------------ */

static int read_text(const char *path, char **ret_text, size_t *ret_size, struct tac_error *err)
{
    const char *other;
    int code = tac_plain_file_read(path, TAC_SFZ_BYTES_MAX, ret_text, ret_size, &other);
    if (other)
        return tac_error_set(err, code, NULL, 0, 0, "%s cannot be played: it is %s", path, other);
    if (code >= 0 && *ret_size > TAC_SFZ_BYTES_MAX) {
        free(*ret_text);
        code = -EFBIG;
    }
    return code < 0 ? tac_error_set(err, code, NULL, 0, 0, "%s cannot be read: %s", path,
                                    tac_error_sentence(code))
                    : 0;
}

int tac_instrument_load(struct tac_vault *vault, const char *path, double rate_hz,
                        struct tac_instrument **ret_instrument, struct tac_error *err)
{
    char *text = NULL;
    size_t size = 0;
    struct tac_sfz_region *region;
    uint32_t count;
    struct tac_error why = {0};
    int code = read_text(path, &text, &size, err);
    if (code < 0)
        return code;
    code = tac_sfz_parse(text, size, &region, &count, &why);
    free(text);
    if (code < 0)
        return tac_error_set(err, code, path, why.line, 0, "%s", why.text);
    struct loader l = {vault, path, region, calloc(count, sizeof(struct sound)), 0, &why};
    code = l.sound ? make_parts(&l, count, rate_hz, ret_instrument)
                   : tac_error_set(&why, -ENOMEM, NULL, 0, 0, "no memory is left");
    free(l.sound);
    free(region);
    return code < 0 ? tac_error_set(err, code, why.line ? path : NULL, why.line, 0, "%s", why.text)
                    : 0;
}
