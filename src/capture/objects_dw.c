/* SPDX-License-Identifier: MIT
 * objects_dw.c - see objects.h; through libdwfl of elfutils. Each file is a session of its own with
 * no bias, so that mappings of different times cannot collide. */
#include "capture/objects.h"

#include "capture/elf_place.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tac_object {
    Dwfl *dwfl;
    Dwfl_Module *module;
    struct tac_elf_place place;
    char *folders; /* libdwfl keeps a pointer to this */
    Dwfl_Callbacks callbacks;
};

static bool report(struct tac_object *o, const char *path, const char *build_id)
{
    GElf_Addr bias;
    dwfl_report_begin(o->dwfl);
    o->module = dwfl_report_elf(o->dwfl, "module", path, -1, 0, true);
    if (dwfl_report_end(o->dwfl, NULL, NULL) || !o->module)
        return false;
    Elf *elf = dwfl_module_getelf(o->module, &bias);
    return elf && tac_elf_place_read(elf, build_id, &o->place);
}

struct tac_object *tac_object_open(const char *path, const char *build_id, const char *folders)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) /* a recording may name a pipe or a device */
        return NULL;
    struct tac_object *o = calloc(1, sizeof *o);
    if (!o || !(o->folders = tac_elf_debug_path(folders)))
        goto failed;
    o->callbacks = (Dwfl_Callbacks){.find_elf = dwfl_build_id_find_elf,
                                    .find_debuginfo = dwfl_standard_find_debuginfo,
                                    .debuginfo_path = &o->folders};
    o->dwfl = dwfl_begin(&o->callbacks);
    if (o->dwfl && report(o, path, build_id))
        return o;
failed:
    tac_object_close(o);
    return NULL;
}

void tac_object_close(struct tac_object *o)
{
    if (!o)
        return;
    if (o->dwfl)
        dwfl_end(o->dwfl);
    free(o->folders);
    free(o);
}

/* The compilation unit that holds the address. clang writes no table of ranges by address, and
 * without one libdwfl finds nothing: then each unit is asked. */
static Dwarf_Die *unit_of(struct tac_object *o, Dwarf_Addr at, Dwarf_Addr *ret_bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(o->module, at, ret_bias);
    if (unit)
        return unit;
    while ((unit = dwfl_module_nextcu(o->module, unit, ret_bias)))
        if (dwarf_haspc(unit, at - *ret_bias) > 0)
            return unit;
    return NULL;
}

static void find_line(struct tac_object *o, Dwarf_Addr at, struct tac_object_place *place)
{
    Dwarf_Addr bias = 0;
    int line = 0;
    Dwarf_Die *unit = unit_of(o, at, &bias);
    Dwarf_Line *source = unit ? dwarf_getsrc_die(unit, at - bias) : NULL;
    if (!source)
        return;
    place->file = dwarf_linesrc(source, NULL, NULL);
    dwarf_lineno(source, &line);
    place->line = line > 0 ? (uint32_t)line : 0;
}

struct tac_object_place tac_object_find(struct tac_object *o, uint64_t file_offset, uint64_t into)
{
    struct tac_object_place place = {0};
    uint64_t at = tac_elf_place_address(&o->place, file_offset, into);
    GElf_Off offset = 0;
    GElf_Sym symbol;
    place.function = dwfl_module_addrinfo(o->module, at, &offset, &symbol, NULL, NULL, NULL);
    place.offset = offset;
    find_line(o, at, &place);
    return place;
}
