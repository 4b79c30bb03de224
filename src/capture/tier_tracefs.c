/* SPDX-License-Identifier: MIT
 * tier_tracefs.c - the tracefs tier: instance, switches, filters, reading, janitor.
 *
 * Where the kernel itself keeps time by the counter that user space reads (x86), events are stamped
 * with that counter, which costs the traced threads less than CLOCK_MONOTONIC, and become
 * nanoseconds here by clock pairs that are taken as they are read. */
#include "base/clock.h"
#include "base/cpulist.h"
#include "capture/clockmap.h"
#include "capture/ftrace.h"
#include "capture/kernel_tier.h"
#include "capture/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CPUS_MAX = 256,
    PAGE_MAX = 65536,
    BUFFER_KB = 4096,
    PAGES_A_PASS = 1024,
    PAIR_NS = 10000000
};

struct state {
    int root, instance;
    int cpu_fd[CPUS_MAX];
    uint32_t cpus, kinds;
    size_t page_bytes;
    char name[64]; /* of the instance, below root */
    pid_t janitor;
    int janitor_pipe;
    struct tac_ftrace *ftrace;
    _Atomic bool halted; /* no event comes any more */
    bool counts;         /* events are stamped with the counter */
    struct tac_clockmap clock;
    struct tac_clock_pair paired; /* last */
    unsigned char page[PAGE_MAX];
};

/* At most so many pages a pass, so that a busy CPU cannot keep the others waiting. One that is not
 * full may be the rest of a page of which the last pass took the beginning; the second is the one
 * that the kernel writes now. Reading on would take each event from its cache as soon as it is
 * there, and nearly double what an event costs the CPU that it is about. */
static void read_cpu(struct state *s, uint32_t cpu)
{
    int part_pages = 0;
    for (int pages = 0; pages < PAGES_A_PASS && s->cpu_fd[cpu] >= 0; pages++) {
        ssize_t got = read(s->cpu_fd[cpu], s->page, s->page_bytes);
        if (got <= 0)
            break;
        tac_ftrace_decode(s->ftrace, s->page, (size_t)got, (uint16_t)cpu);
        part_pages += !tac_ftrace_was_full(s->ftrace);
        if (part_pages == 2 && !atomic_load(&s->halted))
            break;
    }
}

/* Pairs that are too close say little about the rate. A machine that slept may count from 0 again:
 * what was before says nothing then. */
static void pair_clocks(struct state *s)
{
    if (!s->counts || tac_clock_ns() - s->paired.ns < PAIR_NS)
        return;
    struct tac_clock_pair p = tac_clock_pair();
    if (p.counter < s->paired.counter) {
        tac_clockmap_fini(&s->clock);
        s->clock = (struct tac_clockmap){0};
    }
    tac_clockmap_push(&s->clock, &(struct tac_format_clock){p.counter, p.ns, p.width, 0});
    s->paired = p;
}

static void read_all(void *state)
{
    struct state *s = state;
    pair_clocks(s);
    for (uint32_t cpu = 0; cpu < s->cpus; cpu++)
        read_cpu(s, cpu);
}

/* Waits for the end of the pipe, that is of this process, and removes the instance. */
static void start_janitor(struct state *s)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return;
    pid_t child = fork();
    if (child == 0) {
        sigset_t all;
        char byte;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        dup2(s->root, 0); /* all else goes: an open file would keep the instance alive */
        dup2(ends[0], 1);
        close_range(2, ~0u, 0);
        while (read(1, &byte, 1) < 0 && errno == EINTR)
            ;
        /* of the files of a dying process the pipe may be closed before those of the instance */
        for (int i = 0; i < 200 && unlinkat(0, s->name, AT_REMOVEDIR) && errno == EBUSY; i++)
            usleep(10000);
        _exit(0);
    }
    close(ends[0]);
    s->janitor = child;
    s->janitor_pipe = ends[1];
    if (child < 0) {
        close(ends[1]);
        s->janitor_pipe = -1;
    }
}

static int write_event(const struct state *s, const char *event, const char *file, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "events/%s/%s", event, file);
    return tac_tracefs_write(s->instance, path, text);
}

static bool learn(struct state *s, uint32_t i, char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "events/%s/format", tac_ftrace_kinds[i].path);
    return tac_tracefs_read(s->instance, path, text, size) > 0 &&
           tac_ftrace_learn_event(s->ftrace, i, text) == 0;
}

