/* SPDX-License-Identifier: MIT
 * test_build_id.c - the build id among notes, well-formed or not. */
#include "base/build_id.h"
#include "test.h"

#include <elf.h>
#include <link.h>

static unsigned char notes[128];
static char text[TAC_BUILD_ID_TEXT];

static size_t add_note(size_t at, uint32_t type, const char *name, uint32_t id_bytes)
{
    ElfW(Nhdr)
        note = {.n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = id_bytes, .n_type = type};
    memcpy(notes + at, &note, sizeof note);
    at += sizeof note;
    strcpy((char *)notes + at, name);
    at += (note.n_namesz + 3) & ~3u;
    for (uint32_t i = 0; i < id_bytes; i++)
        notes[at++] = (unsigned char)(0xa0 + i);
    return (at + 3) & ~(size_t)3;
}

static bool find(size_t bytes)
{
    strcpy(text, "-");
    return tac_build_id_find(notes, bytes, 4, text);
}

static void id_behind_another_note_is_found(void)
{
    size_t end = add_note(add_note(0, NT_GNU_ABI_TAG, "GNU", 16), NT_GNU_BUILD_ID, "GNU", 5);
    CHECK(find(end) && !strcmp(text, "a0a1a2a3a4"));
    CHECK(find(end - 3) && !strcmp(text, "a0a1a2a3a4")); /* without its padding */
}

static void others_and_pieces_have_none(void)
{
    size_t end = add_note(0, NT_GNU_BUILD_ID, "Go\0", 8);
    CHECK(!find(end) && !strcmp(text, "-"));
    end = add_note(0, NT_GNU_BUILD_ID, "GNU", TAC_BUILD_ID_BYTES);
    for (size_t cut = 0; cut < end; cut++)
        CHECK(!find(cut) && !strcmp(text, "-"));
    CHECK(find(end) && strlen(text) == TAC_BUILD_ID_TEXT - 1);
    end = add_note(0, NT_GNU_BUILD_ID, "GNU", TAC_BUILD_ID_BYTES + 4);
    CHECK(!find(end) && !strcmp(text, "-"));
    memset(notes, 0xff, sizeof notes);
    CHECK(!find(sizeof notes) && !strcmp(text, "-"));
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(id_behind_another_note_is_found);
    TEST(others_and_pieces_have_none);
    return test_end();
}
