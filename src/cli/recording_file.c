/* SPDX-License-Identifier: MIT
 * recording_file.c - see recording_file.h. */
#include "cli/recording_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int absolute(struct tac_recording_file *file, const char *path)
{
    char folder[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(folder, sizeof folder))
        return -errno;
    int n = snprintf(file->path, sizeof file->path, "%s%s%s", folder, folder[0] ? "/" : "", path);
    return n < 0 || (size_t)n >= sizeof file->path ? -ENAMETOOLONG : 0;
}

void tac_recording_file_set_aside(struct tac_recording_file *file, const char *path)
{
    struct stat st;
    *file = (struct tac_recording_file){.before = ""};
    if (absolute(file, path) < 0 || lstat(file->path, &st) || !S_ISREG(st.st_mode) || !st.st_size ||
        access(file->path, W_OK))
        return;
    /* a name of our own: what has another already is somebody's */
    snprintf(file->before, sizeof file->before, "%s.before-XXXXXX", file->path);
    int fd = mkostemp(file->before, O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !rename(file->path, file->before))
        return;
    if (fd >= 0)
        unlink(file->before);
    file->before[0] = 0; /* it is written over, as asked for */
}

int tac_recording_file_prepare(struct tac_recording_file *file, const char *path,
                               struct tac_error *err)
{
    struct stat st;
    int r = absolute(file, path);
    if (r < 0)
        return tac_error_set(err, r, path, 0, 0, "the path: %s", strerror(-r));
    if (!lstat(file->path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return tac_error_set(err, -EINVAL, path, 0, 0,
                             "this is a device or a link; name a plain file for the recording");
    int fd = open(file->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return tac_error_set(err, -errno, path, 0, 0, "cannot be written: %s", strerror(errno));
    close(fd);
    tac_recording_file_set_aside(file, path);
    unlink(file->path); /* empty, or it could not be moved */
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

/* A format that is a folder has plain files in it and nothing else. */
static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}

void tac_recording_file_settle(struct tac_recording_file *file, bool recorded)
{
    struct stat st;
    if (!recorded && !lstat(file->path, &st)) {
        if (S_ISREG(st.st_mode))
            unlink(file->path);
        else if (S_ISDIR(st.st_mode))
            remove_folder(file->path);
    }
    if (file->before[0] && (recorded || rename(file->before, file->path)))
        unlink(file->before);
    file->before[0] = 0;
}
