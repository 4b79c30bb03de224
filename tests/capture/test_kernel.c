/* SPDX-License-Identifier: MIT
 * test_kernel.c - kernel events of the whole machine: a thread's sleeps are found as switches with
 * the right state, inside the thread's own zones on one clock; and nothing is left behind. */
#include "capture/capture.h"
#include "capture/clockmap.h"
#include "capture/ftrace.h"
#include "capture/kernel.h"
#include "capture/kernel_writer.h"
#include "capture/symbols.h"
#include "capture/tracefs.h"
#include "tactus/trace.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char path[64];

static int instance_exists(pid_t pid)
{
    char name[64];
    int root = tac_tracefs_open();
    snprintf(name, sizeof name, "instances/tactus-%d", (int)pid);
    int there = root >= 0 && faccessat(root, name, F_OK, 0) == 0;
    if (root >= 0)
        close(root);
    return there;
}

static void nap(void)
{
    TAC_ZONE("nap");
    struct timespec t = {0, 2000000};
    nanosleep(&t, NULL);
}

static void sleeps_are_switches_inside_the_zones(void)
{
    struct tac_error err;
    struct tac_kernel *kernel;
    struct tac_kernel_stats stats;
    REQUIRE(tac_trace_start(&(struct tac_trace_config){.path = path}) == 0);
    int error = tac_kernel_start(&(struct tac_kernel_config){.path = path}, &err, &kernel);
    if (error) {
        (void)!tac_trace_stop();
        SKIP("no tracefs with privilege here");
    }
    REQUIRE(tac_thread_register("napper", 0) == 0);
    CHECK(instance_exists(getpid()));
    for (int i = 0; i < 20; i++)
        nap();
    REQUIRE(tac_kernel_stop(kernel, &stats) == 0);
    REQUIRE(tac_trace_stop() == 0);
    CHECK(!instance_exists(getpid()));
    struct tac_capture *c;
    REQUIRE(tac_capture_open(path, NULL, &c) == 0);
    CHECK_MSG(stats.events > 40 && stats.kinds >= 5, "%llu events, %u kinds",
              (unsigned long long)stats.events, stats.kinds);
    CHECK(c->problems == 0);
    uint32_t tid = (uint32_t)syscall(SYS_gettid), found = 0;
    for (size_t i = 0; i < c->zones_count; i++)
        for (size_t k = 0; k < c->kernel_count; k++) {
            const struct tac_capture_kernel *e = &c->kernel[k];
            found += e->type == TAC_KERNEL_SWITCH && e->tid == tid && (e->b >> 32 & 1) &&
                     e->ns >= c->zones[i].begin_ns && e->ns <= c->zones[i].end_ns;
        }
    CHECK_MSG(found == 20 || c->gaps_count, "%u", found);
    tac_capture_close(c);
}

/* Captures while work() runs; NULL and a reason to skip when that is not possible. */
static struct tac_capture *capture_while(struct tac_kernel_config config, void (*work)(void))
{
    struct tac_kernel *kernel;
    struct tac_capture *c = NULL;
    unlink(path);
    config.path = path;
    if (tac_trace_start(&(struct tac_trace_config){.path = path}))
        return NULL;
    int error = tac_kernel_start(&config, NULL, &kernel);
    if (!error) {
        work();
        error = tac_kernel_stop(kernel, NULL);
    }
    (void)!tac_trace_stop();
    if (error || tac_capture_open(path, NULL, &c))
        test_skip = "no tracefs with privilege here";
    return c;
}

static void naps(void)
{
    for (int i = 0; i < 20; i++)
        nap();
}

static bool is_own(const struct tac_capture *c, uint32_t tid)
{
    const char *name = tac_capture_comm(c, tid);
    return tid == (uint32_t)syscall(SYS_gettid) ||
           (name && (!strncmp(name, "tactus-", 7) || !strncmp(name, "test_kernel", 11)));
}

/* On the first CPU: there are virtual machines whose other CPUs record no switch out of the idle
 * task, so half of those of a thread that naps. */
