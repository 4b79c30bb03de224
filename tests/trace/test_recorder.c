/* SPDX-License-Identifier: MIT
 * test_recorder.c - what a program emits is what the reader finds: zones, plots, messages, memory,
 * locks, cycles with evidence, flows, threads, loss. The real-time law: test_first_event.c. */
#include "capture/capture.h"
#include "tactus/cycle.h"

#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char path[64];
static struct tac_capture *capture;

static int begin(struct tac_trace_config config)
{
    config.path = path;
    return tac_trace_start(&config);
}

/* Stops and reads; NULL when that fails. */
static const struct tac_capture *finish(void)
{
    struct tac_error err = {0};
    tac_capture_close(capture);
    capture = NULL;
    if (tac_trace_stop() < 0 || tac_capture_open(path, &err, &capture) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    return capture;
}

static const struct tac_capture_zone *zone_named(const struct tac_capture *c, const char *name)
{
    for (size_t i = 0; i < c->zones_count; i++)
        if (!strcmp(c->sites[c->zones[i].site].name, name))
            return &c->zones[i];
    return NULL;
}

static void work(void)
{
    TAC_ZONE("outer");
    {
        TAC_ZONE("inner");
        TAC_ZONE_VALUE(77);
    }
    TAC_PLOT("load", "%", 12.5);
    TAC_MESSAGE("hello", 5);
    tac_trace_text("made at run time", 16);
}

static void zones_plots_and_messages_come_back(void)
{
    REQUIRE(tac_thread_register("main-thread", 0) == 0);
    REQUIRE(begin((struct tac_trace_config){.meta = (const char *[]){"heap=system", NULL}}) == 0);
    work();
    const struct tac_capture *c = finish();
    REQUIRE(c);
    CHECK(c->problems == 0);
    CHECK_STR(tac_capture_meta(c, "heap"), "system");
    REQUIRE(c->threads_count == 1 && c->zones_count == 2);
    CHECK_STR(c->threads[0].name, "main-thread");
    const struct tac_capture_zone *outer = zone_named(c, "outer"), *inner = zone_named(c, "inner");
    REQUIRE(outer && inner);
    CHECK(outer->depth == 0 && outer->parent == TAC_CAPTURE_NONE);
    CHECK(inner->depth == 1 && &c->zones[inner->parent] == outer && inner->value == 77);
    CHECK(outer->begin_ns <= inner->begin_ns && inner->end_ns <= outer->end_ns);
    CHECK_STR(c->sites[outer->site].function, "work");
    REQUIRE(c->plots_count == 1 && c->messages_count == 2);
    CHECK(c->plots[0].value == 12.5);
    CHECK_STR(c->sites[c->plots[0].site].unit, "%");
    CHECK_STR(c->messages[0].text, "hello");
    CHECK_STR(c->messages[1].text, "made at run time");
    CHECK(c->threads[0].stored == 8 && c->threads[0].dropped == 0);
}

static void memory_locks_flows_and_stacks_come_back(void)
{
    void *pc[3] = {(void *)0x1000, (void *)0x2000, (void *)0x3000};
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    uint64_t t = tac_trace_counter();
    tac_trace_memory(TAC_MEMORY_ALLOC, (void *)0x10, NULL, 4096, t);
    tac_trace_memory(TAC_MEMORY_REALLOC, (void *)0x20, (void *)0x10, 8192, t);
    tac_trace_stack(pc, 3);
    tac_trace_lock_wait((void *)0x99, 42, t);
    tac_trace_lock_held((void *)0x99, 1);
    tac_trace_flow(TAC_FLOW_BEGIN, 7);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->memory_count == 2 && c->locks_count == 1 && c->stacks_count == 1);
    const struct tac_capture_memory *m = c->memory;
    if (m[0].op != TAC_MEMORY_ALLOC)
        m++; /* both began at the same counter; spans are rounded one by one */
    CHECK(c->memory[0].bytes + c->memory[1].bytes == 12288);
    CHECK(c->memory[0].old + c->memory[1].old == 0x10);
    CHECK(m->begin_ns <= m->end_ns);
    CHECK(c->locks[0].lock == 0x99 && c->locks[0].holder_tid == 42);
    CHECK(c->holds_count == 1 && c->holds[0].taken == 1);
    CHECK(c->flows_count == 1 && c->flows[0].id == 7 && c->flows[0].step == TAC_FLOW_BEGIN);
    CHECK(c->stacks[0].count == 3 && c->stacks[0].pc[2] == 0x3000);
}

