/* SPDX-License-Identifier: MIT
 * notify.c - messages to the service manager; see notify.h. */
#include "cli/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void send_text(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    // a manager that does not listen is no reason to stop playing
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, size) < 0)
        unsetenv("NOTIFY_SOCKET");
    close(fd);
}

void tac_notify_ready(void)
{
    send_text("READY=1");
}

void tac_notify_status(const char *line, bool alive)
{
    char text[320];
    snprintf(text, sizeof text, "STATUS=%s%s", line, alive ? "\nWATCHDOG=1" : "");
    send_text(text);
}

void tac_notify_stopping(void)
{
    send_text("STOPPING=1");
}
