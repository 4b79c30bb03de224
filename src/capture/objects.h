/* SPDX-License-Identifier: MIT
 * objects.h - one binary file and what it knows of its addresses: the two ways behind symbols.h,
 * with elfutils (objects_dw.c) and without (objects_none.c). Internal to capture. */
#ifndef TAC_CAPTURE_OBJECTS_H
#define TAC_CAPTURE_OBJECTS_H

#include <stddef.h>
#include <stdint.h>

struct tac_object;

struct tac_object_place {
    const char *function; /* as the file spells it; NULL when not known */
    const char *file;     /* NULL when not known */
    uint32_t line;
    uint64_t offset; /* from the begin of the function */
};

/* Open the file when its build-id is the one asked for ("" takes any). folders: for separate debug
 * files. NULL when it cannot be used. */
struct tac_object *tac_object_open(const char *path, const char *build_id, const char *folders);
void tac_object_close(struct tac_object *object); /* NULL is fine */

/* What stands at an address that was mapped from file_offset of the file on; into: its distance
 * from the begin of that mapping. Strings belong to the object. */
struct tac_object_place tac_object_find(struct tac_object *object, uint64_t file_offset,
                                        uint64_t into);

#endif
