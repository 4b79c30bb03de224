/* SPDX-License-Identifier: MIT
 * setting.c - see setting.h. What a process inherits through exec (priority, no huge pages, its
 * environment) is set before it; the rest (locked memory, FTZ/DAZ) by the watch library inside. */
#include "cli/setting.h"

#include "tactus/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { PLAIN, PRIORITY, ARENAS };

static const struct {
    struct tac_setting setting;
    enum kind kind;
    long usual, least, most;
} settings[] = {
    {{"heap", "Tactus' heap", "tactus", "", "", 0, 0}, PLAIN, 0, 0, 0},
    {{"mlockall", "locking all memory", "system", "lock=1,", "", 0, 0}, PLAIN, 0, 0, 0},
    {{"ftz", "flushing denormals", "system", "ftz=1,", "", 0, 0}, PLAIN, 0, 0, 0},
    {{"priority", "real-time priority", "system", "", "", 0, 0}, PRIORITY, 60, 1, 95},
    {{"thp", "switching huge pages off", "system", "", "", 0, 1}, PLAIN, 0, 0, 0},
    {{"MALLOC_ARENA_MAX", "MALLOC_ARENA_MAX", "system", "", "", 0, 0}, ARENAS, 64, 1, 4096},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

int tac_setting_find(const char *words, struct tac_setting *ret_setting)
{
    size_t length = strcspn(words, "=");
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strlen(settings[i].setting.name) != length ||
            strncmp(settings[i].setting.name, words, length) != 0)
            continue;
        char *end = NULL;
        long value = words[length] ? strtol(words + length + 1, &end, 10) : settings[i].usual;
        if (end && (settings[i].kind == PLAIN || *end || end == words + length + 1))
            return -ERANGE;
        if (value < settings[i].least || value > settings[i].most)
            return -ERANGE;
        *ret_setting = settings[i].setting;
        if (settings[i].kind == PRIORITY)
            ret_setting->priority = (int)value;
        else if (settings[i].kind == ARENAS)
            snprintf(ret_setting->env, sizeof ret_setting->env, "MALLOC_ARENA_MAX=%ld", value);
        return 0;
    }
    return -TAC_E_UNKNOWN;
}

void tac_setting_list(struct tac_text *text)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        tac_text_addf(text, "%s%s", i ? ", " : "", settings[i].setting.name);
        if (settings[i].kind != PLAIN)
            tac_text_add(text, "[=N]");
    }
}