static void naps_on_cpu_0(void)
{
    cpu_set_t before, first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    bool moved = !sched_getaffinity(0, sizeof before, &before) &&
                 !sched_setaffinity(0, sizeof first, &first);
    naps();
    if (moved)
        sched_setaffinity(0, sizeof before, &before);
}

static void filters_keep_the_chosen_threads_and_cpus(void)
{
    uint32_t own = (uint32_t)syscall(SYS_gettid);
    size_t switches = 0;
    struct tac_capture *c =
        capture_while((struct tac_kernel_config){.pids = &own, .pids_count = 1}, naps_on_cpu_0);
    if (!c)
        return;
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        if (e->type != TAC_KERNEL_SWITCH)
            continue;
        /* threads of this process, and the capture's, which is their child */
        CHECK(is_own(c, e->tid) || is_own(c, (uint32_t)(e->a >> 32)));
        switches += e->tid == own || e->a >> 32 == own;
    }
    /* 40, less where the whole machine stood still for as long as a nap */
    CHECK_MSG(switches >= 24 || c->gaps_count, "%zu", switches);
    CHECK(strstr(tac_capture_meta(c, "evidence.ftrace"), "of some threads") != NULL);
    tac_capture_close(c);
    c = capture_while((struct tac_kernel_config){.cpus = "0"}, naps);
    REQUIRE(c);
    for (size_t i = 0; i < c->kernel_count; i++)
        CHECK(c->kernel[i].cpu == 0);
    tac_capture_close(c);
    struct tac_error err = {0};
    struct tac_kernel *kernel;
    CHECK(tac_kernel_start(&(struct tac_kernel_config){.path = path, .cpus = "0-x"}, &err,
                           &kernel) == -EINVAL);
    CHECK(!instance_exists(getpid()));
}

static char *touched;

static void touch_and_sleep(void)
{
    const struct sched_param rt = {.sched_priority = 1}, normal = {0};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bool is_rt = sched_setscheduler(0, SCHED_FIFO, &rt) == 0;
    touched = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touched[17] = 1;
    munmap(touched, page);
    naps();
    if (!is_rt || sched_setscheduler(0, SCHED_OTHER, &normal))
        touched = NULL;
}

static void real_time_sleeps_and_faults_have_stacks(void)
{
    uint32_t own = (uint32_t)syscall(SYS_gettid),
             want = TAC_KERNEL_WANT_FAULTS | TAC_KERNEL_WANT_STACKS | TAC_KERNEL_WANT_MMAP_LOCK;
    size_t sleeps = 0, named = 0, faults = 0, locks = 0;
    struct tac_capture *c =
        capture_while((struct tac_kernel_config){.want = want}, touch_and_sleep);
    if (!c)
        return;
    for (size_t i = 0; i < c->kernel_stacks_count; i++) {
        const struct tac_capture_kernel_stack *s = &c->kernel_stacks[i];
        if (s->tid != own)
            continue;
        CHECK(s->kind == TAC_STACK_KERNEL && s->count > 0);
        sleeps++;
        for (uint32_t k = 0; k < s->count; k++) {
            const char *name = tac_capture_symbol_of(c, s->pc[k]);
            named += name && strstr(name, "nanosleep") != NULL;
        }
    }
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        faults += e->type == TAC_KERNEL_FAULT && e->a == (uintptr_t)touched + 17;
        locks += e->type == TAC_KERNEL_MMAP_GOT && e->tid == own;
    }
    if (touched) {
        CHECK_MSG(sleeps >= 20 || c->gaps_count, "%zu", sleeps);
        CHECK_MSG(named >= 20 || c->gaps_count || !c->symbols_count, "%zu", named);
    }
#if defined(__x86_64__)
    CHECK(!touched || faults == 1 || c->gaps_count);
#endif
    CHECK(locks > 0 || c->gaps_count);
    CHECK(tac_capture_meta(c, "evidence.ftrace.blind") != NULL);
    tac_capture_close(c);
}

