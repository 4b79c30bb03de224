/* SPDX-License-Identifier: MIT
 * faults_unseen.c - faults for the held-out part alone: they were written after the rules, and the
 * rules were not changed for them. An equal rival that does not give the CPU up, many short turns
 * of others, a stack that grows, blocks that grow, a full pipe, and a silent wait for another
 * thread. */
#include "injector.h"

#include "tactus/trace.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- of the same priority: who is first, goes on ---- */

static void help_peer(void)
{
    static unsigned pressed;
    once_fifo(60);
    unsigned at = atomic_load(&tick) + 1;
    if (is_struck(at) && at != pressed) {
        pressed = at;
        wait_until(release_of(at) - period_ns / 20);
        uint64_t from = now();
        spin(strike_ns(at));
        injector_outside("peer", from, now());
    } else {
        sleep_ns(period_ns / 4);
    }
}

/* ---- more urgent, many times for a moment ---- */

static void help_bursts(void)
{
    enum { BURSTS = 10 };
    static unsigned pressed;
    once_fifo(75);
    unsigned at = atomic_load(&tick) + 1;
    if (!is_struck(at) || at == pressed) {
        sleep_ns(period_ns / 4);
        return;
    }
    pressed = at;
    wait_until(release_of(at) + period_ns / 40);
    for (int i = 0; i < BURSTS; i++) {
        uint64_t from = now();
        spin(strike_ns(at) / BURSTS);
        injector_outside("bursts", from, now());
        sleep_ns(5000);
    }
}

/* ---- deeper calls than ever before: new pages of the stack ---- */

static __attribute__((noinline)) int descend(uint64_t until_ns, unsigned depth)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    if (depth > 1500 || now() > until_ns)
        return frame[0];
    return descend(until_ns, depth + 1) + frame[0];
}

/* What was touched is given back, as a program's next deep call would find it after a trim. */
static void strike_stack(uint64_t want_ns)
{
    uint64_t until = now() + want_ns;
    char here;
    char *top = (char *)((uintptr_t)&here & ~(uintptr_t)4095) - 65536;
    while (now() < until) {
        descend(until, 0);
        madvise(top - (6 << 20), 6 << 20, MADV_DONTNEED);
    }
}

/* ---- blocks that grow and are moved ---- */

static void strike_grow(uint64_t want_ns)
{
    for (uint64_t end = now() + want_ns; now() < end;) {
        void *block = heap_get(20000), *fence = NULL;
        for (size_t bytes = 30000; bytes < 110000 && now() < end; bytes += 10000) {
            void *next = heap_get(64); /* so that it cannot grow in place */
            heap_put(fence);
            fence = next;
            block = heap_grow(block, bytes);
        }
        heap_put(fence);
        heap_put(block);
    }
}

/* ---- a pipe that is full until somebody reads ---- */

static int full[2] = {-1, -1};

static void prepare_full(void)
{
    char block[4096];
    memset(block, 1, sizeof block);
    if (pipe2(full, O_NONBLOCK))
        abort();
    while (write(full[1], block, sizeof block) > 0)
        ;
    fcntl(full[1], F_SETFL, 0);
}

/* A strike that began while this thread was kept from running waits for it all the same. */
static void help_full(void)
{
    static unsigned served;
    char block[8192];
    unsigned now_at = atomic_load(&tick), at = now_at + !(is_struck(now_at) && now_at != served);
    once_fifo(50);
    if (is_struck(at) && at != served) {
        served = at;
        uint64_t planned = release_of(at) + period_ns / 10 + strike_ns(at);
        wait_until(planned);
        if (read(full[0], block, sizeof block) < 0)
            abort();
        injector_done(planned);
    }
    sleep_ns(period_ns / 8);
}

static void strike_full(uint64_t want_ns)
{
    static const char block[8192] = {1};
    (void)want_ns;
    TAC_ZONE_AT(TAC_CAT_CALL, 1, "write");
    if (write(full[1], block, sizeof block) < 0)
        abort();
}

/* ---- a silent wait for what another thread posts late ---- */

static int event = -1;

static void prepare_event(void)
{
    event = eventfd(0, 0);
}

static void help_event(void)
{
    uint64_t one = 1;
    unsigned at = atomic_load(&tick) + 1;
    once_fifo(50);
    if (is_struck(at)) {
        uint64_t planned = release_of(at) + period_ns / 10 + strike_ns(at);
        wait_until(planned);
        if (write(event, &one, sizeof one) < 0)
            abort();
        injector_done(planned);
    }
    sleep_ns(period_ns / 8);
}

static void strike_event(uint64_t want_ns)
{
    uint64_t value;
    struct pollfd fd = {.fd = event, .events = POLLIN};
    if (poll(&fd, 1, (int)(want_ns / 250000)) == 1 && read(event, &value, sizeof value) < 0)
        abort();
}

const struct fault faults_unseen[] = {
    {"peer", NULL, NULL, help_peer, FAULT_OUTSIDE | FAULT_SAME_CPU},
    {"bursts", NULL, NULL, help_bursts, FAULT_OUTSIDE | FAULT_SAME_CPU},
    {"stack", NULL, strike_stack, NULL, FAULT_CPU},
    {"grow", NULL, strike_grow, NULL, FAULT_CPU},
    {"full-pipe", prepare_full, strike_full, help_full, 0},
    {"event", prepare_event, strike_event, help_event, 0},
    {0},
};
