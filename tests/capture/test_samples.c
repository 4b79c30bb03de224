/* SPDX-License-Identifier: MIT
 * test_samples.c - samples of a thread's CPU time say where it computes: this program computes in
 * one function, by its own clock, and sleeps in between, and the recording names the function. */
#include "capture/capture.h"
#include "capture/symbols.h"

#include "base/clock.h"
#include "tactus/trace.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static char dir[64], path[96];
static volatile double sum;

#ifdef __clang__
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME __attribute__((noinline, noclone))
#endif

/* A sanitizer's checks would be functions of their own, and most of the time. */
OWN_FRAME __attribute__((no_sanitize("thread", "address"))) static void compute(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        sum = sum * 0.5 + (double)i;
}

/* 40 ms of CPU time, and as much of sleep as the kernel likes. */
static void work(void)
{
    const struct timespec nap = {0, 1000000};
    uint64_t end_ns = tac_clock_thread_cpu_ns() + 40000000;
    for (int i = 0; tac_clock_thread_cpu_ns() < end_ns; i++) {
        compute(20000);
        if (i % 16 == 0)
            nanosleep(&nap, NULL);
    }
}

static struct tac_capture *record(struct tac_trace_config config)
{
    struct tac_capture *c = NULL;
    config.path = path;
    if (tac_trace_start(&config))
        return NULL;
    work();
    if (tac_trace_stop() || tac_capture_open(path, NULL, &c))
        return NULL;
    return c;
}

static bool has_samples(const struct tac_capture *c)
{
    const char *how = tac_capture_meta(c, "evidence.samples");
    return how && !strncmp(how, "each ", 5);
}

struct counts {
    size_t all, in_compute, with_stack;
};

static struct counts count(const struct tac_capture *c, uint32_t period_ns)
{
    struct counts n = {0};
    struct tac_symbols *symbols = NULL;
    if (tac_symbols_open(c, "", &symbols))
        return n;
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        if (e->type != TAC_KERNEL_SAMPLE)
            continue;
        CHECK(e->a == period_ns && e->tid == (uint32_t)getpid());
        n.all++;
        n.in_compute +=
            !strcmp(tac_symbols_find(symbols, e->b, TAC_SYMBOL_EXACT)->function, "compute");
        size_t k = TAC_CAPTURE_LOWER(c, kernel_stacks, ns, e->ns);
        n.with_stack += k < c->kernel_stacks_count && c->kernel_stacks[k].ns == e->ns;
    }
    tac_symbols_close(symbols);
    return n;
}

static void samples_find_the_function(void)
{
    struct tac_capture *c =
        record((struct tac_trace_config){.evidence = TAC_EVIDENCE_PERF, .samples_hz = 4000});
    REQUIRE(c);
    if (!has_samples(c) || !TAC_HAVE_SYMBOLS)
        SKIP("no samples by perf_event_open here, or built without elfutils");
    struct counts n = count(c, 250000);
    /* 160 at even distances; a virtual machine's timer may come late, and then none is made up */
    CHECK_MSG(n.all >= 20 && n.all <= 400, "%zu samples", n.all);
    /* the rest is in the kernel and, with a sanitizer, in its library */
    CHECK_MSG(n.in_compute * 4 > n.all, "%zu of %zu", n.in_compute, n.all);
    CHECK(n.with_stack == 0);
    tac_capture_close(c);
}

static void samples_have_stacks_where_these_are_asked_for(void)
{
    struct tac_capture *c =
        record((struct tac_trace_config){.evidence = TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS,
                                         .stack_bytes = 1024,
                                         .samples_hz = 2000});
    REQUIRE(c);
    if (!has_samples(c) || !TAC_HAVE_SYMBOLS)
        SKIP("no samples by perf_event_open here, or built without elfutils");
    struct counts n = count(c, 500000);
    /* without one: where nothing tells how the code is to be unwound, and what found no room */
    CHECK_MSG(n.all >= 10 && n.with_stack * 4 > n.all, "%zu of %zu", n.with_stack, n.all);
    tac_capture_close(c);
}

/* Copies of stacks are limited a second, and samples use no more than half of it: what follows a
 * thousand of them has its stack. */
static void samples_leave_room_for_other_stacks(void)
{
    enum { PAGES = 32 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE), found = 0, with_stack = 0;
    struct tac_trace_config config = {.path = path,
                                      .evidence = TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS,
                                      .stack_bytes = 256,
                                      .samples_hz = 10000};
    struct tac_capture *c = NULL;
    char *fresh =
        mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(fresh != MAP_FAILED && madvise(fresh, PAGES * page, MADV_NOHUGEPAGE) == 0);
    REQUIRE(tac_trace_start(&config) == 0);
    for (uint64_t end_ns = tac_clock_thread_cpu_ns() + 150000000;
         tac_clock_thread_cpu_ns() < end_ns;)
        compute(20000);
    for (size_t i = 0; i < PAGES; i++)
        ((volatile char *)fresh)[i * page] = 1;
    REQUIRE(tac_trace_stop() == 0 && tac_capture_open(path, NULL, &c) == 0);
    if (!has_samples(c) || !TAC_HAVE_SYMBOLS)
        SKIP("no samples by perf_event_open here, or built without elfutils");
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        if (e->type != TAC_KERNEL_FAULT_MINOR || e->a - (uintptr_t)fresh >= PAGES * page)
            continue;
        size_t k = TAC_CAPTURE_LOWER(c, kernel_stacks, ns, e->ns);
        found++;
        with_stack += k < c->kernel_stacks_count && c->kernel_stacks[k].ns == e->ns;
    }
    CHECK_MSG(found && with_stack == found, "%zu of %zu", with_stack, found);
    tac_capture_close(c);
    munmap(fresh, PAGES * page);
}

static void the_environment_asks_for_samples(void)
{
    REQUIRE(setenv("TACTUS_SAMPLES", "99999999", 1) == 0); /* more than can be had */
    struct tac_capture *c = record((struct tac_trace_config){.evidence = 0});
    unsetenv("TACTUS_SAMPLES");
    REQUIRE(c);
    const char *how = tac_capture_meta(c, "evidence.samples");
    CHECK(how && (!has_samples(c) || strstr(how, "each 100000 ns")));
    tac_capture_close(c);
}

static void too_many_are_refused(void)
{
    struct tac_trace_config config = {
        .path = path, .evidence = TAC_EVIDENCE_PERF, .samples_hz = 10001};
    CHECK(tac_trace_start(&config) == -EINVAL);
}

static void without_being_asked_there_are_none(void)
{
    struct tac_capture *c = record((struct tac_trace_config){.evidence = TAC_EVIDENCE_PERF});
    REQUIRE(c);
    CHECK(count(c, 0).all == 0);
    const char *how = tac_capture_meta(c, "evidence.samples");
    CHECK(how && !strcmp(how, "not asked for"));
    tac_capture_close(c);
}

int main(void)
{
    strcpy(dir, "/tmp/tactus-samples-XXXXXX");
    if (!mkdtemp(dir) || tac_thread_register("test", 0))
        return 1;
    snprintf(path, sizeof path, "%s/recording", dir);
    TEST(samples_find_the_function);
    TEST(samples_have_stacks_where_these_are_asked_for);
    TEST(samples_leave_room_for_other_stacks);
    TEST(the_environment_asks_for_samples);
    TEST(too_many_are_refused);
    TEST(without_being_asked_there_are_none);
    unlink(path);
    rmdir(dir);
    return test_end();
}
