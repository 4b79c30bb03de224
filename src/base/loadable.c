/* SPDX-License-Identifier: MIT
 * loadable.c - see loadable.h. */
#include "base/loadable.h"

#include "base/hash.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that is ours alone. */
static int make_folder(const char *path)
{
    struct stat s;
    if (mkdir(path, 0700) && errno != EEXIST)
        return -errno;
    if (lstat(path, &s))
        return -errno;
    return S_ISDIR(s.st_mode) && s.st_uid == geteuid() && !(s.st_mode & 022) ? 0 : -EPERM;
}

static int make_link(const char *target, const char *path)
{
    char there[PATH_MAX];
    if (!symlink(target, path))
        return 0;
    if (errno != EEXIST)
        return -errno;
    ssize_t n = readlink(path, there, sizeof there - 1);
    if (n < 0)
        return -errno;
    there[n] = 0;
    return strcmp(there, target) ? -EEXIST : 0;
}

int tac_loadable_spell(char *library, unsigned long size)
{
    char folder[32], link[64], above[PATH_MAX];
    const char *end = strrchr(library, '/');
    while (end && end > library && end[-1] != '/') /* "folder/library" stays */
        end--;
    if (!strpbrk(library, " :"))
        return 0;
    if (!end || strpbrk(end, " :"))
        return -EINVAL;
    if (snprintf(above, sizeof above, "%.*s", (int)(end - library), library) >= (int)sizeof above)
        return -ENAMETOOLONG;
    snprintf(folder, sizeof folder, "/tmp/tactus-%u", (unsigned)geteuid());
    snprintf(link, sizeof link, "%s/%016llx", folder, /* other folders have other links */
             (unsigned long long)tac_hash_bytes(TAC_HASH_BEGIN, above, strlen(above)));
    int r = make_folder(folder);
    if (r == 0)
        r = make_link(above, link);
    if (r < 0)
        return r;
    char spelt[PATH_MAX];
    if (snprintf(spelt, sizeof spelt, "%s/%s", link, end) >= (int)sizeof spelt ||
        strlen(spelt) >= size)
        return -ENAMETOOLONG;
    strcpy(library, spelt);
    return 0;
}
