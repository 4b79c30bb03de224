/* SPDX-License-Identifier: MIT
 * elf_place.h - which ELF file a recording's mapping is of, and where in it an address lies.
 *
 * A mapping begins at an executable segment, or at its page. Its addresses in the file are found by
 * the segment's offset; a separate debug file has no contents, so that its offsets may be others:
 * there the mapping is taken to begin where the segment does. Needs elfutils' libelf. Internal to
 * capture. */
#ifndef TAC_CAPTURE_ELF_PLACE_H
#define TAC_CAPTURE_ELF_PLACE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

enum { TAC_ELF_SEGMENTS = 8 };

struct tac_elf_place {
    GElf_Phdr segment[TAC_ELF_SEGMENTS]; /* executable ones */
    int segments;
};

/* False when the file has another build-id ("" takes any), or nothing that could be run. */
bool tac_elf_place_read(Elf *elf, const char *build_id, struct tac_elf_place *ret_place);

/* The file's own address of the byte `into` bytes into a mapping from file_offset on. */
uint64_t tac_elf_place_address(const struct tac_elf_place *place, uint64_t file_offset,
                               uint64_t into);

/* Where libdwfl shall look for separate debug information, the caller's folders last; for free().
 * NULL: out of memory. */
char *tac_elf_debug_path(const char *folders);

#endif
