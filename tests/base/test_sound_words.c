/* SPDX-License-Identifier: MIT
 * test_sound_words.c - the reason stays, the library's manner of speaking does not. */
#include "base/sound_words.h"
#include "test.h"

static void words_are_clear(void)
{
    char buffer[96];
    CHECK_STR(tac_sound_words(2, "System error : No space left on device.", buffer, sizeof buffer),
              "No space left on device");
    CHECK(strstr(tac_sound_words(1, "Format not recognised.", buffer, sizeof buffer), "WAV"));
    CHECK_STR(
        tac_sound_words(3, "Supported file format but file is malformed.", buffer, sizeof buffer),
        "the file is damaged");
    CHECK(strstr(tac_sound_words(4, "Supported file format but unsupported encoding.", buffer,
                                 sizeof buffer),
                 "not known"));
    CHECK_STR(tac_sound_words(77, "Something else went wrong . ", buffer, sizeof buffer),
              "Something else went wrong");
    CHECK_STR(tac_sound_words(99, "Error : unknown error in flac decoder.", buffer, sizeof buffer),
              "the file is damaged: unknown error in flac decoder");
    CHECK_STR(tac_sound_words(0, "", buffer, sizeof buffer), "");
}

static void a_short_buffer_is_enough(void)
{
    char buffer[8];
    CHECK_STR(tac_sound_words(2, "System error : Is a directory.", buffer, sizeof buffer),
              "Is a di");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(words_are_clear);
    TEST(a_short_buffer_is_enough);
    return test_end();
}
