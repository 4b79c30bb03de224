/* SPDX-License-Identifier: MIT
 * faults_calls.c - calls that block: named in the recording as the watch library would name them,
 * or silent. */
#include "injector.h"

#include "tactus/trace.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void strike_sleep(uint64_t want_ns)
{
    TAC_ZONE_AT(TAC_CAT_CALL, 1, "nanosleep");
    TAC_ZONE_VALUE(want_ns);
    sleep_ns(want_ns);
}

static void strike_silent_sleep(uint64_t want_ns)
{
    sleep_ns(want_ns);
}

static int file = -1;

static void prepare_sync(void)
{
    char path[] = "/var/tmp/tactus-injector-XXXXXX";
    file = mkstemp(path);
    unlink(path);
}

static void sync_file(uint64_t want_ns)
{
    static char text[65536];
    for (uint64_t end = now() + want_ns; now() < end;)
        if (pwrite(file, text, sizeof text, 0) < 0 || fdatasync(file))
            return;
}

static void strike_sync(uint64_t want_ns)
{
    TAC_ZONE_AT(TAC_CAT_CALL, 1, "fdatasync");
    sync_file(want_ns);
}

/* Reading what another thread writes too late. */
static int ends[2] = {-1, -1};

static void prepare_pipe(void)
{
    if (pipe(ends))
        abort();
}

static void help_pipe(void)
{
    unsigned at = atomic_load(&tick) + 1;
    once_fifo(50);
    if (is_struck(at)) {
        uint64_t planned = release_of(at) + period_ns / 10 + strike_ns(at);
        wait_until(planned);
        if (write(ends[1], "x", 1) < 0)
            abort();
        injector_done(planned);
    }
    sleep_ns(period_ns / 8);
}

static void strike_pipe(uint64_t want_ns)
{
    char byte;
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    TAC_ZONE_AT(TAC_CAT_CALL, 1, "read");
    if (poll(&fd, 1, (int)(want_ns / 250000)) == 1 && read(ends[0], &byte, 1) < 0)
        abort();
}

const struct fault faults_calls[] = {
    {"sleep", NULL, strike_sleep, NULL, FAULT_WANTED},
    {"silent-sleep", NULL, strike_silent_sleep, NULL, FAULT_WANTED},
    {"sync", prepare_sync, strike_sync, NULL, 0},
    {"pipe", prepare_pipe, strike_pipe, help_pipe, 0},
    {0},
};
