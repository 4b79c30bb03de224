/* SPDX-License-Identifier: MIT
 * module_file.c - see module_file.h. */
#include "capture/module_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *tac_module_folders(const char *given)
{
    const char *folders = given ? given : getenv("TACTUS_SYMBOLS");
    return folders ? folders : "";
}

struct search {
    const char *path, *build_id;
    void *(*try)(void *me, const char *path);
    void *me;
};

static void *try_path(const struct search *s, const char *format, const char *folder,
                      int folder_length, const char *rest)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, format, folder_length, folder, rest);
    return n > 0 && (size_t)n < sizeof path ? s->try(s->me, path) : NULL;
}

static void *try_folder(const struct search *s, const char *folder, int length)
{
    void *found = NULL;
    const char *slash = strrchr(s->path, '/');
    char id[160];
    if (strlen(s->build_id) > 2) {
        snprintf(id, sizeof id, "%.2s/%.128s", s->build_id, s->build_id + 2);
        found = try_path(s, "%.*s/.build-id/%s", folder, length, id);
        found = found ? found : try_path(s, "%.*s/.build-id/%s.debug", folder, length, id);
    }
    found = found ? found : try_path(s, "%.*s/%s", folder, length, s->path);
    return found ? found : try_path(s, "%.*s/%s", folder, length, slash ? slash + 1 : s->path);
}

void *tac_module_file_find(const char *path, const char *build_id, const char *folders,
                           void *(*try)(void *me, const char *path), void *me)
{
    static const char system[] = "/usr/lib/debug";
    const struct search s = {path, build_id, try, me};
    void *found = try(me, path);
    for (const char *at = folders; !found && *at;) {
        int length = (int)strcspn(at, ":");
        if (length)
            found = try_folder(&s, at, length);
        at += length;
        at += *at == ':';
    }
    return found || !*build_id ? found : try_folder(&s, system, (int)sizeof system - 1);
}