static void cycles_carry_deadline_frames_and_evidence(void)
{
    int source = tac_cycle_source_open("callback", 1333333);
    REQUIRE(source >= 0);
    CHECK(tac_cycle_source_open("callback", 1) == source);
    REQUIRE(begin((struct tac_trace_config){.evidence = TAC_EVIDENCE_CLOCK | TAC_EVIDENCE_PERF}) ==
            0);
    struct timespec now, nap = {0, 3000000};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    tac_cycle_begin(source, ns + 1000000, 64);
    nanosleep(&nap, NULL);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *fresh =
        mmap(NULL, 256 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(fresh, 256 * page, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < 256; i++)
        ((volatile char *)fresh)[i * page] = 1; /* 256 first touches */
    tac_cycle_end(source);
    munmap(fresh, 256 * page);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == 1);
    const struct tac_capture_cycle *k = c->cycles;
    CHECK(k->frames == 64 && k->deadline_ns == ns + 1000000);
    CHECK_STR(c->sources[k->source].name, "callback");
    CHECK(c->sources[k->source].period_ns == 1333333);
    CHECK(k->flags & TAC_CYCLE_EVIDENCE && !(k->flags & TAC_CYCLE_GAP));
    CHECK(tac_capture_late_ns(k) >= 1900000);
    CHECK(k->switches_voluntary >= 1 && k->faults_minor >= 200);
    CHECK(k->cpu_ns + 2900000 < k->end_ns - k->begin_ns);
    const char *perf = tac_capture_meta(c, "evidence.perf");
    if (perf && !strcmp(perf, "yes")) {
        size_t out = 0, in = 0, faults = 0;
        for (size_t i = 0; i < c->kernel_count; i++) {
            out += c->kernel[i].type == TAC_KERNEL_OUT && c->kernel[i].a == 0;
            in += c->kernel[i].type == TAC_KERNEL_IN;
            faults += c->kernel[i].type == TAC_KERNEL_FAULT_MINOR &&
                      c->kernel[i].ns >= k->begin_ns && c->kernel[i].ns <= k->end_ns;
        }
        CHECK(out >= 1 && in >= 1);
        CHECK_MSG(faults >= 200, "%zu", faults);
    }
}

static __attribute__((noinline)) char *touch_a_page(void)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)page = 1;
    munmap(page, 4096);
    return page;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A program that marks its own cycles inside those of a library. */
static void cycles_inside_cycles_keep_their_own_evidence(void)
{
    int outer = tac_cycle_source_open("outer", 0), inner = tac_cycle_source_open("inner", 0);
    REQUIRE(begin((struct tac_trace_config){.evidence = TAC_EVIDENCE_CLOCK}) == 0);
    tac_cycle_begin(outer, 0, 0);
    uint64_t start = cpu_ns();
    while (cpu_ns() - start < 2000000)
        continue;
    uint64_t before = cpu_ns() - start;
    tac_cycle_begin(inner, 0, 0);
    tac_cycle_end(inner);
    tac_cycle_end(outer);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == 2);
    CHECK_MSG(c->cycles[0].cpu_ns >= before, "%llu", (unsigned long long)c->cycles[0].cpu_ns);
    CHECK(c->cycles[1].cpu_ns < c->cycles[0].cpu_ns);
}

/* Cycles far from their deadline have accounts one time in eight; one that comes late has them. */
static void cycles_well_in_time_are_spared(void)
{
    enum { CYCLES = 32 };
    int source = tac_cycle_source_open("spared", 0);
    REQUIRE(begin((struct tac_trace_config){.evidence = TAC_EVIDENCE_CLOCK}) == 0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    for (int i = 0; i < CYCLES; i++) {
        bool late = i == CYCLES - 1;
        tac_cycle_begin(source, late ? ns : ns + 3600000000000u, 0);
        tac_cycle_end(source);
    }
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == CYCLES);
    int spared = 0, taken = 0;
    for (int i = 0; i < CYCLES; i++) {
        spared += c->cycles[i].flags & TAC_CYCLE_SPARED ? 1 : 0;
        taken += c->cycles[i].flags & TAC_CYCLE_EVIDENCE ? 1 : 0;
    }
    CHECK(c->cycles[CYCLES - 1].flags & TAC_CYCLE_EVIDENCE);
    CHECK_MSG(spared + taken == CYCLES && taken >= 4 && taken <= 5, "%d spared", spared);
}

