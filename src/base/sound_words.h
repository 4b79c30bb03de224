/* SPDX-License-Identifier: MIT
 * sound_words.h - why a sound file could not be opened, read or written, in words of our own.
 *
 * libsndfile's sentences come with a prefix, a full stop and terms of its own; what a user can act
 * on is the system's reason, or which files can be read. Depends on the numbers of its public error
 * codes, not on the library. Any thread. */
#ifndef TAC_BASE_SOUND_WORDS_H
#define TAC_BASE_SOUND_WORDS_H

#include <stddef.h>

/* code: sf_error(); sentence: sf_strerror(). buffer >= 64 bytes; returned, without a full stop. */
const char *tac_sound_words(int code, const char *sentence, char *buffer, size_t size);

#endif
