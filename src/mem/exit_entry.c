/* SPDX-License-Identifier: MIT
 * exit_entry.c - _exit, _Exit and quick_exit of the shared libraries: a program that ends without
 * its destructors (shells do) reports as others do, if that was asked for.
 *
 * Forked children, by vfork too, are not the process that reports. Threads: any. Async-signal-safe
 * as far as dprintf is; when nothing was asked for it is the system call alone. */
#include "mem/heap.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default"), used))

static void report(void)
{
    tac_sizing_finish();
    tac_mem_report();
}

EXPORT _Noreturn void _exit(int status)
{
    report();
    for (;;)
        syscall(SYS_exit_group, status);
}

EXPORT _Noreturn void _Exit(int status)
{
    _exit(status);
}

__attribute__((constructor)) static void prepare(void)
{
    at_quick_exit(report);
}