static void sleeps_and_faults_have_stacks_of_the_program(void)
{
    struct timespec nap = {0, 2000000};
    REQUIRE(begin((struct tac_trace_config){.evidence = TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS}) ==
            0);
    uint64_t page = (uintptr_t)touch_a_page();
    for (int i = 0; i < 5; i++)
        nanosleep(&nap, NULL);
    const struct tac_capture *c = finish();
    REQUIRE(c);
    const char *perf = tac_capture_meta(c, "evidence.perf");
    if (!perf || strcmp(perf, "yes") != 0)
        SKIP("perf_event_open is refused here");
    CHECK(tac_capture_meta(c, "evidence.perf.blind") != NULL);
    size_t of_fault = 0;
    for (size_t i = 0; i < c->kernel_stacks_count; i++) {
        const struct tac_capture_kernel_stack *s = &c->kernel_stacks[i];
        size_t k = TAC_CAPTURE_LOWER(c, kernel, ns, s->ns);
        REQUIRE(k < c->kernel_count && c->kernel[k].ns == s->ns);
        CHECK(s->kind == TAC_STACK_USER && s->count > 0 && s->count <= TAC_STACK_MAX);
        uint64_t place = s->pc[0] - (uintptr_t)touch_a_page;
        of_fault +=
            c->kernel[k].type == TAC_KERNEL_FAULT_MINOR && c->kernel[k].a == page && place < 256;
    }
    CHECK_MSG(of_fault == 1, "%zu of %zu", of_fault, c->kernel_stacks_count);
    if (geteuid() == 0)
        CHECK_MSG(c->kernel_stacks_count >= 6, "%zu", c->kernel_stacks_count);
}

static void denormals_are_seen(void)
{
    int source = tac_cycle_source_open("denormal", 0);
    volatile float tiny = 1e-40f, big = 2.0f, result;
    REQUIRE(begin((struct tac_trace_config){.evidence = TAC_EVIDENCE_CLOCK}) == 0);
    tac_cycle_begin(source, 0, 0);
    result = big * big;
    tac_cycle_end(source);
    tac_cycle_begin(source, 0, 0);
    result = tiny * big;
    tac_cycle_end(source);
    (void)result;
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == 2);
    CHECK(!(c->cycles[0].flags & TAC_CYCLE_DENORMAL));
#if defined(__x86_64__)
    CHECK(c->cycles[1].flags & TAC_CYCLE_DENORMAL);
#endif
}

/* The flag is read and cleared at the edges of the inner cycle. */
static void denormals_around_and_in_inner_cycles_are_seen(void)
{
    int outer = tac_cycle_source_open("outer", 0), inner = tac_cycle_source_open("inner", 0);
    volatile float tiny = 1e-40f, big = 2.0f, result;
    REQUIRE(begin((struct tac_trace_config){.evidence = TAC_EVIDENCE_CLOCK}) == 0);
    for (int place = 0; place < 3; place++) {
        tac_cycle_begin(outer, 0, 0);
        result = (place == 0 ? tiny : big) * big;
        tac_cycle_begin(inner, 0, 0);
        result = (place == 1 ? tiny : big) * big;
        tac_cycle_end(inner);
        tac_cycle_end(outer);
    }
    (void)result;
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == 6);
#if defined(__x86_64__)
    static const bool expected[6] = {true, false, true, true, false, false};
    for (int i = 0; i < 6; i++)
        CHECK_MSG(!(c->cycles[i].flags & TAC_CYCLE_DENORMAL) == !expected[i], "%d", i);
#endif
}

static void modules_have_build_ids_and_new_ones_are_seen(void)
{
    struct timespec nap = {0, 250000000};
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    void *late = dlopen("libresolv.so.2", RTLD_NOW); /* of libc6; nothing here needs it */
    nanosleep(&nap, NULL);
    if (late)
        dlclose(late); /* gone again when the session ends */
    const struct tac_capture *c = finish();
    REQUIRE(c);
    const struct tac_capture_module *own =
        tac_capture_module_of(c, (uintptr_t)modules_have_build_ids_and_new_ones_are_seen);
    REQUIRE(own);
    CHECK(strstr(own->path, "test_recorder") && own->pid == 0);
    const struct tac_capture_module *libc =
        tac_capture_module_of(c, (uintptr_t)&gnu_get_libc_version); /* TSan has its own nanosleep */
    CHECK(libc && strstr(libc->path, "libc"));
    CHECK(!libc || strlen(libc->build_id) >= 16);
    size_t seen = 0;
    for (size_t i = 0; i < c->modules_count; i++)
        seen += strstr(c->modules[i].path, "libresolv") != NULL;
    CHECK(!late || seen);
}

/* ---- loss --------------------------------------------------------------------------------------
 */

enum { FLOOD = 3000 };

static void flood_zone(void)
{
    TAC_ZONE("flood");
    TAC_MESSAGE("drop", 1);
}