static void enable(struct state *s, uint32_t i, char *text, size_t size)
{
    const struct tac_ftrace_kind *kind = &tac_ftrace_kinds[i];
    if (!learn(s, i, text, size))
        return; /* this kernel does not have it */
    if (kind->filter && write_event(s, kind->path, "filter", kind->filter))
        return;
    s->kinds += write_event(s, kind->path, "enable", "1") == 0;
}

/* Only where a real-time thread (kernel priority below 100) leaves its CPU, and at faults: a stack
 * costs ten times what its event does. */
static void switch_on_stacks(struct state *s, uint32_t want, char *text, size_t size)
{
    if (tac_tracefs_read(s->instance, "events/ftrace/kernel_stack/format", text, size) <= 0 &&
        tac_tracefs_read(s->root, "events/ftrace/kernel_stack/format", text, size) <= 0)
        return;
    if (tac_ftrace_learn_stack(s->ftrace, text))
        return;
    (void)!write_event(s, "sched/sched_switch", "trigger", "stacktrace if prev_prio < 100");
    if (want & TAC_KERNEL_WANT_FAULTS) {
        (void)!write_event(s, "exceptions/page_fault_user", "trigger", "stacktrace");
        (void)!write_event(s, "exceptions/page_fault_kernel", "trigger", "stacktrace");
    }
}

/* "0-3,6" to the kernel's hexadecimal groups of 32, highest first. */
static int cpu_mask(const char *list, char *ret_text, size_t size)
{
    uint32_t group[TAC_CPULIST_MAX / 32] = {0};
    if (!tac_cpulist_parse(list, group))
        return -EINVAL;
    size_t n = 0;
    for (int i = TAC_CPULIST_MAX / 32 - 1; i >= 0; i--)
        n += (size_t)snprintf(ret_text + n, size - n, "%x%s", group[i], i ? "," : "");
    return 0;
}

/* A mask wider than the machine is refused by some kernels: try it from its lowest group up. */
static int set_cpus(const struct state *s, const char *list)
{
    char text[TAC_CPULIST_MAX / 32 * 10];
    const char *at = text;
    int error = cpu_mask(list, text, sizeof text);
    while (!error && tac_tracefs_write(s->instance, "tracing_cpumask", at)) {
        at = strchr(at, ',');
        if (!at)
            return -EINVAL;
        at++;
    }
    return error;
}

static int learn_page(struct state *s, char *text, size_t size)
{
    if (tac_tracefs_read(s->instance, "events/header_page", text, size) <= 0 &&
        tac_tracefs_read(s->root, "events/header_page", text, size) <= 0)
        return -ENOENT;
    long bytes = tac_ftrace_learn_page(s->ftrace, text);
    if (bytes < 0 || bytes > PAGE_MAX)
        return -TAC_E_VERSION;
    s->page_bytes = (size_t)bytes;
    return 0;
}

static bool is_wanted(uint32_t want, const struct tac_ftrace_kind *kind)
{
    if (want & TAC_KERNEL_ONLY_SWITCHES)
        return kind->type == TAC_KERNEL_SWITCH || kind->type == TAC_KERNEL_WAKING;
    if (want & TAC_KERNEL_WANT_FAULTS && kind->type == TAC_KERNEL_FAULT_PROTECTED)
        return false; /* the same event of the kernel, of which all are wanted */
    return !(kind->want & ~want);
}

static bool kernel_keeps_time_by_the_counter(void)
{
    char name[32] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
    if (fd >= 0)
        close(fd);
    return n > 0 && (!strcmp(name, "tsc\n") || !strcmp(name, "kvm-clock\n"));
}

/* Two pairs at once, so that the rate is known from the first event on. */
static int set_clock(struct state *s)
{
    s->counts = kernel_keeps_time_by_the_counter() &&
                !tac_tracefs_write(s->instance, "trace_clock", "x86-tsc");
    if (!s->counts)
        return tac_tracefs_write(s->instance, "trace_clock", "mono");
    pair_clocks(s);
    tac_clock_sleep_until(s->paired.ns + PAIR_NS);
    pair_clocks(s);
    tac_ftrace_set_clock(s->ftrace, &s->clock);
    return 0;
}

