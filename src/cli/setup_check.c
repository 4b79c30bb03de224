/* SPDX-License-Identifier: MIT
 * setup_check.c - see setup_check.h. Each check reads one fact; what cannot be read is said so and
 * counts as neither. */
#include "cli/setup_check.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum verdict { GOOD, BAD, UNKNOWN };

struct result {
    enum verdict verdict;
    char fact[160];
};

/* First line of a file; false when it cannot be read. */
static bool read_line(const char *path, char *buffer, size_t size)
{
    FILE *file = fopen(path, "re");
    bool ok = file && fgets(buffer, (int)size, file);
    if (file)
        fclose(file);
    if (ok)
        buffer[strcspn(buffer, "\n")] = 0;
    return ok;
}

static struct result check_priority(void)
{
    struct result r = {GOOD, ""};
    struct rlimit limit;
    getrlimit(RLIMIT_RTPRIO, &limit);
    if (geteuid() == 0) {
        snprintf(r.fact, sizeof r.fact, "real-time priority: permitted (root)");
    } else {
        snprintf(r.fact, sizeof r.fact, "real-time priority: at most %llu",
                 (unsigned long long)limit.rlim_cur);
        r.verdict = limit.rlim_cur >= 70 ? GOOD : BAD;
    }
    return r;
}

static struct result check_memlock(void)
{
    struct result r = {GOOD, ""};
    struct rlimit limit;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || geteuid() == 0) {
        snprintf(r.fact, sizeof r.fact, "locking of memory: without limit");
    } else {
        snprintf(r.fact, sizeof r.fact, "locking of memory: at most %llu KiB",
                 (unsigned long long)limit.rlim_cur / 1024);
        r.verdict = limit.rlim_cur >= (rlim_t)512 << 20 ? GOOD : BAD;
    }
    return r;
}

static struct result check_rt_runtime(void)
{
    struct result r = {UNKNOWN, "real-time budget: cannot be read"};
    char line[64];
    if (!read_line("/proc/sys/kernel/sched_rt_runtime_us", line, sizeof line))
        return r;
    long us = strtol(line, NULL, 10);
    r.verdict = us < 0 || us >= 900000 ? GOOD : BAD;
    snprintf(r.fact, sizeof r.fact, "real-time budget: %s us of each second", line);
    return r;
}

/* The cgroup that we run in, where real-time budgets are given by group. */
static struct result check_rt_group(void)
{
    struct result r = {GOOD, "real-time budget of the cgroup: this kernel has none by group"};
    char line[256], path[400], budget[64];
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'),
             *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        if (!strstr(controllers, ":cpu") || strstr(controllers, ":cpuset"))
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.rt_runtime_us", group);
        if (!read_line(path, budget, sizeof budget))
            continue;
        r.verdict = strtol(budget, NULL, 10) == 0 ? BAD : GOOD;
        snprintf(r.fact, sizeof r.fact, "real-time budget of the cgroup: %s us a period", budget);
    }
    if (file)
        fclose(file);
    return r;
}

static struct result check_irq_threads(void)
{
    struct result r = {UNKNOWN, "interrupt threads: cannot be read"};
    char line[512];
    struct utsname name;
    bool rt = uname(&name) == 0 && strstr(name.version, "PREEMPT_RT");
    if (!read_line("/proc/cmdline", line, sizeof line))
        return r;
    bool threads = rt || strstr(line, "threadirqs");
    r.verdict =
        threads ? GOOD : UNKNOWN; /* a matter of taste where the sound card is the only one */
    snprintf(r.fact, sizeof r.fact, "interrupt handlers: %s",
             threads ? "in threads, which have priorities"
                     : "not in threads; boot with threadirqs to give them priorities");
    return r;
}

static struct result check_huge_pages(void)
{
    struct result r = {UNKNOWN, "huge pages: cannot be read"};
    char line[64];
    if (!read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line))
        return r;
    r.verdict = strstr(line, "[always]") ? BAD : GOOD;
    snprintf(r.fact, sizeof r.fact, "transparent huge pages: %s", line);
    return r;
}