static void *flood(void *unused)
{
    (void)unused;
    if (tac_thread_register("flood", 64))
        return NULL;
    TAC_ZONE("whole");
    for (int i = 0; i < FLOOD; i++)
        flood_zone();
    return NULL;
}

static void overload_is_counted_exactly(void)
{
    for (int round = 0; round < 100; round++) {
        pthread_t thread;
        REQUIRE(begin((struct tac_trace_config){.drain_ms = 20}) == 0);
        REQUIRE(pthread_create(&thread, NULL, flood, NULL) == 0);
        pthread_join(thread, NULL);
        const struct tac_capture *c = finish();
        REQUIRE(c && c->problems == 0);
        const struct tac_capture_thread *t = &c->threads[c->threads_count - 1];
        CHECK_STR(t->name, "flood");
        uint64_t in_gaps = 0;
        for (size_t i = 0; i < c->gaps_count; i++)
            in_gaps += c->gaps[i].dropped;
        CHECK_MSG(t->stored + t->dropped == 2 + 3 * FLOOD, "%llu + %llu",
                  (unsigned long long)t->stored, (unsigned long long)t->dropped);
        CHECK(in_gaps == t->dropped && t->dropped > 0);
        for (size_t i = 0; i < c->zones_count; i++)
            CHECK(c->zones[i].end_ns != TAC_CAPTURE_OPEN);
        REQUIRE(!test_bad);
    }
}

static void budget_suppresses_and_counts(void)
{
    int source = tac_cycle_source_open("budget", 0);
    REQUIRE(begin((struct tac_trace_config){.events_per_cycle = 100}) == 0);
    for (int cycle = 0; cycle < 10; cycle++) {
        tac_cycle_begin(source, 0, 0);
        for (int i = 0; i < 200; i++)
            flood_zone();
        tac_cycle_end(source);
    }
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == 10);
    const struct tac_capture_thread *t = &c->threads[0];
    CHECK(t->stored + t->suppressed == 10 * (2 + 600) && t->dropped == 0);
    CHECK_MSG(t->stored <= 10 * 110 && t->stored >= 10 * 60, "%llu", (unsigned long long)t->stored);
    for (size_t i = 0; i < c->cycles_count; i++)
        CHECK(c->cycles[i].end_ns != TAC_CAPTURE_OPEN && c->cycles[i].flags & TAC_CYCLE_GAP);
}

static void *unregistered(void *unused)
{
    (void)unused;
    flood_zone();
    return NULL;
}

static void unregistered_threads_are_counted(void)
{
    pthread_t thread;
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    REQUIRE(pthread_create(&thread, NULL, unregistered, NULL) == 0);
    pthread_join(thread, NULL);
    const struct tac_capture *c = finish();
    REQUIRE(c);
    CHECK(c->unregistered == 3 && c->zones_count == 0);
}

static void categories_choose_at_run_time(void)
{
    REQUIRE(begin((struct tac_trace_config){.categories = 1u << TAC_CAT_NODE}) == 0);
    {
        TAC_ZONE("not this");
        TAC_ZONE_AT(TAC_CAT_NODE, 1, "this");
    }
    const struct tac_capture *c = finish();
    REQUIRE(c && c->zones_count == 1);
    CHECK_STR(c->sites[c->zones[0].site].name, "this");
}

static void sites_made_at_run_time_are_interned(void)
{
    char name[16] = "node-1";
    const struct tac_trace_site *a = tac_trace_site_new(name, TAC_CAT_NODE, NULL);
    REQUIRE(a);
    CHECK(tac_trace_site_new("node-1", TAC_CAT_NODE, NULL) == a);
    CHECK(tac_trace_site_new("node-1", TAC_CAT_TASK, NULL) != a);
    name[0] = 'x';
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    {
        TAC_ZONE_SITE(a);
    }
    const struct tac_capture *c = finish();
    REQUIRE(c && c->zones_count == 1);
    CHECK_STR(c->sites[c->zones[0].site].name, "node-1");
}

