/* SPDX-License-Identifier: MIT
 * sound_file.h - opens a sound file for playing, or says in one line why it cannot be played.
 * Threads: control. */
#ifndef TAC_ENGINE_SOUND_FILE_H
#define TAC_ENGINE_SOUND_FILE_H

#include "tactus/error.h"

#include <sndfile.h>

enum { TAC_SOUND_CHANNELS_MAX = 64 };

/* A whole file of 1 to TAC_SOUND_CHANNELS_MAX channels at 1 kHz to 1.5 MHz, at its beginning. On
 * failure err->text says why. */
int tac_sound_file_open(const char *path, SNDFILE **ret_file, SF_INFO *ret_info,
                        struct tac_error *err);

#endif