/* Of another program than this one: it faults, and is gone before anybody looks its places up. It
 * lives until the capture has ended: when the capture's thread comes to the fault, nobody knows. */
static pid_t other;
static int other_lives[2];
static char *touched_by_other;

__attribute__((noinline)) static void touch_in_other(void)
{
    touched_by_other[5] = 1;
}

static void let_other_touch(void)
{
    char byte;
    if (pipe(other_lives))
        return;
    other = fork();
    if (!other) {
        dup2(other_lives[0], 0);
        close_range(3, ~0u, 0); /* the capture's files are not to live as long */
        touch_in_other();
        (void)!read(0, &byte, 1);
        _exit(0);
    }
    naps();
}

static void end_other(void)
{
    if (other <= 0)
        return;
    close(other_lives[0]);
    close(other_lives[1]);
    waitpid(other, NULL, 0);
}

static pid_t executed;

static void run_true(void)
{
    executed = fork();
    if (!executed) {
        execlp("true", "true", NULL);
        _exit(127);
    }
    waitpid(executed, NULL, 0);
    naps();
}

/* A child's life: it is forked, becomes another program, and ends. */
static void a_child_that_becomes_another_program_is_seen(void)
{
    static const uint16_t life[] = {TAC_KERNEL_FORK, TAC_KERNEL_EXEC, TAC_KERNEL_EXIT};
    struct tac_capture *c = capture_while((struct tac_kernel_config){0}, run_true);
    size_t at = 0;
    if (!c)
        return;
    for (size_t i = 0; i < c->kernel_count && at < 3; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        uint32_t tid = e->type == TAC_KERNEL_FORK ? (uint32_t)e->a : e->tid;
        at += e->type == life[at] && tid == (uint32_t)executed;
    }
    CHECK_MSG(at == 3 || c->gaps_count, "%zu", at);
    tac_capture_close(c);
}

static void places_in_other_programs_are_known_when_they_are_gone(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    touched_by_other = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct tac_capture *c =
        capture_while((struct tac_kernel_config){.want = TAC_KERNEL_WANT_FAULTS}, let_other_touch);
    const struct tac_capture_kernel *fault = NULL;
    end_other();
    if (!c)
        return;
    for (size_t i = 0; i < c->kernel_count; i++)
        if (c->kernel[i].type == TAC_KERNEL_FAULT && c->kernel[i].tid == (uint32_t)other &&
            c->kernel[i].a == (uintptr_t)touched_by_other + 5)
            fault = &c->kernel[i];
    munmap(touched_by_other, page);
#if defined(__x86_64__)
    CHECK(fault || c->gaps_count);
#endif
    if (fault && tac_capture_pid_of(c, fault->tid)) {
        struct tac_symbols *symbols;
        const struct tac_capture_module *m = tac_capture_module_in(c, fault->tid, fault->b);
        CHECK(tac_capture_pid_of(c, fault->tid) == (uint32_t)other);
        REQUIRE(m && tac_symbols_open(c, "", &symbols) == 0);
        CHECK_MSG(strstr(m->path, "test_kernel") != NULL && *m->build_id, "%s %s", m->path,
                  m->build_id);
        const struct tac_symbol *s =
            tac_symbols_find_in(symbols, (uint32_t)other, fault->b, TAC_SYMBOL_EXACT);
        CHECK_MSG(strstr(s->module, "test_kernel") != NULL, "%s", s->module);
        CHECK_MSG(!*s->function || !strcmp(s->function, "touch_in_other") ||
                      !strcmp(s->function, "let_other_touch"),
                  "%s", s->function);
        tac_symbols_close(symbols);
    }
    tac_capture_close(c);
}

