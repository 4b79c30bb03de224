/* SPDX-License-Identifier: MIT
 * elf_place.c - see elf_place.h. */
#include "capture/elf_place.h"

#include <elfutils/libdwelf.h>
#include <stdio.h>
#include <string.h>

static bool same_build_id(Elf *elf, const char *wanted)
{
    const void *bits;
    char text[130] = "";
    ssize_t n = dwelf_elf_gnu_build_id(elf, &bits);
    for (ssize_t i = 0; i < n && i < 64; i++)
        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)bits)[i]);
    return !*wanted || !strcmp(text, wanted);
}

bool tac_elf_place_read(Elf *elf, const char *build_id, struct tac_elf_place *ret_place)
{
    struct tac_elf_place place = {.segments = 0};
    size_t count = 0;
    if (!same_build_id(elf, build_id) || elf_getphdrnum(elf, &count))
        return false;
    for (size_t i = 0; i < count && place.segments < TAC_ELF_SEGMENTS; i++) {
        GElf_Phdr *p = &place.segment[place.segments];
        if (gelf_getphdr(elf, (int)i, p) && p->p_type == PT_LOAD && p->p_flags & PF_X)
            place.segments++;
    }
    *ret_place = place;
    return place.segments > 0;
}

uint64_t tac_elf_place_address(const struct tac_elf_place *place, uint64_t file_offset,
                               uint64_t into)
{
    uint64_t at = file_offset + into;
    for (int i = 0; i < place->segments; i++) {
        const GElf_Phdr *p = &place->segment[i];
        if (at >= p->p_offset && at - p->p_offset < p->p_filesz)
            return p->p_vaddr + (at - p->p_offset);
    }
    uint64_t begin = place->segment[0].p_vaddr;
    return (file_offset & 4095 ? begin : begin & ~4095ull) + into;
}

char *tac_elf_debug_path(const char *folders)
{
    char *path;
    int n = asprintf(&path, ":.debug:/usr/lib/debug%s%s", *folders ? ":" : "", folders);
    return n < 0 ? NULL : path;
}
