/* SPDX-License-Identifier: MIT
 * forward.c - see forward.h.
 *
 * The kernel does not tell whether a signal was sent to one process or to its group. So a sentinel
 * is made: a process of our group that does nothing and has these signals blocked. A signal to the
 * group is pending there, too; one to us alone is not. After each it is told to forget that one.
 * When no sentinel can be made, everything is passed on.
 *
 * The handler uses async-signal-safe functions alone, and one signal waits for the other's. */
#include "cli/forward.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum {
    PASSED_ON = sizeof passed_on / sizeof *passed_on,
    GROUP_NS = 150000000,
    TWICE_NS = 500000000
};

static struct sigaction before[PASSED_ON];
static sigset_t signals, mask_before;
static volatile sig_atomic_t program_pid, last;
static pid_t sentinel;
static int forget_fd = -1;
static char status_path[40];
static uint64_t group_ns[NSIG]; /* when the group got each last; 0: not yet */

/* The word of pending signals in the sentinel; 0 when it cannot be read. */
static unsigned long long pending(void)
{
    char text[2048];
    int fd = open(status_path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strstr(text, "ShdPnd:");
    unsigned long long word = 0;
    for (at = at ? at + 7 + strspn(at + 7, " \t") : ""; *at && *at != '\n'; at++)
        word = word << 4 | (unsigned)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return word;
}

/* The sender goes through the group one by one, or tells us first and the group then, as timeout(1)
 * does; give it time. */
static bool group_got(int number)
{
    if (forget_fd < 0)
        return false;
    if (group_ns[number] && tac_clock_ns() - group_ns[number] < TWICE_NS)
        return true; // ours of the group, behind the one that was sent to us alone
    nanosleep(&(struct timespec){0, GROUP_NS}, NULL);
    bool got = pending() >> (number - 1) & 1;
    if (got)
        group_ns[number] = tac_clock_ns();
    unsigned char forget = (unsigned char)number;
    return write(forget_fd, &forget, 1) == 1 && got;
}

static void pass_on(int number)
{
    int saved = errno;
    last = number;
    if (program_pid > 0 && !group_got(number))
        kill(program_pid, number);
    errno = saved;
}

static void forget(int number)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    while (sigtimedwait(&one, NULL, &(struct timespec){0, 0}) > 0)
        ;
}

/* Forget a signal that is pending whenever told to; end when the other side has. */
static _Noreturn void be_sentinel(int fd)
{
    unsigned char number;
    dup2(fd, 0);                /* nothing else that the command has open may be kept open by us */
    if (close_range(1, ~0U, 0)) /* older than Linux 5.9 */
        for (int i = 1; i < 1024; i++)
            close(i);
    while (read(0, &number, 1) == 1)
        forget(number);
    _exit(0);
}

static void make_sentinel(void)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        return;
    fflush(NULL);
    sentinel = fork();
    if (sentinel == 0) {
        close(fd[1]);
        be_sentinel(fd[0]);
    }
    close(fd[0]);
    forget_fd = sentinel > 0 ? fd[1] : -1;
    if (sentinel < 0)
        close(fd[1]);
    snprintf(status_path, sizeof status_path, "/proc/%ld/status", (long)sentinel);
}

void tac_forward_start(void)
{
    last = 0;
    sigemptyset(&signals);
    for (int i = 0; i < PASSED_ON; i++)
        sigaddset(&signals, passed_on[i]);
    pthread_sigmask(SIG_BLOCK, &signals, &mask_before);
    make_sentinel();
    struct sigaction action = {.sa_handler = pass_on, .sa_mask = signals, .sa_flags = SA_RESTART};
    for (int i = 0; i < PASSED_ON; i++) {
        sigaction(passed_on[i], &action, &before[i]);
        if (passed_on[i] == SIGHUP && before[i].sa_handler == SIG_IGN)
            sigaction(SIGHUP, &before[i], NULL); /* nohup: it is meant for neither of us */
    }
}

static void restore(void)
{
    for (int i = 0; i < PASSED_ON; i++)
        sigaction(passed_on[i], &before[i], NULL);
    pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

void tac_forward_to(pid_t program)
{
    program_pid = program;
    if (program)
        pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
    else
        restore();
}

int tac_forward_last(void)
{
    return last;
}

void tac_forward_stop(void)
{
    program_pid = 0;
    restore();
    if (forget_fd < 0)
        return;
    close(forget_fd);
    forget_fd = -1;
    while (waitpid(sentinel, NULL, 0) < 0 && errno == EINTR)
        ;
}