static int switch_on(struct state *s, const struct tac_kernel_config *config)
{
    char text[8192], kb[16];
    snprintf(kb, sizeof kb, "%u", config->buffer_kb ? config->buffer_kb : BUFFER_KB);
    int error = set_clock(s);
    error = error ? error : tac_tracefs_write(s->instance, "buffer_size_kb", kb);
    /* larger pages, where the kernel (6.8) has them: fewer reads, fewer changes of page */
    (void)!tac_tracefs_write(s->instance, "buffer_subbuf_size_kb", "32");
    error = error ? error : learn_page(s, text, sizeof text);
    error = error || !config->cpus ? error : set_cpus(s, config->cpus);
    if (error)
        return error;
    /* names come with the events: the kernel need not keep its own list of them at each switch */
    (void)!tac_tracefs_write(s->instance, "trace_options", "norecord-cmd");
    if (config->want & TAC_KERNEL_WANT_STACKS)
        switch_on_stacks(s, config->want, text, sizeof text);
    for (uint32_t i = 0; i < tac_ftrace_kinds_count; i++)
        if (is_wanted(config->want, &tac_ftrace_kinds[i]))
            enable(s, i, text, sizeof text);
    return s->kinds ? 0 : -ENOENT;
}

static int open_cpus(struct state *s)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    s->cpus = cpus > CPUS_MAX ? CPUS_MAX : (uint32_t)cpus;
    for (uint32_t i = 0; i < s->cpus; i++) {
        char path[64];
        snprintf(path, sizeof path, "per_cpu/cpu%u/trace_pipe_raw", i);
        s->cpu_fd[i] = openat(s->instance, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (s->cpu_fd[i] < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

static void halt(void *state)
{
    struct state *s = state;
    atomic_store(&s->halted, !tac_tracefs_write(s->instance, "tracing_on", "0"));
}

/* The instance is gone, then the janitor goes. Else a child of this process, forked meanwhile, has
 * its files: the janitor waits for the end of that child, and nobody for the janitor. */
static void remove_instance(const struct state *s)
{
    bool is_gone = s->instance < 0 || unlinkat(s->root, s->name, AT_REMOVEDIR) == 0;
    if (s->janitor_pipe >= 0)
        close(s->janitor_pipe);
    if (s->janitor > 0 && is_gone)
        kill(s->janitor, SIGKILL);
    if (s->janitor > 0)
        waitpid(s->janitor, NULL, is_gone ? 0 : WNOHANG);
}

static void stop(void *state)
{
    struct state *s = state;
    for (uint32_t i = 0; i < CPUS_MAX; i++)
        if (s->cpu_fd[i] >= 0)
            close(s->cpu_fd[i]);
    if (s->instance >= 0)
        close(s->instance);
    remove_instance(s);
    if (s->root >= 0)
        close(s->root);
    tac_ftrace_free(s->ftrace);
    tac_clockmap_fini(&s->clock);
    free(s);
}

static int set_up(struct state *s, const struct tac_kernel_config *config)
{
    s->root = tac_tracefs_open();
    if (s->root < 0)
        return s->root;
    s->instance = tac_tracefs_instance(s->root, s->name, sizeof s->name);
    if (s->instance < 0)
        return s->instance;
    start_janitor(s);
    int error = open_cpus(s);
    return error ? error : switch_on(s, config);
}

static int start(const struct tac_kernel_config *config, const struct tac_kernel_out *out,
                 void **ret_state, uint32_t *ret_kinds)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->root = s->instance = s->janitor_pipe = -1;
    memset(s->cpu_fd, -1, sizeof s->cpu_fd);
    s->ftrace = tac_ftrace_new(out->writer);
    int error = s->ftrace ? set_up(s, config) : -ENOMEM;
    if (error) {
        stop(s);
        return error;
    }
    *ret_state = s;
    *ret_kinds = s->kinds;
    return 0;
}

const struct tac_kernel_tier tac_kernel_tier_tracefs = {
    .name = "ftrace",
    .blind = "call stacks of programs, who holds a user-space lock, time in a hypervisor or in "
             "firmware; page faults, disks and kernel stacks unless asked "
             "for",
    .start = start,
    .read = read_all,
    .halt = halt,
    .stop = stop,
};
