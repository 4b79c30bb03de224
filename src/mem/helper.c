/* SPDX-License-Identifier: MIT
 * helper.c - a thread that makes pages of a reserved arena ready before they are used, so that
 * allocating threads do not meet page faults.
 *
 * The heap is handed out from its low end; `fresh_unit` is the end of what was ever used. The
 * helper looks at it now and then, and keeps the next `ahead` bytes (more when the heap grows fast)
 * and their part of the table populated. It skips what was handed out before it came there: a large
 * block is its holder's to touch, so a program uses at most four times `ahead` more memory for
 * this, and what is left of a huge page.
 *
 * No allocating thread ever wakes or waits for the helper. It looks every PERIOD_MIN ms while the
 * heap grows and less and less often otherwise. It blocks all signals, is not real-time, and dies
 * with the process; a forked child has none until it starts threads of its own.
 *
 * Threads: start is for control threads. Real-time: no. */
#include "mem/outside.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

enum { PERIOD_MIN_MS = 5, PERIOD_MAX_MS = 160, PIECE_UNITS = 64, STACK_BYTES = 64 * 1024 };

static size_t ahead_units;
static _Atomic pid_t running_in;

/* Without changing what may already be somebody's data. */
static void touch(char *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += TAC_OUTSIDE_PAGE)
        __atomic_fetch_or(from + at, 0, __ATOMIC_RELAXED);
}

static void populate(char *from, size_t bytes)
{
    uintptr_t begin = (uintptr_t)from & ~(uintptr_t)(TAC_OUTSIDE_PAGE - 1);
    bytes += (uintptr_t)from - begin;
    if (madvise((void *)begin, bytes, MADV_POPULATE_WRITE)) /* NOLINT: begin of from's page */
        touch(from, bytes - ((uintptr_t)from - begin));
}

static void populate_units(size_t unit, size_t n)
{
    populate(tac_unit_address(unit), n << TAC_UNIT_SHIFT);
    populate(tac_mem.lines + (unit << TAC_SLAB_SHIFT), n << TAC_SLAB_SHIFT);
    populate(tac_mem.remotes + 3 * (unit << TAC_SLAB_SHIFT), 3 * (n << TAC_SLAB_SHIFT));
}

/* One look. Returns whether the heap grew. */
static bool look(size_t *ready, size_t *seen)
{
    size_t fresh = atomic_load(&tac_mem.fresh_unit);
    fresh = fresh < tac_mem.units ? fresh : tac_mem.units; /* see note_fresh */
    size_t grown = fresh - *seen, ahead = 2 * grown > ahead_units ? 2 * grown : ahead_units;
    ahead = ahead > 4 * ahead_units ? 4 * ahead_units : ahead;
    size_t want = tac_mem.units - fresh < ahead ? tac_mem.units : fresh + ahead;
    *seen = fresh;
    *ready = *ready > fresh ? *ready : fresh;
    while (*ready < want) {
        size_t n = want - *ready < PIECE_UNITS ? want - *ready : PIECE_UNITS;
        populate_units(*ready, n);
        *ready += n;
        atomic_fetch_add(&tac_outside()->helper_units, n);
    }
    return grown != 0;
}

static void *help(void *argument)
{
    size_t ready = tac_mem.populated_bytes >> TAC_UNIT_SHIFT;
    size_t seen = atomic_load(&tac_mem.fresh_unit);
    unsigned period_ms = PERIOD_MIN_MS;
    pthread_setname_np(pthread_self(), "tactus-heap");
    for (;;) {
        bool grew = look(&ready, &seen);
        period_ms = grew ? PERIOD_MIN_MS : 2 * period_ms;
        period_ms = period_ms > PERIOD_MAX_MS ? PERIOD_MAX_MS : period_ms;
        tac_clock_sleep_until(tac_clock_ns() + period_ms * 1000000ull);
    }
    return argument;
}

void tac_helper_configure(size_t ahead_bytes)
{
    ahead_units = ahead_bytes >> TAC_UNIT_SHIFT;
}

int tac_helper_start(tac_helper_create_fn *create)
{
    pid_t self = getpid(), before = atomic_load(&running_in);
    if (!tac_mem.bytes || !tac_mem.lazy || !ahead_units || before == self)
        return 0;
    if (!atomic_compare_exchange_strong(&running_in, &before, self))
        return 0;
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t thread;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES > PTHREAD_STACK_MIN ? (size_t)STACK_BYTES
                                                                     : (size_t)PTHREAD_STACK_MIN);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = create(&thread, &attr, help, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    atomic_fetch_add(&tac_outside()->helper_runs, r == 0);
    return -r;
}

int tac_heap_helper_start(void)
{
    tac_mem_fork_prepare();
    return tac_thread_heap() ? tac_helper_start(pthread_create) : -ENOMEM;
}
