/* SPDX-License-Identifier: MIT
 * facts.c - what the recording says about its machine and about itself: "key=value" lines, one
 * chunk a line. */
#include "trace/line.h"
#include "trace/quota.h"
#include "trace/session.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

void tac_facts_write_line(struct tac_session *s, const char *key, const char *value)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "%s=%s\n", key, value);
    if (n < 0)
        return;
    n = n < (int)sizeof line ? n : (int)sizeof line - 1;
    line[n - 1] = '\n';
    for (int i = 0; i < n - 1; i++)
        line[i] = line[i] == '\n' ? ' ' : line[i];
    struct tac_format_chunk chunk = {.kind = TAC_CHUNK_META, .count = 1};
    tac_sink_put(&s->sink, &chunk, line, (uint32_t)n);
}

/* Whether a hypervisor runs this machine: it sets a bit for its guests (CPUID leaf 1, ECX 31). */
static const char *is_virtual(void)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c >> 31 ? "yes" : "no";
#else
    return "unknown";
#endif
}

bool tac_facts_is_virtual(void)
{
    return !strcmp(is_virtual(), "yes");
}

static void write_number(struct tac_session *s, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    tac_facts_write_line(s, key, text);
}

static void write_file(struct tac_session *s, const char *key, const char *path)
{
    char text[256];
    if (*tac_line_read(path, text, sizeof text))
        tac_facts_write_line(s, key, text);
}

/* Of the scheduler: the coarse clock goes forward at each. */
static void write_tick(struct tac_session *s)
{
    struct timespec tick;
    if (!clock_getres(CLOCK_MONOTONIC_COARSE, &tick))
        write_number(s, "tick_ns", tac_timespec_ns(tick));
}

/* A line of /proc/self/cgroup is "number:controllers:/path", of version 2 without controllers. */
static void write_quota(struct tac_session *s)
{
    char line[400], group[440], text[64];
    FILE *file = fopen("/proc/self/cgroup", "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'),
             *path = controllers ? strchr(++controllers, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        const char *root =
            *controllers == 0 ? "/sys/fs/cgroup"
            : !strncmp(controllers, "cpu", 3) && (!controllers[3] || controllers[3] == ',')
                ? "/sys/fs/cgroup/cpu"
                : NULL;
        if (!root)
            continue;
        snprintf(group, sizeof group, "%s%s", root, path);
        found = tac_quota_find(group, strlen(root), text, sizeof text);
    }
    if (file)
        fclose(file);
    if (found)
        tac_facts_write_line(s, "cpu_quota_us", text);
}

static void write_machine(struct tac_session *s)
{
    struct utsname name;
    if (!uname(&name)) {
        char text[sizeof name.release + sizeof name.version + 2];
        snprintf(text, sizeof text, "%s %s", name.release, name.version);
        tac_facts_write_line(s, "kernel", text);
        tac_facts_write_line(s, "machine", name.machine);
    }
    tac_facts_write_line(s, "virtual", is_virtual());
    write_number(s, "cpus", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
    write_file(s, "clocksource",
               "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    write_tick(s);
    write_file(s, "nohz_full", "/sys/devices/system/cpu/nohz_full");
    write_file(s, "perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid");
    write_file(s, "sched_rt_runtime_us", "/proc/sys/kernel/sched_rt_runtime_us");
    write_quota(s);
    write_file(s, "thp", "/sys/kernel/mm/transparent_hugepage/enabled");
}

static const char *counter_name(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return "tsc";
#elif defined(__aarch64__)
    return "cntvct";
#else
    return "monotonic";
#endif
}

void tac_facts_write(struct tac_session *s)
{
    tac_facts_write_line(s, "format", "1");
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    write_number(s, "start_unix_ns", tac_timespec_ns(wall));
    write_number(s, "pid", (uint64_t)getpid());
    write_file(s, "program", "/proc/self/comm");
    tac_facts_write_line(s, "counter", counter_name());
    write_machine(s);
    write_number(s, "drain_ms", s->config.drain_ms);
    write_number(s, "events_per_cycle", s->config.events_per_cycle);
    write_number(s, "flight_s", s->config.flight_s);
    tac_facts_write_line(s, "evidence.clock",
                         s->config.evidence & TAC_EVIDENCE_CLOCK ? "yes" : "not asked for");
    for (const char *const *line = s->config.meta; line && *line; line++) {
        const char *equals = strchr(*line, '=');
        char key[64];
        if (!equals || equals == *line || (size_t)(equals - *line) >= sizeof key)
            continue;
        memcpy(key, *line, (size_t)(equals - *line));
        key[equals - *line] = 0;
        tac_facts_write_line(s, key, equals + 1);
    }
}

static bool has_perf(const struct tac_session *s)
{
    return s->config.evidence & TAC_EVIDENCE_PERF && !s->perf_error;
}

/* How the call stacks of the program were taken. */
static void write_stacks(struct tac_session *s)
{
    char text[96] = "not asked for";
    if (s->perf.stacks && !has_perf(s))
        strcpy(text, "no: they come with the evidence of perf");
    else if (s->perf.stacks && s->stacks_refused)
        strcpy(text, "refused for some threads: kernel.perf_event_mlock_kb or RLIMIT_MEMLOCK");
    else if (s->perf.stacks == TAC_PERF_CHAINS)
        strcpy(text, "by frame pointers, in the kernel");
    else if (s->perf.stacks == TAC_PERF_COPIES)
        snprintf(text, sizeof text,
                 "by call frame information, in the reader, from registers and %u bytes of stack",
                 s->perf.copy_bytes);
    tac_facts_write_line(s, "evidence.stacks", text);
}

/* Where the threads computed. */
static void write_samples(struct tac_session *s)
{
    char text[96] = "not asked for";
    if (s->perf.sample_ns && !has_perf(s))
        strcpy(text, "no: they come with the evidence of perf");
    else if (s->perf.sample_ns && s->samples_refused)
        strcpy(text, "refused for some threads");
    else if (s->perf.sample_ns)
        snprintf(text, sizeof text, "each %u ns of a thread's CPU time", s->perf.sample_ns);
    tac_facts_write_line(s, "evidence.samples", text);
}

void tac_facts_write_perf(struct tac_session *s)
{
    char text[96] = "not asked for";
    if (has_perf(s))
        strcpy(text, "yes");
    else if (s->perf_error)
        snprintf(text, sizeof text, "refused: %s", tac_error_sentence(s->perf_error));
    tac_facts_write_line(s, "evidence.perf", text);
    write_stacks(s);
    write_samples(s);
}

void tac_facts_write_blind(struct tac_session *s)
{
    if (s->config.evidence & TAC_EVIDENCE_CLOCK)
        tac_facts_write_line(s, "evidence.clock.blind",
                             "when in a cycle something happened, and what: it counts");
    if (!has_perf(s))
        return;
    static const char *const stacks[] = {
        [TAC_PERF_NO_STACKS] = "call stacks",
        [TAC_PERF_CHAINS] = "callers of code without frame pointers",
        [TAC_PERF_COPIES] = "callers whose frames lie deeper than the copy of the stack"};
    char text[192];
    snprintf(text, sizeof text,
             "who ran instead, who woke it, interrupts, and all threads that did not register; %s",
             stacks[s->perf.stacks]);
    tac_facts_write_line(s, "evidence.perf.blind", text);
}

void tac_facts_write_untold(struct tac_session *s)
{
    if (s->lost_kernel_untold)
        write_number(s, "evidence.perf.lost", s->lost_kernel_untold);
    if (s->lost_stacks)
        write_number(s, "evidence.stacks.lost", s->lost_stacks);
}
