/* SPDX-License-Identifier: MIT
 * setup_check.c - see setup_check.h. Each check reads one fact; what cannot be read is said so and
 * counts as neither. */
#include "cli/setup_check.h"

#include "capture/tracefs.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

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

static struct tac_setup_finding check_class(void)
{
    static const char *const name[] = {"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR",      "SCHED_BATCH",
                                       "class 4",     "SCHED_IDLE", "SCHED_DEADLINE"};
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN,
                                  "scheduling class of what is started here: cannot be read", ""};
    int policy = sched_getscheduler(0), nice = getpriority(PRIO_PROCESS, 0);
    if (policy < 0)
        return r;
    policy &= ~SCHED_RESET_ON_FORK;
    bool odd = policy == SCHED_BATCH || policy == SCHED_IDLE || (policy == SCHED_OTHER && nice > 0);
    r.verdict = odd ? TAC_SETUP_BAD : TAC_SETUP_GOOD;
    snprintf(r.fact, sizeof r.fact, "scheduling class of what is started here: %s, nice %d",
             policy < 7 ? name[policy] : "?", nice);
    return r;
}

static struct tac_setup_finding check_priority(void)
{
    struct tac_setup_finding r = {TAC_SETUP_GOOD, "", ""};
    struct rlimit limit;
    getrlimit(RLIMIT_RTPRIO, &limit);
    if (geteuid() == 0) {
        snprintf(r.fact, sizeof r.fact, "real-time priority: permitted (root)");
    } else {
        snprintf(r.fact, sizeof r.fact, "real-time priority: at most %llu",
                 (unsigned long long)limit.rlim_cur);
        r.verdict = limit.rlim_cur >= 70 ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
    }
    return r;
}

static struct tac_setup_finding check_memlock(void)
{
    struct tac_setup_finding r = {TAC_SETUP_GOOD, "", ""};
    struct rlimit limit;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || geteuid() == 0) {
        snprintf(r.fact, sizeof r.fact, "locking of memory: without limit");
    } else {
        snprintf(r.fact, sizeof r.fact, "locking of memory: at most %llu KiB",
                 (unsigned long long)limit.rlim_cur / 1024);
        r.verdict = limit.rlim_cur >= (rlim_t)512 << 20 ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
    }
    return r;
}

static struct tac_setup_finding check_rt_runtime(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "real-time budget: cannot be read", ""};
    char line[64];
    if (!read_line("/proc/sys/kernel/sched_rt_runtime_us", line, sizeof line))
        return r;
    long us = strtol(line, NULL, 10);
    r.verdict = us < 0 || us >= 900000 ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
    snprintf(r.fact, sizeof r.fact, "real-time budget: %s us of each second", line);
    return r;
}

/* Whether "cpu" is one of the controllers, "name=systemd" or "cpu,cpuacct". */
static bool has_cpu(const char *controllers)
{
    for (size_t n; *controllers; controllers += n + (controllers[n] == ',')) {
        n = strcspn(controllers, ",");
        if (n == 3 && !memcmp(controllers, "cpu", 3))
            return true;
    }
    return false;
}

/* The cgroup that we run in, where real-time budgets are given by group. */
static struct tac_setup_finding check_rt_group(void)
{
    struct tac_setup_finding r = {
        TAC_SETUP_GOOD, "real-time budget of the cgroup: this kernel has none by group", ""};
    char line[256], path[300], budget[64];
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'),
             *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        if (!has_cpu(controllers + 1))
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.rt_runtime_us", group);
        if (!read_line(path, budget, sizeof budget))
            continue;
        r.verdict = strtol(budget, NULL, 10) == 0 ? TAC_SETUP_BAD : TAC_SETUP_GOOD;
        snprintf(r.fact, sizeof r.fact, "real-time budget of the cgroup: %s us a period", budget);
        snprintf(r.mend, sizeof r.mend, "echo 500000 | sudo tee '%.260s'", path);
    }
    if (file)
        fclose(file);
    return r;
}

static bool has_sound_card(void)
{
    char line[128];
    return read_line("/proc/asound/cards", line, sizeof line) && !strstr(line, "no soundcards");
}

static struct tac_setup_finding check_irq_threads(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "interrupt threads: cannot be read", ""};
    char line[512];
    struct utsname name;
    bool rt = uname(&name) == 0 && strstr(name.version, "PREEMPT_RT");
    if (!read_line("/proc/cmdline", line, sizeof line))
        return r;
    bool threads = rt || strstr(line, "threadirqs");
    r.verdict = threads ? TAC_SETUP_GOOD : has_sound_card() ? TAC_SETUP_BAD : TAC_SETUP_UNKNOWN;
    snprintf(r.fact, sizeof r.fact, "interrupt handlers: %s",
             threads ? "in threads, which have priorities"
             : r.verdict == TAC_SETUP_BAD
                 ? "not in threads, so the sound card's has no priority"
                 : "not in threads; there is no sound card that would want it");
    return r;
}

