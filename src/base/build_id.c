/* SPDX-License-Identifier: MIT
 * build_id.c - see build_id.h. */
#include "base/build_id.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

bool tac_build_id_find(const void *notes, size_t bytes, size_t align, char *ret_text)
{
    const unsigned char *data = notes;
    align = align == 8 ? 8 : 4;
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
        ElfW(Nhdr) note;
        memcpy(&note, data + at, sizeof note);
        size_t name = at + sizeof note, id = (name + note.n_namesz + align - 1) & ~(align - 1);
        if (note.n_namesz > bytes || note.n_descsz > bytes || id + note.n_descsz > bytes)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            !memcmp(data + name, "GNU", 4) && note.n_descsz <= TAC_BUILD_ID_BYTES) {
            for (size_t i = 0; i < note.n_descsz; i++)
                sprintf(ret_text + 2 * i, "%02x", data[id + i]);
            return true;
        }
        at = (id + note.n_descsz + align - 1) & ~(align - 1);
    }
    return false;
}
