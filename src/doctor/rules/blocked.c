/* SPDX-License-Identifier: MIT
 * blocked.c - it slept, and no lock or call that the recording knows was open. Where the kernel
 * took a stack as the thread left its CPU, that says in what, and where in the program. */
#include "doctor/rule.h"

#include <stdio.h>
#include <string.h>

/* A function of the kernel in the stack of a sleep, and what it means. The first that fits. */
static const struct {
    const char *function, *meaning;
} meanings[] = {
    {"mem_cgroup_handle_over_high", "the brake of its cgroup, which is above its memory.high"},
    {"balance_dirty_pages", "the brake on writers: too much waits for the disk"},
    {"throttle_direct_reclaim", "the wait for free memory"},
    {"do_swap_page", "a page that was swapped out"},
    {"futex", "a lock or condition variable (futex)"},
    {"nanosleep", "a sleep"},
    {"pipe_read", "reading a pipe"},
    {"pipe_write", "writing a pipe"},
    {"eventfd", "an eventfd"},
    {"unix_stream", "a local socket"},
    {"unix_dgram", "a local socket"},
    {"tcp_", "a TCP socket"},
    {"udp_", "a UDP socket"},
    {"sock_", "a socket"},
    {"ep_poll", "epoll"},
    {"do_poll", "poll"},
    {"do_select", "select"},
    {"fsync", "writing a file to the disk"},
    {"fdatasync", "writing a file to the disk"},
    {"filemap_fault", "a page of a file"},
    {"folio_wait", "a page from the disk"},
    {"io_schedule", "the disk"},
    {"rwsem_down", "the lock of the address space or of a file"},
    {"mutex_lock", "a lock of the kernel"},
    {"snd_", "the sound card"},
    {"do_msg", "a message queue (msgget)"},
    {"semtimedop", "a semaphore of the system (semget)"},
    {"wq_sleep", "a message queue (mq_open)"},
    {"flock_lock", "a lock of a file (flock)"},
    {"posix_lock", "a lock of a file (fcntl)"},
    {"fcntl_setlk", "a lock of a file (fcntl)"},
    {"inotify_read", "reading inotify"},
    {"sigsuspend", "waiting for a signal"},
    {"sigtimedwait", "waiting for a signal"},
    {"tty_", "a terminal"},
    {"cqring_wait", "io_uring"},
    {"fuse_", "a file system in another program (FUSE)"},
    {"wait4", "another process"},
    {"do_wait", "another process"},
};

static const struct tac_capture_kernel_stack *stack_at(const struct tac_case *c,
                                                       const struct tac_sight *sleep)
{
    const struct tac_capture *cap = c->capture;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel_stacks, ns, sleep->from_ns);
         i < cap->kernel_stacks_count && cap->kernel_stacks[i].ns == sleep->from_ns; i++)
        if (cap->kernel_stacks[i].kind == TAC_STACK_KERNEL)
            return &cap->kernel_stacks[i];
    return NULL;
}

static const char *meaning_of(const struct tac_case *c, const struct tac_sight *sleep)
{
    const struct tac_capture_kernel_stack *stack = stack_at(c, sleep);
    for (size_t m = 0; stack && m < sizeof meanings / sizeof *meanings; m++)
        for (uint32_t i = 0; i < stack->count; i++) {
            const char *name = tac_capture_symbol_of(c->capture, stack->pc[i]);
            if (name && strstr(name, meanings[m].function))
                return meanings[m].meaning;
        }
    return NULL;
}

/* "; thread loader (123) ended it": who woke the thread up. "" when that was an interrupt, or is
 * not known. */
static const char *describe_end(const struct tac_case *c, const struct tac_sight *sleep, char *text,
                                size_t size)
{
    const struct tac_sights *all = &c->layout->sights;
    char name[64];
    text[0] = 0;
    for (size_t i = 0; sleep && i < all->count; i++) {
        const struct tac_sight *s = &all->data[i];
        if (s->kind == TAC_SIGHT_READY && s->from_ns == sleep->to_ns && s->detail)
            snprintf(text, size, "; %s ended it",
                     tac_case_who(c, (uint32_t)s->detail, name, sizeof name));
    }
    return text;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *sleep;
    uint64_t ns = c->open_ns[TAC_ACCOUNT_BLOCKED];
    tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_ASLEEP, &sleep);
    const char *on = sleep ? meaning_of(c, sleep) : NULL;
    char seen[256] = "", end[96];
    if (sleep)
        tac_case_seen(c, sleep->from_ns, sleep->to_ns, seen, sizeof seen);
    tac_claim(c, TAC_ACCOUNT_BLOCKED, UINT64_MAX, on ? 0.9 : 0.8, "slept %.0f us, %s%s%s%s",
              (double)ns / 1e3, on ? "in " : "", on ? on : "on what was not recorded",
              describe_end(c, sleep, end, sizeof end), seen);
}

TAC_RULE(blocked) = {
    .name = "blocked",
    .title = "asleep in a system call",
    .means =
        "The thread gave up its CPU inside the cycle: a lock, a sleep, a read or the like that "
        "the recording does not name.",
    .advice =
        "tactus doctor -- PROGRAM names locks and calls. What has no name there either happens "
        "inside libraries: the lock of the loader (one thread in dlopen, the cycle in dlsym), "
        "locks of the C library, calls of a static library. Look at what the thread does that "
        "ended the sleep.",
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