static struct tac_setup_finding check_huge_pages(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "huge pages: cannot be read", ""};
    char line[64];
    if (!read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line))
        return r;
    r.verdict = strstr(line, "[always]") ? TAC_SETUP_BAD : TAC_SETUP_GOOD;
    snprintf(r.fact, sizeof r.fact, "transparent huge pages: %s", line);
    return r;
}

static bool is_steady(const char *governor)
{
    return !strcmp(governor, "performance") || !strcmp(governor, "schedutil");
}

/* Of all CPUs: one that sleeps is enough to be late on. */
static struct tac_setup_finding check_governor(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "frequency governor: this machine shows none",
                                  ""};
    char path[96], line[64], odd[64] = "", usual[64] = "";
    long cpus = sysconf(_SC_NPROCESSORS_CONF), seen = 0, bad = 0;
    for (long cpu = 0; cpu < cpus; cpu++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/cpufreq/scaling_governor", cpu);
        if (!read_line(path, line, sizeof line))
            continue;
        seen++;
        bad += !is_steady(line);
        snprintf(is_steady(line) ? usual : odd, sizeof odd, "%s", line);
    }
    if (!seen)
        return r;
    r.verdict = bad ? TAC_SETUP_BAD : TAC_SETUP_GOOD;
    if (bad)
        snprintf(r.fact, sizeof r.fact, "frequency governor: %s on %ld of %ld CPUs", odd, bad,
                 seen);
    else
        snprintf(r.fact, sizeof r.fact, "frequency governor: %s", usual);
    return r;
}

/* What the kernel says of its preemption: debugfs, mounted for us alone where it is not. */
static bool read_preempt(char *line, size_t size)
{
    if (read_line("/sys/kernel/debug/sched/preempt", line, size))
        return true;
    int dir = tac_tracefs_mount("debugfs");
    if (dir < 0)
        return false;
    bool ok = tac_tracefs_read(dir, "sched/preempt", line, size) > 0;
    close(dir);
    line[strcspn(line, "\n")] = 0;
    return ok;
}

static struct tac_setup_finding check_preemption(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "kernel preemption: cannot be read", ""};
    char line[512] = "";
    struct utsname name;
    bool known = uname(&name) == 0, dynamic = known && strstr(name.version, "PREEMPT_DYNAMIC");
    if (known && strstr(name.version, "PREEMPT_RT")) {
        snprintf(r.fact, sizeof r.fact, "kernel preemption: real-time (PREEMPT_RT)");
        r.verdict = TAC_SETUP_GOOD;
    } else if (read_preempt(line, sizeof line)) {
        r.verdict =
            strstr(line, "(full)") || strstr(line, "(lazy)") ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
        snprintf(r.fact, sizeof r.fact, "kernel preemption: %.100s", line);
        snprintf(r.mend, sizeof r.mend,
                 "sudo mount -t debugfs none /sys/kernel/debug; echo full | "
                 "sudo tee /sys/kernel/debug/sched/preempt");
    } else if (dynamic && read_line("/proc/cmdline", line, sizeof line) &&
               strstr(line, "preempt=")) {
        const char *word = strstr(line, "preempt=") + 8;
        r.verdict =
            !strncmp(word, "full", 4) || !strncmp(word, "lazy", 4) ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
        snprintf(r.fact, sizeof r.fact, "kernel preemption: %.*s (command line)",
                 (int)strcspn(word, " "), word);
    } else if (dynamic) {
        snprintf(r.fact, sizeof r.fact, "kernel preemption: can be switched; %s",
                 geteuid() ? "sudo tactus doctor --setup may tell to what"
                           : "to what it is set cannot be read here");
    } else if (known) {
        r.verdict = strstr(name.version, " PREEMPT ") ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
        snprintf(r.fact, sizeof r.fact, "kernel preemption: %s, built in",
                 r.verdict == TAC_SETUP_GOOD ? "full" : "none or voluntary");
        snprintf(r.mend, sizeof r.mend,
                 "sudo apt install linux-image-rt-%s (a kernel with "
                 "PREEMPT_RT or PREEMPT_DYNAMIC); start the machine again",
                 sizeof(void *) == 4                    ? "armmp"
                 : strcmp(name.machine, "aarch64") == 0 ? "arm64"
                                                        : "amd64");
    }
    return r;
}

