/* SPDX-License-Identifier: MIT
 * injector.c - a program with a deadline into which faults of known kind are put at known cycles.
 *
 * usage: injector [options] FAULT[,FAULT...] RECORDING TRUTH
 *   --cycles N      1600     --period US   2000
 *   --every N       16       a struck cycle in so many
 *   --amount PCT    125      how long a strike lasts, in percent of the period
 *   --seed N        0        not 0: struck cycles, faults and amounts are drawn
 *   --work PCT      10       the cycle's usual work, in percent of the period
 *   --priority N    60       of the cycles; 0: normal
 *   --both          strike with two faults in each struck cycle, the first for 70 %
 *   --kernel        record the whole system too (needs privilege)   --no-perf
 *
 * A thread (SCHED_FIFO where permitted, with RLIMIT_RTTIME as a guard, on the last CPU) runs the
 * cycles. TRUTH gets one line a cycle from the program's own clocks: number begin_ns deadline_ns
 * end_ns, then FAULT:wall_ns:own_ns for each strike, or -. The truth knows nothing of the
 * recording; corpus.py compares the two. The heap, locks and calls are recorded through the public
 * functions of trace.h, as a program that is built with it would. */
#include "injector.h"

#include "capture/kernel.h"
#include "tactus/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CYCLES_MAX = 200000, FAULTS_MAX = 12, OUTSIDE_MAX = 20000, LEAD_PERIODS = 60 };

struct piece {
    const struct fault *fault;
    uint64_t wall_ns, own_ns; /* how long it lasted; how much of that it did itself */
};

struct truth {
    uint64_t begin_ns, deadline_ns, end_ns;
    struct piece piece[FAULTS_MAX];
    unsigned pieces;
};

struct outside {
    atomic_uint count;
    struct {
        char name[16];
        uint64_t from_ns, to_ns;
    } at[OUTSIDE_MAX];
};

static struct plan {
    const struct fault *fault[FAULTS_MAX];
    unsigned faults, cycles, every, amount, work, priority;
    unsigned long seed;
    int both, kernel, no_perf, source;
    uint64_t start_ns;
} plan = {.cycles = 1600, .every = 16, .amount = 125, .work = 10, .priority = 60};

static struct truth *truths;
static struct outside *outside; /* shared with children */
uint64_t period_ns = 2000000;
atomic_int running = 1;
atomic_uint tick;
static atomic_int audio_ready;

/* ---- the plan: the same for everybody who asks ---- */

