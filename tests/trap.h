/* SPDX-License-Identifier: MIT
 * trap.h - the real-time law as a trap, for tests that run code in a child process.
 *
 * After heap_forbidden = 1 and forbid_system_calls(), a call of the malloc family ends the process
 * with TRAPPED_HEAP, and any system call but exit_group raises SIGSYS. Defines malloc and its
 * family, so it is included by one file of a test program; not under sanitizers (base/sanitized.h),
 * which allocate and call the kernel themselves. */
#ifndef TAC_TEST_TRAP_H
#define TAC_TEST_TRAP_H

#include "base/sanitized.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit codes of the child. */
enum { TRAPPED_HEAP = 40, TRAPPED_FAULT = 41, NO_FILTER = 42, NO_PATCH = 43 };

#if !TAC_SANITIZED
static volatile int heap_forbidden;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static void trap(void)
{
    if (heap_forbidden)
        syscall(SYS_exit_group, TRAPPED_HEAP);
}

void *malloc(size_t bytes)
{
    trap();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    trap();
    return __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    trap();
    return __libc_realloc(block, bytes);
}

void free(void *block)
{
    trap();
    __libc_free(block);
}

/* A breach to plant: two calls that no compiler takes for nothing. */
static inline void breach_heap(void)
{
    void *volatile block = malloc(100);
    free(block);
}

/* For the calling thread. a, b: two more system calls that are allowed. */
static int forbid_system_calls_but(long a, long b)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)a, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)b, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) ? -errno : 0;
}

static inline int forbid_system_calls(void)
{
    return forbid_system_calls_but(SYS_exit_group, SYS_exit_group);
}

static inline long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}
#endif

#endif
