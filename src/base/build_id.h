/* SPDX-License-Identifier: MIT
 * build_id.h - the build id of an ELF object, by the notes in it.
 *
 * Source: ELF-64 object file format, notes; NT_GNU_BUILD_ID of <elf.h>. Threads: any. */
#ifndef TAC_BASE_BUILD_ID_H
#define TAC_BASE_BUILD_ID_H

#include <stdbool.h>
#include <stddef.h>

enum { TAC_BUILD_ID_BYTES = 20, TAC_BUILD_ID_TEXT = 2 * TAC_BUILD_ID_BYTES + 1 };

/* notes: the bytes of a PT_NOTE segment, which need not be aligned nor well-formed; align: p_align
 * of it. ret_text: TAC_BUILD_ID_TEXT bytes, hexadecimal; written when there is one. */
bool tac_build_id_find(const void *notes, size_t bytes, size_t align, char *ret_text);

#endif
