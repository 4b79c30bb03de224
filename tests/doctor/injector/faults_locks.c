/* SPDX-License-Identifier: MIT
 * faults_locks.c - a lock held too long, held by a thread that cannot run, and the heap's lock held
 * by such a thread. */
#include "injector.h"

#include <pthread.h>
#include <stdatomic.h>

static void strike_mutex(uint64_t want_ns)
{
    (void)want_ns;
    lock();
    unlock();
}

/* Hold the lock from before a struck cycle until well after its deadline. The holder's priority
 * keeps it from being pushed aside itself. */
static void help_mutex(void)
{
    unsigned at = atomic_load(&tick) + 1;
    once_fifo(50);
    if (is_struck(at)) {
        uint64_t planned = release_of(at) + strike_ns(at);
        wait_until(release_of(at) - period_ns / 8);
        lock();
        wait_until(planned);
        unlock();
        injector_done(planned);
    }
    sleep_ns(period_ns / 8);
}

/* Hold it while computing on the other CPU. */
static void help_busy(void)
{
    unsigned at = atomic_load(&tick) + 1;
    once_fifo(50);
    if (is_struck(at)) {
        uint64_t planned = release_of(at) + strike_ns(at);
        wait_until(release_of(at) - period_ns / 8);
        lock();
        spin(planned > now() ? planned - now() : 0);
        unlock();
        injector_done(planned);
    }
    sleep_ns(period_ns / 8);
}

/* A third thread, of a priority between the two, on the holder's CPU. */
static void help_inverted(void)
{
    press(0);
    unsigned at = atomic_load(&tick) + 1;
    if (is_struck(at)) {
        wait_until(release_of(at) - period_ns / 8);
        lock();
        press(release_of(at) + strike_ns(at));
        spin(period_ns / 4); /* the middle thread takes the CPU in here */
        unlock();
    }
    sleep_ns(period_ns / 8);
}

const struct fault faults_locks[] = {
    {"mutex", NULL, strike_mutex, help_mutex, 0},
    {"busy-mutex", NULL, strike_mutex, help_busy, 0},
    {"inversion", NULL, strike_mutex, help_inverted, 0},
    {0},
};