static void flight_recorder_writes_only_around_a_miss(void)
{
    int source = tac_cycle_source_open("flight", 0);
    struct timespec nap = {0, 30000000};
    REQUIRE(begin((struct tac_trace_config){.flight_s = 1, .flight_bytes = 1 << 16}) == 0);
    for (int i = 0; i < 10; i++)
        flood_zone();
    nanosleep(&nap, NULL);
    const struct tac_capture *c = finish();
    REQUIRE(c);
    CHECK(c->zones_count == 0);
    REQUIRE(begin((struct tac_trace_config){.flight_s = 1, .flight_bytes = 1 << 16}) == 0);
    flood_zone();
    tac_cycle_begin(source, 1, 0);
    tac_cycle_end(source);
    nanosleep(&nap, NULL);
    c = finish();
    REQUIRE(c);
    CHECK(c->zones_count == 1 && c->cycles_count == 1);
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A counter of more or less than 1 GHz is no clock yet: its rate must be known by then. */
static void a_cycle_in_time_is_no_miss_from_the_first_moment_on(void)
{
    enum { AGO_MS = 60 };
    int source = tac_cycle_source_open("early", 0);
    REQUIRE(begin((struct tac_trace_config){.flight_s = 1}) == 0);
    nap_ms(AGO_MS);
    uint64_t deadline = now_ns() + AGO_MS * 1000000u;
    tac_cycle_begin(source, deadline, 0);
    tac_cycle_end(source);
    bool late = now_ns() > deadline;
    nap_ms(10);
    const struct tac_capture *c = finish();
    REQUIRE(c);
    if (late)
        SKIP("this machine stood still for 60 ms");
    CHECK_MSG(c->cycles_count == 0, "%zu", c->cycles_count);
}

/* On one that is too slow, the cycle would look as if it had ended before it began. */
static void a_late_cycle_is_a_miss_from_the_first_moment_on(void)
{
    int source = tac_cycle_source_open("early", 0);
    REQUIRE(begin((struct tac_trace_config){.flight_s = 1}) == 0);
    tac_cycle_begin(source, now_ns() + 1000000, 0);
    nap_ms(2);
    tac_cycle_end(source);
    const struct tac_capture *c = finish();
    REQUIRE(c && c->cycles_count == 1 && c->problems == 0);
    CHECK(tac_capture_late_ns(&c->cycles[0]) > 0);
}

static void a_flight_recorder_that_waits_writes_nothing(void)
{
    struct stat before, after;
    REQUIRE(begin((struct tac_trace_config){.flight_s = 1}) == 0);
    for (int i = 0; i < 60; i++, nap_ms(10)) {
        flood_zone();
        if (i == 30)
            REQUIRE(stat(path, &before) == 0);
    }
    CHECK(stat(path, &after) == 0 && after.st_size == before.st_size);
    tac_trace_keep();
    uint64_t at = now_ns();
    const struct tac_capture *c = finish();
    REQUIRE(c && c->problems == 0 && c->zones_count == 60);
    const struct tac_capture_zone *last = &c->zones[59];
    CHECK(at - last->end_ns >= 10000000 && at - last->end_ns < 1000000000);
}

static void wrong_use_is_refused(void)
{
    CHECK(tac_trace_stop() == -ENOENT);
    CHECK(tac_trace_start(&(struct tac_trace_config){.fd = -1}) == -EINVAL);
    CHECK(tac_trace_start(&(struct tac_trace_config){.path = "/no/such/dir/x"}) == -ENOENT);
    REQUIRE(begin((struct tac_trace_config){0}) == 0);
    CHECK(begin((struct tac_trace_config){0}) == -TAC_E_BUSY);
    CHECK(tac_trace_meta("a=b", "c") == -EINVAL);
    CHECK(tac_trace_meta("late", "yes") == 0);
    const struct tac_capture *c = finish();
    REQUIRE(c);
    CHECK_STR(tac_capture_meta(c, "late"), "yes");
    int full = open("/dev/full", O_WRONLY);
    if (full >= 0)
        CHECK(tac_trace_start(&(struct tac_trace_config){.fd = full}) == -ENOSPC);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-recorder-%d", (int)getpid());
    TEST(zones_plots_and_messages_come_back);
    TEST(memory_locks_flows_and_stacks_come_back);
    TEST(cycles_carry_deadline_frames_and_evidence);
    TEST(cycles_inside_cycles_keep_their_own_evidence);
    TEST(cycles_well_in_time_are_spared);
    TEST(sleeps_and_faults_have_stacks_of_the_program);
    TEST(denormals_are_seen);
    TEST(denormals_around_and_in_inner_cycles_are_seen);
    TEST(modules_have_build_ids_and_new_ones_are_seen);
    TEST(overload_is_counted_exactly);
    TEST(budget_suppresses_and_counts);
    TEST(unregistered_threads_are_counted);
    TEST(categories_choose_at_run_time);
    TEST(sites_made_at_run_time_are_interned);
    TEST(flight_recorder_writes_only_around_a_miss);
    TEST(a_cycle_in_time_is_no_miss_from_the_first_moment_on);
    TEST(a_late_cycle_is_a_miss_from_the_first_moment_on);
    TEST(a_flight_recorder_that_waits_writes_nothing);
    TEST(wrong_use_is_refused);
    tac_capture_close(capture);
    unlink(path);
    return test_end();
}
