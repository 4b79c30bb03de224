/* SPDX-License-Identifier: MIT
 * program_map.c - reads the mappings; see program_map.h. */
#include "cli/program_map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "begin-end r-xp offset device inode path": code of a file. */
static bool is_code(const char *line, struct tac_capture_module *ret_module, char file[4096])
{
    char mode[5];
    return sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %4095[^\n]",
                  &ret_module->start, &ret_module->end, mode, &ret_module->offset, file) == 5 &&
           mode[2] == 'x' && file[0] == '/';
}

struct tac_program_map *tac_program_map_new(FILE *maps)
{
    char line[4400], file[4096];
    struct tac_program_map *map = calloc(1, sizeof *map);
    size_t n = 0;
    while (map && n < TAC_PROGRAM_MAP_MAX && fgets(line, sizeof line, maps)) {
        struct tac_capture_module *m = &map->module[n];
        if (!is_code(line, m, file))
            continue;
        m->build_id = "";
        m->path = strdup(file);
        n += m->path != NULL;
    }
    if (map) {
        map->capture.modules = map->module;
        map->capture.modules_count = n;
    }
    return map;
}

void tac_program_map_free(struct tac_program_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->capture.modules_count; i++)
        free((void *)(uintptr_t)map->module[i].path);
    free(map);
}