static uint64_t draw(unsigned number, unsigned what)
{
    uint64_t x = plan.seed * 0x9e3779b97f4a7c15u + number * 0xbf58476d1ce4e5b9u + what;
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

int is_struck(unsigned number)
{
    if (number < plan.every || number >= plan.cycles)
        return 0;
    if (!plan.seed)
        return number % plan.every == 0;
    /* one in each block of `every`, and never in its last quarter, so that chains can end */
    return number % plan.every == draw(number / plan.every, 1) % (plan.every * 3 / 4);
}

uint64_t strike_ns(unsigned number)
{
    uint64_t percent =
        plan.seed ? plan.amount / 2 + draw(number, 2) % (plan.amount * 3 / 2) : plan.amount;
    return period_ns * percent / 100;
}

uint64_t release_of(unsigned number)
{
    return plan.start_ns + number * period_ns;
}

void injector_outside(const char *fault, uint64_t from_ns, uint64_t to_ns)
{
    unsigned i = atomic_fetch_add(&outside->count, 1);
    if (i < OUTSIDE_MAX) {
        snprintf(outside->at[i].name, sizeof outside->at[i].name, "%s", fault);
        outside->at[i].from_ns = from_ns;
        outside->at[i].to_ns = to_ns;
    }
}

void injector_done(uint64_t planned_ns)
{
    enum { SLACK_NS = 100000 };
    uint64_t at = now();
    if (at > planned_ns + SLACK_NS)
        injector_outside("machine", planned_ns, at);
}

static const struct fault *fault_of(const char *name);

static struct piece part; /* of the strike that runs */

void injector_part(const char *fault, uint64_t ns)
{
    part = (struct piece){fault_of(fault), ns, ns};
}

/* ---- the cycles ---- */

static void strike_one(struct truth *t, const struct fault *fault, uint64_t want_ns)
{
    uint64_t wall = now(), cpu = cpu_now();
    part = (struct piece){NULL, 0, 0};
    fault->strike(want_ns);
    cpu = cpu_now() - cpu;
    wall = now() - wall;
    uint64_t own = fault->flags & FAULT_CPU                        ? cpu
                   : fault->flags & FAULT_WANTED && want_ns < wall ? want_ns
                                                                   : wall;
    own = own > part.own_ns ? own - part.own_ns : 0;
    t->piece[t->pieces++] = (struct piece){fault, wall, own};
    if (part.fault && t->pieces < FAULTS_MAX)
        t->piece[t->pieces++] = part;
}

static void strike(struct truth *t, unsigned number)
{
    uint64_t want = strike_ns(number);
    const struct fault *drawn = plan.fault[plan.seed ? draw(number, 3) % plan.faults : 0];
    for (unsigned i = 0; i < plan.faults; i++)
        if ((plan.both || plan.fault[i] == drawn) && plan.fault[i]->strike)
            strike_one(t, plan.fault[i], plan.both ? want * (i == 0 ? 7 : 3) / 10 : want);
}

static void run_cycle(unsigned number)
{
    struct truth *t = &truths[number];
    uint64_t release = release_of(number);
    t->deadline_ns = release + period_ns;
    tac_cycle_begin(plan.source, t->deadline_ns, 96);
    t->begin_ns = now();
    {
        TAC_ZONE("work");
        spin(period_ns * plan.work / 100);
    }
    if (is_struck(number))
        strike(t, number);
    t->end_ns = now();
    tac_cycle_end(plan.source);
}

static void *run_cycles(void *unused)
{
    unsigned flags = plan.fault[0]->flags;
    pin(1);
    if (plan.priority && !(flags & FAULT_NORMAL))
        fifo((int)plan.priority);
    if (tac_thread_register("audio", flags & FAULT_SMALL_RING ? 1 << 11 : 1 << 19))
        abort();
    atomic_store(&audio_ready, 1);
    for (unsigned i = 0; i < plan.cycles; i++) {
        atomic_store(&tick, i);
        if (flags & FAULT_WOKEN)
            while (sem_wait(&injector_wake))
                ;
        else
            wait_until(release_of(i));
        run_cycle(i);
    }
    atomic_store(&running, 0);
    return unused;
}

static void *run_helper(void *argument)
{
    const struct fault *fault = argument;
    pin(fault->flags & FAULT_SAME_CPU ? 1 : 0);
    if (tac_thread_register("helper", 1 << 16))
        abort();
    while (atomic_load(&running))
        fault->help();
    return NULL;
}

/* ---- truth ---- */

/* How much of the time from release to end the helpers' strikes of this name cover. Those of one
 * name do not overlap. */
static uint64_t overlap(const struct truth *t, const char *name)
{
    uint64_t sum = 0, release = t->deadline_ns - period_ns;
    unsigned count = atomic_load(&outside->count);
    for (unsigned i = 0; i < count && i < OUTSIDE_MAX; i++) {
        uint64_t from = outside->at[i].from_ns > release ? outside->at[i].from_ns : release;
        uint64_t to = outside->at[i].to_ns < t->end_ns ? outside->at[i].to_ns : t->end_ns;
        if (!strcmp(outside->at[i].name, name))
            sum += to > from ? to - from : 0;
    }
    return sum;
}

static int write_outside(FILE *out, const struct truth *t)
{
    static const char *const other[] = {"machine", "fork"};
    int written = 0;
    for (unsigned k = 0; k < plan.faults + 2; k++) {
        const char *name = k < plan.faults ? plan.fault[k]->name : other[k - plan.faults];
        uint64_t ns = overlap(t, name);
        bool twice = k >= plan.faults && !strcmp(plan.fault[0]->name, name);
        if (ns && !twice)
            written += fprintf(out, " %s:%llu:%llu", name, (unsigned long long)ns,
                               (unsigned long long)ns) > 0;
    }
    return written;
}

static int write_truth(const char *path)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return -1;
    for (unsigned i = 0; i < plan.cycles; i++) {
        const struct truth *t = &truths[i];
        fprintf(out, "%u %llu %llu %llu", i, (unsigned long long)t->begin_ns,
                (unsigned long long)t->deadline_ns, (unsigned long long)t->end_ns);
        for (unsigned k = 0; k < t->pieces; k++)
            fprintf(out, " %s:%llu:%llu", t->piece[k].fault->name,
                    (unsigned long long)t->piece[k].wall_ns,
                    (unsigned long long)t->piece[k].own_ns);
        int written = write_outside(out, t);
        fputs(written || t->pieces ? "\n" : " -\n", out);
    }
    return fclose(out);
}

