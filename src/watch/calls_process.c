/* SPDX-License-Identifier: MIT
 * calls_process.c - new processes and threads' ends; the process becomes another program.
 *
 * vfork is not wrapped: it returns twice into the frame of its caller. In its child, as in that of
 * posix_spawn, the memory is the parent's, so nothing is done there but what the parent could. */
#include "watch/calls.h"

#include <alloca.h>
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TAC_WATCH_EXPORT pid_t fork(void)
{
    TAC_WATCH_SITE(site, "fork");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    pid_t pid = TAC_WATCH_REAL(fork)();
    if (pid) {
        tac_watch_call_end(&call);
        return pid;
    }
    if (call.thread)
        call.thread->shim--; /* what began in the parent ends there */
    tac_watch_thread_forked();
    return 0;
}

WRAP(int, system, (const char *command), (command))
WRAP(FILE *, popen, (const char *command, const char *mode), (command, mode))
WRAP(int, pclose, (FILE * pipe), (pipe))
WRAP(int, posix_spawn,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const *argv, char *const *env),
     (pid, path, actions, attributes, argv, env))
WRAP(int, posix_spawnp,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const *argv, char *const *env),
     (pid, path, actions, attributes, argv, env))

/* The recording of a process that becomes another program ends before. */
#define WRAP_EXEC(name, params, args)                                                              \
    TAC_WATCH_EXPORT int name params                                                               \
    {                                                                                              \
        tac_watch_recorder_stop();                                                                 \
        return TAC_WATCH_REAL(name) args;                                                          \
    }
WRAP_EXEC(execve, (const char *path, char *const *argv, char *const *env), (path, argv, env))
WRAP_EXEC(execv, (const char *path, char *const *argv), (path, argv))
WRAP_EXEC(execvp, (const char *path, char *const *argv), (path, argv))
WRAP_EXEC(execvpe, (const char *path, char *const *argv, char *const *env), (path, argv, env))
WRAP_EXEC(fexecve, (int fd, char *const *argv, char *const *env), (fd, argv, env))

/* Those that take the words one by one: an array on the stack, since memory may be a parent's. */
#define WRAP_EXEC_LIST(name, real, has_env)                                                        \
    TAC_WATCH_EXPORT int name(const char *path, const char *word, ...)                             \
    {                                                                                              \
        size_t n = 0;                                                                              \
        va_list args;                                                                              \
        va_start(args, word);                                                                      \
        for (const char *w = word; w; w = va_arg(args, const char *))                              \
            n++;                                                                                   \
        va_end(args);                                                                              \
        char **argv = alloca((n + 1) * sizeof *argv);                                              \
        va_start(args, word);                                                                      \
        for (size_t i = 0; i <= n; i++)                                                            \
            argv[i] = i ? va_arg(args, char *) : (char *)(uintptr_t)word;                          \
        char *const *env = (has_env) && n ? va_arg(args, char *const *) : environ;                 \
        va_end(args);                                                                              \
        tac_watch_recorder_stop();                                                                 \
        return real;                                                                               \
    }
WRAP_EXEC_LIST(execl, TAC_WATCH_REAL(execve)(path, argv, env), false)
WRAP_EXEC_LIST(execle, TAC_WATCH_REAL(execve)(path, argv, env), true)
WRAP_EXEC_LIST(execlp, TAC_WATCH_REAL(execvpe)(path, argv, env), false)
