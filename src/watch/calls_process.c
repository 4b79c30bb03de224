/* SPDX-License-Identifier: MIT
 * calls_process.c - new processes and threads' ends; the process becomes another program.
 *
 * vfork is not wrapped: it returns twice into the frame of its caller. In its child, as in that of
 * posix_spawn, the memory is the parent's, so nothing is done there but what the parent could. */
#include "watch/calls.h"

#include <alloca.h>
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The recording of a process that becomes another program ends before: its threads are gone when
 * the call succeeds. So a program that cannot be run is looked for first, and leaves the recording
 * as it is. Should the call fail all the same, it goes on in a file of its own. */
static bool can_run(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool is_found(const char *file)
{
    if (!file || strchr(file, '/'))
        return can_run(file);
    char path[PATH_MAX];
    const char *from = getenv("PATH");
    from = from ? from : "/bin:/usr/bin";
    for (bool more = true; more;) {
        size_t n = strcspn(from, ":");
        int r = snprintf(path, sizeof path, "%.*s%s%s", (int)n, from, n ? "/" : "", file);
        if (r > 0 && (size_t)r < sizeof path && can_run(path))
            return true;
        more = from[n] == ':';
        from += n + 1;
    }
    return false;
}

/* Around the call: true when the recording has ended for it. */
static bool exec_begin(struct tac_watch_call *call, const char *file, bool in_path)
{
    if (!tac_watch_recorder_is_ours())
        return false;
    struct tac_watch_thread *t = tac_watch_thread();
    int before = errno;
    t->shim++;
    bool runs = in_path ? is_found(file) : can_run(file);
    t->shim--;
    errno = before;
    if (!runs)
        return false;
    tac_watch_call_end(call);
    call->thread = NULL;
    tac_watch_recorder_stop();
    return true;
}

static int exec_failed(struct tac_watch_call *call, bool ended)
{
    int before = errno;
    if (ended)
        tac_watch_recorder_go_on();
    tac_watch_call_end(call);
    errno = before;
    return -1;
}

enum { PATH_BYTES = 32 };

static const char *path_of(int fd, char *path)
{
    snprintf(path, PATH_BYTES, "/proc/self/fd/%d", fd);
    return path;
}

#define EXEC(name, file, in_path, real)                                                            \
    TAC_WATCH_SITE(site, #name);                                                                   \
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                    \
    bool ended = exec_begin(&call, file, in_path);                                                 \
    (void)!real;                                                                                   \
    return exec_failed(&call, ended);

#define WRAP_EXEC(name, file, in_path, params, args)                                               \
    TAC_WATCH_EXPORT int name params                                                               \
    {                                                                                              \
        EXEC(name, file, in_path, TAC_WATCH_REAL(name) args)                                       \
    }
WRAP_EXEC(execve, path, false, (const char *path, char *const *argv, char *const *env),
          (path, argv, env))
WRAP_EXEC(execv, path, false, (const char *path, char *const *argv), (path, argv))
WRAP_EXEC(execvp, path, true, (const char *path, char *const *argv), (path, argv))
WRAP_EXEC(execvpe, path, true, (const char *path, char *const *argv, char *const *env),
          (path, argv, env))
WRAP_EXEC(fexecve, path_of(fd, (char[PATH_BYTES]){0}), false,
          (int fd, char *const *argv, char *const *env), (fd, argv, env))

/* Those that take the words one by one: an array on the stack, since memory may be a parent's. */
#define WRAP_EXEC_LIST(name, in_path, real, has_env)                                               \
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
        char *const *env = (has_env) ? va_arg(args, char *const *) : environ;                      \
        va_end(args);                                                                              \
        EXEC(name, path, in_path, real)                                                            \
    }
WRAP_EXEC_LIST(execl, false, TAC_WATCH_REAL(execve)(path, argv, env), false)
WRAP_EXEC_LIST(execle, false, TAC_WATCH_REAL(execve)(path, argv, env), true)
WRAP_EXEC_LIST(execlp, true, TAC_WATCH_REAL(execvpe)(path, argv, env), false)
