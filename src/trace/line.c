/* SPDX-License-Identifier: MIT
 * line.c - see line.h. */
#include "trace/line.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char *tac_line_read(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, buffer, size - 1);
    if (fd >= 0)
        close(fd);
    buffer[n > 0 ? n : 0] = 0;
    buffer[strcspn(buffer, "\n")] = 0;
    return buffer;
}