/* ---- one session ---- */

static int run_threads(void)
{
    pthread_t audio, helper[FAULTS_MAX];
    int helped[FAULTS_MAX] = {0};
    plan.start_ns = now() + LEAD_PERIODS * period_ns;
    if (pthread_create(&audio, NULL, run_cycles, NULL))
        return -1;
    while (!atomic_load(&audio_ready))
        sleep_ns(1000000);
    for (unsigned i = 0; i < plan.faults; i++)
        helped[i] = plan.fault[i]->help &&
                    !pthread_create(&helper[i], NULL, run_helper, (void *)(uintptr_t)plan.fault[i]);
    pthread_join(audio, NULL);
    for (unsigned i = 0; i < plan.faults; i++)
        if (helped[i])
            pthread_join(helper[i], NULL);
    return 0;
}

/* The kernel's events are recorded by a process of its own, which began before anything else: the
 * program itself has no forks but those that its faults make. */
struct recorder {
    pid_t pid;
    int go, ready; /* pipes: a byte says start, another stop; and that it has */
};

static void run_recorder(const char *recording, int go, int ready)
{
    struct tac_kernel *kernel = NULL;
    struct tac_kernel_config config = {.path = recording, .buffer_kb = 8192};
    struct tac_error err = {0};
    char byte;
    int failed = read(go, &byte, 1) != 1 || tac_kernel_start(&config, &err, &kernel);
    if (failed)
        fprintf(stderr, "injector: %s\n", err.text);
    if (write(ready, "x", 1) != 1 || failed)
        _exit(1);
    failed = read(go, &byte, 1) < 0;
    _exit(tac_kernel_stop(kernel, NULL) < 0 || failed);
}

static int start_recorder(struct recorder *r, const char *recording)
{
    int go[2], ready[2];
    if (pipe2(go, O_CLOEXEC) || pipe2(ready, O_CLOEXEC))
        return -1;
    r->pid = fork();
    if (r->pid == 0) {
        close(go[1]); /* its end is the end of the recorder */
        run_recorder(recording, go[0], ready[1]);
    }
    close(go[0]);
    close(ready[1]);
    r->go = go[1];
    r->ready = ready[0];
    return r->pid < 0 ? -1 : 0;
}

static int tell_recorder(const struct recorder *r, int stop)
{
    char byte;
    int status;
    if (write(r->go, "x", 1) != 1)
        return -1;
    if (stop)
        return waitpid(r->pid, &status, 0) == r->pid && status == 0 ? 0 : -1;
    return read(r->ready, &byte, 1) == 1 ? 0 : -1;
}

