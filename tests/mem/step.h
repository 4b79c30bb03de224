/* SPDX-License-Identifier: MIT
 * step.h - count the instructions of one call, exactly: the processor's trap flag raises SIGTRAP
 * after each instruction, and a handler counts.
 *
 * x86-64 only, and not under an emulator or valgrind; step_supported() says so. What is counted is
 * the call instruction, everything it leads to, and the return. A step costs 1 to 30 microseconds.
 * Each thread counts its own. At its step_stop_at-th instruction a thread calls step_stopped, and
 * stays in the middle of whatever it was doing until that returns.
 *
 * Where an emulator writes a log of every instruction and system call (TACTUS_STEP_LOG says so,
 * tests/mem/bound_logged.py reads it) calls are marked in that log by closing files that cannot be,
 * and step_call returns 0. One thread at a time, then. */
#ifndef TAC_TEST_STEP_H
#define TAC_TEST_STEP_H

#include "base/sanitized.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local volatile long step_count;
static _Thread_local long step_stop_at; /* 0: never */
static void (*step_stopped)(void);

__attribute__((unused)) static void step_note(int signal_number)
{
    (void)signal_number;
    if (++step_count == step_stop_at)
        step_stopped();
}

enum { STEP_MARKS = 1000, STEP_THREADS = 100, STEP_BEGIN = 0, STEP_END, STEP_KINDS };

static bool step_is_logged(void)
{
    static int logged; /* -1: no */
    if (!logged)
        logged = getenv("TACTUS_STEP_LOG") ? 1 : -1;
    return logged > 0;
}

/* Closes -1000, less the mark, less 100 times the thread's number. */
static inline void step_mark(long mark)
{
    static _Atomic long threads;
    static _Thread_local long thread;
    if (!thread)
        thread = STEP_MARKS + STEP_THREADS * atomic_fetch_add(&threads, 1);
    syscall(SYS_close, -thread - mark);
}

/* What the last call was, for the log's reader. */
__attribute__((unused)) static void step_tell(int kind)
{
    if (step_is_logged())
        step_mark(STEP_KINDS + kind);
}

/* An empty call: what a reader of the log subtracts, but for the call and the return. */
__attribute__((noinline, unused)) static void step_nothing(void)
{
    __asm__ volatile("");
}

/* Apart, so that both marks stand at the same distance from the call in every count. */
__attribute__((noinline)) static uintptr_t step_marked(void *function, uintptr_t a, uintptr_t b)
{
    uintptr_t (*call)(uintptr_t, uintptr_t);
    memcpy(&call, &function, sizeof call);
    step_mark(STEP_BEGIN);
    uintptr_t value = call(a, b);
    step_mark(STEP_END);
    return value;
}

#if defined(__x86_64__)
/* call(a, b) with the flag set. The traps of the four instructions that clear the flag again are
 * subtracted by the caller, who measures them with a NULL function. */
static long step_raw(void *function, uintptr_t a, uintptr_t b, uintptr_t *ret_value)
{
    register void *target __asm__("r12") = function;
    uintptr_t result = 0;
    step_count = 0;
    __asm__ volatile("lea -256(%%rsp), %%rsp\n\t"
                     "mov %%rsp, %%rbx\n\t"
                     "and $-16, %%rsp\n\t"
                     "test %%r12, %%r12\n\t"
                     "pushfq\n\t"
                     "orq $0x100, (%%rsp)\n\t"
                     "popfq\n\t"
                     "jz 1f\n\t"
                     "call *%%r12\n"
                     "1:\n\t"
                     "pushfq\n\t"
                     "andq $~0x100, (%%rsp)\n\t"
                     "popfq\n\t"
                     "mov %%rbx, %%rsp\n\t"
                     "lea 256(%%rsp), %%rsp\n\t"
                     : "=a"(result), "+D"(a), "+S"(b)
                     : "r"(target), "0"(0)
                     : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    *ret_value = result;
    return step_count;
}
#endif

/* Why stepping does not work here, or NULL. */
__attribute__((unused)) static const char *step_supported(void)
{
    if (step_is_logged())
        return NULL;
#if defined(__x86_64__) && !TAC_SANITIZED
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = step_note;
    sigaction(SIGTRAP, &action, NULL);
    uintptr_t value;
    return step_raw(NULL, 0, 0, &value) > 0 ? NULL : "the trap flag does not work here";
#else
    return "single-stepping is written for x86-64 without sanitizers";
#endif
}

/* Instructions of function(a, b), call and return included. */
__attribute__((unused)) static long step_call(void *function, uintptr_t a, uintptr_t b,
                                              uintptr_t *ret_value)
{
    if (step_is_logged()) {
        *ret_value = step_marked(function, a, b);
        return 0;
    }
#if defined(__x86_64__)
    uintptr_t nothing;
    static _Thread_local long base;
    if (!base)
        base = step_raw(NULL, 0, 0, &nothing);
    return step_raw(function, a, b, ret_value) - base;
#else
    *ret_value = 0;
    return 0;
#endif
}

#endif
