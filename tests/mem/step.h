/* SPDX-License-Identifier: MIT
 * step.h - count the instructions of one call, exactly: the processor's trap flag raises SIGTRAP
 * after each instruction, and a handler counts.
 *
 * x86-64 only, and not under an emulator or valgrind; step_supported() says so. What is counted is
 * the call instruction, everything it leads to, and the return. A step costs 1 to 30 microseconds.
 * Each thread counts its own. At its step_stop_at-th instruction a thread calls step_stopped, and
 * stays in the middle of whatever it was doing until that returns. */
#ifndef TAC_TEST_STEP_H
#define TAC_TEST_STEP_H

#include "base/sanitized.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>

static _Thread_local volatile long step_count;
static _Thread_local long step_stop_at; /* 0: never */
static void (*step_stopped)(void);

__attribute__((unused)) static void step_note(int signal_number)
{
    (void)signal_number;
    if (++step_count == step_stop_at)
        step_stopped();
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
#if defined(__x86_64__)
    uintptr_t nothing;
    static _Thread_local long base;
    if (!base)
        base = step_raw(NULL, 0, 0, &nothing);
    return step_raw(function, a, b, ret_value) - base;
#else
    (void)function, (void)a, (void)b, (void)ret_value;
    return 0;
#endif
}

#endif
