/* SPDX-License-Identifier: MIT
 * host.h - starts a program with the watch library in front of it, and reads what it recorded. */
#ifndef TAC_TEST_WATCH_HOST_H
#define TAC_TEST_WATCH_HOST_H

#include "base/loadable.h"
#include "capture/capture.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The library, by a path that the loader takes. */
static inline const char *host_library(void)
{
    static char path[PATH_MAX] = WATCH_LIBRARY;
    if (tac_loadable_spell(path, sizeof path) < 0)
        abort();
    return path;
}

/* Status as a shell would give it: exit code or 128 + signal. words: TACTUS_WATCH. */
static inline int host_run(const char *words, char *const *argv)
{
    const char *library = host_library();
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", library, 1);
        setenv("TACTUS_WATCH", words, 1);
        alarm(20);
        execvp(argv[0], argv);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int host_guest(const char *words, const char *scenario)
{
    char *argv[] = {(char *)(uintptr_t)WATCH_GUEST, (char *)(uintptr_t)scenario, NULL};
    return host_run(words, argv);
}

/* A path in /tmp where nothing is. */
static inline const char *host_path(char *path, size_t size, const char *name)
{
    snprintf(path, size, "/tmp/tactus-watch-%d-%s.tac", (int)getpid(), name);
    unlink(path);
    return path;
}

static inline const char *host_record_words(char *words, size_t size, const char *path)
{
    snprintf(words, size, "heap=system,record=%s", path);
    return words;
}

static inline struct tac_capture *host_open(const char *path)
{
    struct tac_capture *capture = NULL;
    struct tac_error err = {0};
    if (tac_capture_open(path, &err, &capture) < 0)
        printf("# %s: %s\n", path, err.text);
    unlink(path);
    return capture;
}

/* Allocations of so many bytes. */
static inline int host_allocations(const struct tac_capture *c, uint64_t bytes)
{
    int n = 0;
    for (size_t i = 0; i < c->memory_count; i++)
        n += c->memory[i].bytes == bytes;
    return n;
}

static inline int host_zones(const struct tac_capture *c, const char *name)
{
    int n = 0;
    for (size_t i = 0; i < c->zones_count; i++)
        n += !strcmp(c->sites[c->zones[i].site].name, name);
    return n;
}

#endif
