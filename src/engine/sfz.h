/* SPDX-License-Identifier: MIT
 * sfz.h - reads instruments in SFZ: text that gives sound files their keys, velocities and loops.
 *
 * What is read: <control> default_path; <global>, <master>, <group> and <region>, each with what
 * the one before it says; sample, key, lokey, hikey, pitch_keycenter, lovel, hivel, transpose,
 * tune, volume, loop_mode, loop_start, loop_end, loop_crossfade, offset, end, ampeg_release.
 * Comments begin with //. Other words are skipped, as players do; #define and #include are refused,
 * as what they bring would be missing. Regions with trigger=release are left out.
 * Source: sfzformat.com, SFZ version 1, and loop_crossfade of version 2.
 * Threads: control. Cost: the length of the text; limits below. */
#ifndef TAC_ENGINE_SFZ_H
#define TAC_ENGINE_SFZ_H

#include "tactus/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    TAC_SFZ_BYTES_MAX = 1 << 20,
    TAC_SFZ_REGIONS_MAX = 1024,
    TAC_SFZ_PATH_MAX = 256, /* of a sample, with its end */
};

enum tac_sfz_loop {
    TAC_SFZ_UNSAID, /* continuous where there is a loop_end, else none */
    TAC_SFZ_NO_LOOP,
    TAC_SFZ_ONE_SHOT,
    TAC_SFZ_CONTINUOUS,
    TAC_SFZ_SUSTAIN
};

struct tac_sfz_region {
    char sample[TAC_SFZ_PATH_MAX]; /* default_path before it; with / between folders */
    unsigned line;                 /* of the <region> */
    int key_low, key_high, velocity_low, velocity_high; /* 0 .. 127, both included */
    double root;                 /* key at which the sample plays as it is, less its tuning */
    double volume_db, release_s; /* release < 0: unsaid */
    enum tac_sfz_loop loop;
    /* Frames of the file; < 0: unsaid. loop_last and last are played, too. */
    double first, last, loop_first, loop_last;
    double crossfade_s;
};

/* regions: to be freed by the caller; NULL and untouched on failure. err gets line and text. */
int tac_sfz_parse(const char *text, size_t size, struct tac_sfz_region **ret_regions,
                  uint32_t *ret_count, struct tac_error *err);

#endif