static struct result check_governor(void)
{
    struct result r = {UNKNOWN, "frequency governor: this machine shows none"};
    char line[64];
    if (!read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", line, sizeof line))
        return r;
    r.verdict = !strcmp(line, "performance") || !strcmp(line, "schedutil") ? GOOD : BAD;
    snprintf(r.fact, sizeof r.fact, "frequency governor: %s", line);
    return r;
}

static struct result check_preemption(void)
{
    struct result r = {UNKNOWN, "kernel preemption: cannot be read here (debugfs)"};
    char line[96];
    struct utsname name;
    if (uname(&name) == 0 && strstr(name.version, "PREEMPT_RT")) {
        snprintf(r.fact, sizeof r.fact, "kernel preemption: real-time (PREEMPT_RT)");
        r.verdict = GOOD;
    } else if (read_line("/sys/kernel/debug/sched/preempt", line, sizeof line)) {
        r.verdict = strstr(line, "(full)") || strstr(line, "(lazy)") ? GOOD : BAD;
        snprintf(r.fact, sizeof r.fact, "kernel preemption: %s", line);
    } else if (read_line("/proc/cmdline", line, sizeof line) && strstr(line, "preempt=none")) {
        r.verdict = BAD;
        snprintf(r.fact, sizeof r.fact, "kernel preemption: none (command line)");
    }
    return r;
}

static struct result check_clock(void)
{
    struct result r = {UNKNOWN, "clock source: cannot be read"};
    char line[64];
    if (!read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", line,
                   sizeof line))
        return r;
    r.verdict =
        !strcmp(line, "hpet") || !strcmp(line, "acpi_pm") || !strcmp(line, "jiffies") ? BAD : GOOD;
    snprintf(r.fact, sizeof r.fact, "clock source: %s", line);
    return r;
}

static struct result check_swap(void)
{
    struct result r = {UNKNOWN, "swap: cannot be read"};
    char line[128];
    FILE *file = fopen("/proc/swaps", "re");
    if (!file)
        return r;
    int lines = 0;
    while (fgets(line, sizeof line, file))
        lines++;
    fclose(file);
    char swappiness[32] = "?";
    (void)read_line("/proc/sys/vm/swappiness", swappiness, sizeof swappiness);
    r.verdict = lines <= 1 || strtol(swappiness, NULL, 10) <= 10 ? GOOD : BAD;
    snprintf(r.fact, sizeof r.fact, "swap: %s, swappiness %s", lines > 1 ? "in use" : "none",
             swappiness);
    return r;
}

static struct result check_perf(void)
{
    struct result r = {UNKNOWN, "kernel evidence: perf is not there"};
    char line[32];
    if (!read_line("/proc/sys/kernel/perf_event_paranoid", line, sizeof line))
        return r;
    r.verdict = geteuid() == 0 || strtol(line, NULL, 10) <= 2 ? GOOD : BAD;
    snprintf(r.fact, sizeof r.fact, "kernel evidence for the doctor: perf_event_paranoid %s", line);
    return r;
}

static const struct {
    struct result (*check)(void);
    const char *mend;
} checks[] = {
    {check_priority, "echo '@audio - rtprio 95' | sudo tee -a /etc/security/limits.d/audio.conf; "
                     "sudo usermod -aG audio $USER; log in again"},
    {check_memlock, "echo '@audio - memlock unlimited' | sudo tee -a "
                    "/etc/security/limits.d/audio.conf; log in again"},
    {check_rt_runtime, "sudo sysctl kernel.sched_rt_runtime_us=950000"},
    {check_rt_group, "echo 950000 | sudo tee /sys/fs/cgroup/cpu/$(grep -oP 'cpu[^:]*:\\K.*' "
                     "/proc/self/cgroup | head -1)/cpu.rt_runtime_us"},
    {check_huge_pages, "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"},
    {check_governor, "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/"
                     "scaling_governor"},
    {check_preemption, "boot with preempt=full, or use a PREEMPT_RT kernel"},
    {check_irq_threads, "boot with threadirqs"},
    {check_clock, "echo tsc | sudo tee "
                  "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
    {check_swap, "sudo sysctl vm.swappiness=10"},
    {check_perf, "sudo sysctl kernel.perf_event_paranoid=2"},
};

int tac_setup_check(bool faults_only, struct tac_text *text)
{
    static const char *const mark[] = {"good", "mend", "    "};
    int faults = 0;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct result r = checks[i].check();
        if (faults_only && r.verdict != BAD)
            continue;
        tac_text_addf(text, "%s  %s\n", mark[r.verdict], r.fact);
        if (r.verdict == BAD) {
            faults++;
            tac_text_addf(text, "      do: %s\n", checks[i].mend);
        }
    }
    return faults;
}