static void the_bpf_tier_sees_the_same_switches(void)
{
    uint32_t own = (uint32_t)syscall(SYS_gettid);
    size_t left = 0, came = 0, woken = 0;
    struct tac_capture *c =
        capture_while((struct tac_kernel_config){.tier = TAC_KERNEL_TIER_BPF}, naps);
    if (!c) {
        test_skip = "no BPF tier with privilege here";
        return;
    }
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        left += e->type == TAC_KERNEL_SWITCH && e->tid == own && e->b >> 32 == 1;
        came += e->type == TAC_KERNEL_SWITCH && e->a >> 32 == own;
        woken += e->type == TAC_KERNEL_WAKING && e->a >> 32 == own;
    }
    /* some of 20 wake-ups and their switches are missing on a busy virtual machine */
    CHECK_MSG((left >= 20 && came >= 10 && woken >= 10) || c->gaps_count, "%zu %zu %zu", left, came,
              woken);
    CHECK(tac_capture_meta(c, "evidence.bpf") && tac_capture_meta(c, "evidence.bpf.blind"));
    CHECK(tac_capture_comm(c, own) != NULL);
    tac_capture_close(c);
}

static void a_killed_capture_leaves_nothing(void)
{
    int ready[2];
    char byte = 0;
    REQUIRE(pipe(ready) == 0);
    pid_t child = fork();
    if (!child) {
        struct tac_kernel *kernel;
        byte =
            tac_kernel_start(&(struct tac_kernel_config){.path = path}, NULL, &kernel) ? 'n' : 'y';
        (void)!write(ready[1], &byte, 1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    REQUIRE(read(ready[0], &byte, 1) == 1);
    int was_there = instance_exists(child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    if (byte == 'n')
        SKIP("no tracefs with privilege here");
    CHECK(was_there);
    for (int i = 0; i < 200 && instance_exists(child); i++)
        usleep(10000);
    CHECK(!instance_exists(child));
}

static void switches_that_the_kernel_left_out_are_told(void)
{
    struct tac_kernel_writer *writer;
    struct tac_kernel_writer_stats stats;
    const uint32_t way[][3] = {{1, 0, 7}, {1, 7, 0}, {0, 3, 4}, {1, 7, 0}, {0, 4, 5}, {1, 0, 8}};
    unlink(path);
    REQUIRE(tac_kernel_writer_open(path, 0x10000, NULL, &writer) == 0);
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) /* on CPU 1, 7 comes back unseen */
        tac_kernel_writer_event(writer,
                                &(struct tac_format_kernel){.ns = 1000 + i,
                                                            .type = TAC_KERNEL_SWITCH,
                                                            .cpu = (uint16_t)way[i][0],
                                                            .tid = way[i][1],
                                                            .a = (uint64_t)way[i][2] << 32});
    tac_kernel_writer_get_stats(writer, &stats);
    CHECK_MSG(stats.left_out == 1 && stats.events == 6, "%llu", (unsigned long long)stats.left_out);
    CHECK(tac_kernel_writer_close(writer) == 0);
}

static const char FORMAT[] = "name: sched_stat_runtime\nID: 77\nformat:\n"
                             "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
                             "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
                             "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
                             "\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n"
                             "\tfield:u64 runtime;\toffset:16;\tsize:8;\tsigned:0;\n";
static const char PAGE[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
                           "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
                           "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

static void a_forked_child_keeps_no_stop_waiting(void)
{
    struct tac_kernel *kernel;
    int ends[2];
    char byte;
    if (tac_kernel_start(&(struct tac_kernel_config){.path = path}, NULL, &kernel))
        SKIP("no tracefs with privilege here");
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (!child) { /* has the capture's files, and lives longer */
        close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(0);
    }
    CHECK(tac_kernel_stop(kernel, NULL) == 0);
    close(ends[0]);
    close(ends[1]);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 200 && instance_exists(getpid()); i++)
        usleep(10000);
    CHECK(!instance_exists(getpid()));
}

static void put32(unsigned char *page, size_t at, uint32_t value)
{
    memcpy(page + at, &value, 4);
}

static uint32_t kind_named(const char *name)
{
    uint32_t kind = 0;
    while (strcmp(tac_ftrace_kinds[kind].path, name) != 0)
        kind++;
    return kind;
}

/* A page with one event, a time extension and a count of lost ones, as the kernel packs them. */
static void make_page(unsigned char *page)
{
    uint64_t start = 1000000;
    memset(page, 0, 4096);
    memcpy(page, &start, 8);
    put32(page, 16, 30 | 5 << 5); /* time extend by 5 + (2 << 27) */
    put32(page, 20, 2);
    put32(page, 24, 6 | 7 << 5); /* 24 bytes of data, 7 ns later */
    put32(page, 28, 77);
    put32(page, 32, 1234);
    put32(page, 40, 4321);
    put32(page, 44, 999);
    put32(page, 8, 36 | 1u << 31 | 1u << 30);
    put32(page, 52, 55); /* lost, behind the data */
}

static void pages_are_decoded_by_the_kernels_format(void)
{
    static unsigned char page[4096];
    struct tac_kernel_writer *writer;
    struct tac_capture *c;
    unlink(path);
    REQUIRE(tac_kernel_writer_open(path, 0x10000, NULL, &writer) == 0);
    struct tac_ftrace *f = tac_ftrace_new(writer);
    REQUIRE(f);
    uint32_t kind = kind_named("sched/sched_stat_runtime");
    make_page(page);
    CHECK(tac_ftrace_decode(f, page, sizeof page, 3) == 0); /* nothing learnt yet */
    REQUIRE(tac_ftrace_learn_page(f, PAGE) > 0);
    CHECK(tac_ftrace_learn_event(f, kind, "ID: x") == -TAC_E_VERSION);
    CHECK(tac_ftrace_learn_event(f, kind_named("sched/sched_switch"), FORMAT) == -TAC_E_VERSION);
    REQUIRE(tac_ftrace_learn_event(f, kind, FORMAT) == 0);
    CHECK(tac_ftrace_decode(f, page, sizeof page, 3) == 55);
    for (size_t n = 0; n < 80; n++) /* a page that is cut is none */
        CHECK(tac_ftrace_decode(f, page, n, 0) == 0);
    /* the same, stamped with a counter of two ticks a nanosecond */
    struct tac_clockmap clock = {0};
    tac_clockmap_push(&clock, &(struct tac_format_clock){0, 1000000000, 1, 0});
    tac_clockmap_push(&clock, &(struct tac_format_clock){2000000000, 2000000000, 1, 0});
    tac_ftrace_set_clock(f, &clock);
    CHECK(tac_ftrace_decode(f, page, sizeof page, 3) == 55);
    tac_clockmap_fini(&clock);
    tac_ftrace_free(f);
    REQUIRE(tac_kernel_writer_close(writer) == 0);
    REQUIRE(tac_capture_open(path, NULL, &c) == 0);
    REQUIRE(c->kernel_count == 4);
    CHECK(c->kernel[0].type == TAC_KERNEL_LOST && c->kernel[0].a == 55);
    CHECK(c->kernel[1].type == TAC_KERNEL_RUNTIME && c->kernel[1].tid == 4321);
    CHECK(c->kernel[1].a == 999 && c->kernel[1].cpu == 3);
    CHECK(c->kernel[1].ns == 1000000 + 5 + (2ull << 27) + 7);
    CHECK(c->kernel[2].ns == 1000000000 + c->kernel[0].ns / 2);
    CHECK(c->kernel[3].ns == 1000000000 + c->kernel[1].ns / 2);
    CHECK(c->gaps_count == 2 && c->gaps[0].dropped == 55);
    tac_capture_close(c);
    unlink(path);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-kernel-%d", (int)getpid());
    TEST(pages_are_decoded_by_the_kernels_format);
    TEST(switches_that_the_kernel_left_out_are_told);
    TEST(sleeps_are_switches_inside_the_zones);
    TEST(filters_keep_the_chosen_threads_and_cpus);
    TEST(real_time_sleeps_and_faults_have_stacks);
    TEST(places_in_other_programs_are_known_when_they_are_gone);
    TEST(the_bpf_tier_sees_the_same_switches);
    TEST(a_killed_capture_leaves_nothing);
    TEST(a_forked_child_keeps_no_stop_waiting);
    TEST(a_child_that_becomes_another_program_is_seen);
    unlink(path);
    return test_end();
}
