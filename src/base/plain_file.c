/* SPDX-License-Identifier: MIT
 * plain_file.c - see plain_file.h. Opened without waiting (O_NONBLOCK, which means nothing to a
 * file), and looked at when it is open, so that nobody can put something else in its place. */
#include "base/plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *other_than_file(mode_t mode)
{
    return S_ISREG(mode)    ? NULL
           : S_ISDIR(mode)  ? "a directory"
           : S_ISFIFO(mode) ? "a pipe"
                            : "a device or a socket";
}

/* Bytes that were read, or negative errno. */
static ssize_t read_all(int fd, char *bytes, size_t most)
{
    size_t size = 0;
    while (size < most) {
        ssize_t n = read(fd, bytes + size, most - size);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        size += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)size;
}

int tac_plain_file_read(const char *path, size_t most, char **ret_bytes, size_t *ret_size,
                        const char **ret_other)
{
    struct stat st;
    *ret_other = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int code = fstat(fd, &st) < 0 ? -errno : 0;
    if (code >= 0 && (*ret_other = other_than_file(st.st_mode)))
        code = -EINVAL;
    char *bytes = code < 0 ? NULL : malloc(most + 1);
    ssize_t size = bytes ? read_all(fd, bytes, most + 1) : code < 0 ? code : -ENOMEM;
    close(fd);
    if (size < 0) {
        free(bytes);
        return (int)size;
    }
    *ret_bytes = bytes;
    *ret_size = (size_t)size;
    return 0;
}