static int record(const char *recording, const struct recorder *recorder)
{
    const char *meta[] = {"program=injector", NULL};
    struct tac_trace_config config = {.path = recording,
                                      .evidence = TAC_EVIDENCE_CLOCK |
                                                  (plan.no_perf ? 0 : TAC_EVIDENCE_PERF),
                                      .meta = meta};
    if (tac_trace_start(&config))
        return -1;
    if (plan.kernel && tell_recorder(recorder, 0))
        return -1;
    int r = run_threads();
    int stopped = plan.kernel ? tell_recorder(recorder, 1) : 0;
    return tac_trace_stop() < 0 || r < 0 || stopped < 0 ? -1 : 0;
}

static const struct fault *fault_of(const char *name)
{
    static const struct fault *const lists[] = {faults_compute, faults_memory, faults_locks,
                                                faults_calls,   faults_sched,  faults_unseen,
                                                faults_fresh};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct fault *f = lists[i]; f->name; f++)
            if (!strcmp(f->name, name))
                return f;
    return NULL;
}

static void none(uint64_t want_ns)
{
    (void)want_ns;
}

static int take_faults(char *words)
{
    static const struct fault nothing = {.name = "none", .strike = none};
    for (char *word = strtok(words, ","); word; word = strtok(NULL, ",")) {
        const struct fault *f = strcmp(word, "none") ? fault_of(word) : &nothing;
        if (!f || plan.faults == FAULTS_MAX)
            return -1;
        plan.fault[plan.faults++] = f;
    }
    return plan.faults ? 0 : -1;
}

static int take_options(int argc, char **argv)
{
    static const struct option options[] = {{"cycles", 1, NULL, 'c'},
                                            {"period", 1, NULL, 'p'},
                                            {"every", 1, NULL, 'e'},
                                            {"amount", 1, NULL, 'a'},
                                            {"seed", 1, NULL, 's'},
                                            {"work", 1, NULL, 'w'},
                                            {"priority", 1, NULL, 'r'},
                                            {"both", 0, NULL, 'b'},
                                            {"kernel", 0, NULL, 'k'},
                                            {"no-perf", 0, NULL, 'n'},
                                            {0}};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long value = optarg ? strtoul(optarg, NULL, 10) : 0;
        unsigned *place = o == 'c'   ? &plan.cycles
                          : o == 'e' ? &plan.every
                          : o == 'a' ? &plan.amount
                          : o == 'w' ? &plan.work
                          : o == 'r' ? &plan.priority
                                     : NULL;
        if (place)
            *place = (unsigned)value;
        else if (o == 'p')
            period_ns = value * 1000;
        else if (o == 's')
            plan.seed = value;
        else if (o == 'b')
            plan.both = 1;
        else if (o == 'k')
            plan.kernel = 1;
        else if (o == 'n')
            plan.no_perf = 1;
        else
            return -1;
    }
    return optind + 3 == argc && plan.cycles && plan.cycles <= CYCLES_MAX && plan.every >= 4 &&
                   plan.amount > 1 && period_ns
               ? take_faults(argv[optind])
               : -1;
}

int main(int argc, char **argv)
{
    if (take_options(argc, argv)) {
        fprintf(stderr, "usage: injector [options] FAULT[,FAULT...] RECORDING TRUTH\n");
        return 2;
    }
    truths = calloc(plan.cycles, sizeof *truths);
    outside =
        mmap(NULL, sizeof *outside, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!truths || outside == MAP_FAILED)
        return 3;
    struct recorder recorder = {0};
    if (plan.kernel && start_recorder(&recorder, argv[optind + 1]))
        return 3;
    struct rlimit limit = {4000000, 4000000}; /* a spinning real-time thread ends after 4 s */
    setrlimit(RLIMIT_RTTIME, &limit);
    mlockall(MCL_CURRENT);
    for (unsigned i = 0; i < plan.faults; i++)
        if (plan.fault[i]->prepare)
            plan.fault[i]->prepare();
    plan.source = tac_cycle_source_open("audio", period_ns);
    if (plan.source < 0 || record(argv[optind + 1], &recorder) < 0 ||
        write_truth(argv[optind + 2])) {
        fprintf(stderr, "injector: %s\n", strerror(errno));
        return 3;
    }
    return 0;
}