static struct tac_setup_finding check_clock(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "clock source: cannot be read", ""};
    char line[64];
    if (!read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", line,
                   sizeof line))
        return r;
    r.verdict = !strcmp(line, "hpet") || !strcmp(line, "acpi_pm") || !strcmp(line, "jiffies")
                    ? TAC_SETUP_BAD
                    : TAC_SETUP_GOOD;
    snprintf(r.fact, sizeof r.fact, "clock source: %s", line);
    return r;
}

static struct tac_setup_finding check_swap(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "swap: cannot be read", ""};
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
    r.verdict = lines <= 1 || strtol(swappiness, NULL, 10) <= 10 ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
    snprintf(r.fact, sizeof r.fact, "swap: %s, swappiness %s", lines > 1 ? "in use" : "none",
             swappiness);
    return r;
}

static struct tac_setup_finding check_perf(void)
{
    struct tac_setup_finding r = {TAC_SETUP_UNKNOWN, "kernel evidence: perf is not there", ""};
    char line[32];
    if (!read_line("/proc/sys/kernel/perf_event_paranoid", line, sizeof line))
        return r;
    r.verdict = geteuid() == 0 || strtol(line, NULL, 10) <= 2 ? TAC_SETUP_GOOD : TAC_SETUP_BAD;
    snprintf(r.fact, sizeof r.fact, "kernel evidence for the doctor: perf_event_paranoid %s", line);
    return r;
}

#define AT_BOOT(word)                                                                              \
    "sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&" word                                                 \
    " /' /etc/default/grub && sudo update-grub; start the machine again"

static const struct {
    struct tac_setup_finding (*check)(void);
    const char *mend;
} checks[] = {
    {check_class, "sudo chrt -o -p 0 $$; sudo renice -n 0 -p $$"},
    {check_priority, "echo '@audio - rtprio 95' | sudo tee -a /etc/security/limits.d/audio.conf; "
                     "sudo usermod -aG audio $USER; log in again"},
    {check_memlock,
     "echo '@audio - memlock unlimited' | sudo tee -a "
     "/etc/security/limits.d/audio.conf; sudo usermod -aG audio $USER; log in again"},
    {check_rt_runtime, "sudo sysctl kernel.sched_rt_runtime_us=950000"},
    {check_rt_group, NULL},
    {check_huge_pages, "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"},
    {check_governor, "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/"
                     "scaling_governor"},
    {check_preemption, AT_BOOT("preempt=full")},
    {check_irq_threads, AT_BOOT("threadirqs")},
    {check_clock, "echo tsc | sudo tee "
                  "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
    {check_swap, "sudo sysctl vm.swappiness=10"},
    {check_perf, "sudo sysctl kernel.perf_event_paranoid=2"},
};

static_assert(sizeof checks / sizeof *checks == TAC_SETUP_CHECKS, "a finding for each");

void tac_setup_check(struct tac_setup *ret_setup)
{
    ret_setup->faults = 0;
    for (size_t i = 0; i < TAC_SETUP_CHECKS; i++) {
        struct tac_setup_finding *f = &ret_setup->finding[i];
        *f = checks[i].check();
        if (f->verdict != TAC_SETUP_BAD)
            f->mend[0] = 0;
        else if (!f->mend[0])
            snprintf(f->mend, sizeof f->mend, "%s", checks[i].mend);
        ret_setup->faults += f->verdict == TAC_SETUP_BAD;
    }
}

void tac_setup_text(const struct tac_setup *setup, bool faults_only, struct tac_text *text)
{
    static const char *const mark[] = {"good", "mend", "    "};
    for (size_t i = 0; i < TAC_SETUP_CHECKS; i++) {
        const struct tac_setup_finding *f = &setup->finding[i];
        if (faults_only && f->verdict != TAC_SETUP_BAD)
            continue;
        tac_text_addf(text, "%s  %s\n", mark[f->verdict], f->fact);
        if (f->verdict == TAC_SETUP_BAD)
            tac_text_addf(text, "      do: %s\n", f->mend);
    }
}

void tac_setup_json(const struct tac_setup *setup, struct tac_text *text)
{
    static const char *const state[] = {"good", "mend", "unknown"};
    for (size_t i = 0; i < TAC_SETUP_CHECKS; i++) {
        const struct tac_setup_finding *f = &setup->finding[i];
        tac_text_addf(text, "%s{\"state\":\"%s\",\"fact\":", i ? "," : "[", state[f->verdict]);
        tac_text_add_json(text, f->fact);
        tac_text_add(text, ",\"do\":");
        tac_text_add_json(text, f->mend);
        tac_text_add(text, "}");
    }
    tac_text_add(text, "]");
}
