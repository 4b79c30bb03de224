/* SPDX-License-Identifier: MIT
 * launch.c - fork, preload, exec, wait; see launch.h.
 *
 * A failed exec is told to the parent through a close-on-exec pipe, so that "no such program" is
 * one line of ours and not a mute exit code. */
#include "cli/launch.h"

#include "base/clock.h"
#include "base/loadable.h"
#include "cli/forward.h"
#include "cli/install_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int tac_launch_self(char *buffer, unsigned long size)
{
    ssize_t n = readlink("/proc/self/exe", buffer, size - 1);
    if (n < 0)
        return -errno;
    buffer[n] = 0;
    return 0;
}

int tac_launch_library(enum tac_preload preload, char *buffer, unsigned long size)
{
    static const char *const part[] = {"", "mem", "watch", "mem"};
    static const char *const name[] = {"", "mem", "watch", "mem-debug"};
    char self[PATH_MAX];
    if (tac_launch_self(self, sizeof self) < 0)
        return -TAC_E_NOT_BUILT;
    const char *folder = dirname(self);
    int n =
        snprintf(buffer, size, "%s/../%s/libtactus-%s.so", folder, part[preload], name[preload]);
    if (n > 0 && (unsigned long)n < size && !access(buffer, R_OK))
        return 0;
    n = snprintf(buffer, size, "%s/../" TAC_LIBDIR "/libtactus-%s.so", folder, name[preload]);
    if (n > 0 && (unsigned long)n < size && !access(buffer, R_OK))
        return 0;
    return -TAC_E_NOT_BUILT;
}

int tac_launch_share(const char *name, char *buffer, unsigned long size)
{
    char self[PATH_MAX];
    int r = tac_launch_self(self, sizeof self);
    if (r < 0)
        return r;
    const char *folder = dirname(self);
    int n;
    if (!strncmp(folder, TAC_BUILD_ROOT, strlen(TAC_BUILD_ROOT)))
        n = snprintf(buffer, size, "%s/%s", TAC_SOURCE_ROOT, name);
    else
        n = snprintf(buffer, size, "%s/../" TAC_DATADIR "/tactus/%s", folder, name);
    return n > 0 && (unsigned long)n < size && !access(buffer, R_OK) ? 0 : -ENOENT;
}

/* What a program inherits through exec. False, and errno, when it is refused. */
static bool inherit(const struct tac_launch *launch)
{
    struct sched_param param = {.sched_priority = launch->priority};
    if (launch->priority > 0 && sched_setscheduler(0, SCHED_FIFO, &param))
        return false;
    return !launch->no_huge_pages || !prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* In the child: environment, output, exec. Returns only on failure. */
static void become(const struct tac_launch *launch, const char *library)
{
    char preload[2 * PATH_MAX];
    const char *before = getenv("LD_PRELOAD");
    if (library[0]) {
        snprintf(preload, sizeof preload, "%s%s%s", library, before && *before ? ":" : "",
                 before ? before : "");
        setenv("LD_PRELOAD", preload, 1);
    }
    for (const char *const *e = launch->env; e && *e; e++) {
        char name[128];
        size_t length = strcspn(*e, "=");
        snprintf(name, sizeof name, "%.*s", (int)length, *e);
        setenv(name, (*e)[length] ? *e + length + 1 : "", 1);
    }
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("TACTUS_PID", pid, 1);
    if (launch->stdout_fd > 0)
        dup2(launch->stdout_fd, STDOUT_FILENO);
    /* exec's prototype lacks the const that its contract has */
    if (inherit(launch))
        execvp(launch->argv[0], (char *const *)(uintptr_t)launch->argv);
}

enum { GRACE_S = 3, LOOK_NS = 20000000 };

/* Tell it to end, louder each time, once its time is over. */
static void end_in_time(pid_t pid, double seconds, double waited, int *told)
{
    static const int louder[] = {SIGINT, SIGTERM, SIGKILL};
    if (*told < 3 && waited > seconds + GRACE_S * *told)
        kill(pid, louder[(*told)++]);
}

static int wait_for(pid_t pid, double seconds, int *ret_status)
{
    uint64_t start = tac_clock_ns();
    int status, told = 0;
    for (pid_t got; (got = waitpid(pid, &status, seconds > 0 ? WNOHANG : 0)) != pid;) {
        if (got < 0 && errno != EINTR)
            return -errno;
        if (seconds <= 0)
            continue;
        end_in_time(pid, seconds, (double)(tac_clock_ns() - start) / 1e9, &told);
        nanosleep(&(struct timespec){0, LOOK_NS}, NULL);
    }
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* 0, or the errno of the child's exec. */
static int read_exec_errno(int fd)
{
    int failed = 0;
    ssize_t n;
    do
        n = read(fd, &failed, sizeof failed);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof failed ? failed : 0;
}

static int start_and_wait(const struct tac_launch *launch, const char *library, int *ret_status,
                          struct tac_error *err)
{
    int told[2];
    if (pipe2(told, O_CLOEXEC) < 0)
        return tac_error_set(err, -errno, NULL, 0, 0, "no pipe: %s", strerror(errno));
    fflush(NULL);
    tac_forward_start();
    pid_t pid = fork();
    if (pid < 0) {
        int code = -errno;
        tac_forward_stop();
        close(told[0]);
        close(told[1]);
        return tac_error_set(err, code, launch->argv[0], 0, 0, "no process can be made: %s",
                             strerror(-code));
    }
    tac_forward_to(pid);
    if (pid == 0) {
        become(launch, library);
        int failed = errno;
        if (write(told[1], &failed, sizeof failed) < 0)
            _exit(126);
        _exit(127);
    }
    close(told[1]);
    int failed = read_exec_errno(told[0]);
    close(told[0]);
    int r = wait_for(pid, launch->seconds, ret_status);
    tac_forward_stop();
    if (failed)
        return tac_error_set(err, -failed, launch->argv[0], 0, 0, "cannot be started: %s",
                             strerror(failed));
    return r < 0 ? tac_error_set(err, r, launch->argv[0], 0, 0, "lost: %s", strerror(-r)) : 0;
}

int tac_launch_run(const struct tac_launch *launch, int *ret_status, struct tac_error *err)
{
    char library[PATH_MAX] = "";
    if (launch->preload != TAC_PRELOAD_NONE &&
        tac_launch_library(launch->preload, library, sizeof library) < 0)
        return tac_error_set(err, -TAC_E_NOT_BUILT, NULL, 0, 0,
                             "%s is not there; build or install all of Tactus", library);
    int r = tac_loadable_spell(library, sizeof library);
    return r < 0 ? tac_error_set(err, r, library, 0, 0, "cannot be named to the loader: %s",
                                 tac_error_sentence(r))
                 : start_and_wait(launch, library, ret_status, err);
}
