/* SPDX-License-Identifier: MIT
 * recording_file.c - see recording_file.h. */
#include "cli/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int absolute(const char *path, char *full, size_t size, struct tac_error *err)
{
    char folder[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(folder, sizeof folder))
        return tac_error_set(err, -errno, NULL, 0, 0, "the current folder: %s", strerror(errno));
    int n = snprintf(full, size, "%s%s%s", folder, folder[0] ? "/" : "", path);
    if (n < 0 || (size_t)n >= size)
        return tac_error_set(err, -ENAMETOOLONG, path, 0, 0, "the path is too long");
    return 0;
}

int tac_recording_file_prepare(const char *path, char *full, size_t size, struct tac_error *err)
{
    struct stat st;
    int r = absolute(path, full, size, err);
    if (r < 0)
        return r;
    if (!lstat(full, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return tac_error_set(err, -EINVAL, path, 0, 0,
                             "this is a device or a link; name a plain file for the recording");
    int fd = open(full, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return tac_error_set(err, -errno, path, 0, 0, "cannot be written: %s", strerror(errno));
    close(fd);
    tac_recording_file_remove(full);
    return 0;
}

static int copy_to(int out, const char *from)
{
    static char buffer[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int r = in < 0 ? -errno : 0;
    ssize_t got = 0;
    while (r == 0 && (got = read(in, buffer, sizeof buffer)) > 0)
        for (ssize_t put = 0, n; put < got && r == 0; put += n > 0 ? n : 0)
            if ((n = write(out, buffer + put, (size_t)(got - put))) < 0)
                r = -errno;
    if (in >= 0)
        close(in);
    return r ? r : got < 0 ? -EIO : 0;
}

int tac_recording_file_append(const char *path, const char *from, struct tac_error *err)
{
    int out = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    int r = out < 0 ? 0 : copy_to(out, from);
    if (out >= 0 && close(out) && r == 0)
        r = -errno;
    unlink(from);
    if (r < 0)
        return tac_error_set(err, r, path, 0, 0, "the kernel's events cannot be added: %s",
                             tac_error_sentence(r));
    return 0;
}

void tac_recording_file_remove(const char *path)
{
    struct stat st;
    if (!lstat(path, &st) && S_ISREG(st.st_mode))
        unlink(path);
}
