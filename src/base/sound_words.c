/* SPDX-License-Identifier: MIT
 * sound_words.c - see sound_words.h. */
#include "base/sound_words.h"

#include <stdio.h>
#include <string.h>

enum { UNRECOGNISED = 1, SYSTEM, MALFORMED, UNSUPPORTED }; /* SF_ERR_... of sndfile.h */

const char *tac_sound_words(int code, const char *sentence, char *buffer, size_t size)
{
    static const char system[] = "System error : ", other[] = "Error : ";
    const char *before = "";
    if (strncmp(sentence, system, sizeof system - 1) == 0)
        sentence += sizeof system - 1;
    else if (code == UNRECOGNISED)
        sentence = "this is no sound file that is known (WAV, FLAC, AIFF, CAF, Ogg)";
    else if (code == MALFORMED)
        sentence = "the file is damaged";
    else if (code == UNSUPPORTED)
        sentence = "its samples are coded in a way that is not known";
    else if (strncmp(sentence, other, sizeof other - 1) == 0) {
        before = "the file is damaged: ";
        sentence += sizeof other - 1;
    }
    snprintf(buffer, size, "%s%s", before, sentence);
    for (size_t n = strlen(buffer); n && (buffer[n - 1] == '.' || buffer[n - 1] == ' '); n--)
        buffer[n - 1] = 0;
    return buffer;
}
