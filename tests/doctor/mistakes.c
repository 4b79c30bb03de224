/* SPDX-License-Identifier: MIT
 * mistakes.c - small programs with a deadline, each with one mistake that is made in the field; for
 * tests that the doctor names it and the place.
 *
 * usage: mistakes MISTAKE [PLUGIN]
 *
 * meter: each eighth cycle reads files of /proc line by line, for a meter of the load.
 *
 * tree: now and then a recursion goes deeper into the stack than any before.
 *
 * player: each eighth cycle waits on a condition variable for a thread that writes its log first.
 *
 * tables: each cycle takes a read-write lock, which another thread holds for long to write.
 *
 * control: a second source of cycles with higher priority on the same CPU takes long now and then.
 *
 * host: each fourth cycle looks up a symbol while another thread opens and closes PLUGIN, whose
 * constructor takes its time under the loader's lock.
 *
 * collector: now and then another thread stops the world by a signal, whose handler waits for the
 * next one, while it collects garbage.
 *
 * tracker: each eighth cycle waits for a message of a thread that is busy.
 */
#include "tactus/cycle.h"
#include "tactus/trace.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000000, PERIOD_NS = 2 * MS, CYCLES = 240, EVERY = 8, LONG_NS = 5 * MS };

struct mistake {
    const char *name;
    void (*cycle)(unsigned number);
    void (*help)(void); /* body of another thread, called again until the end; may be NULL */
    const char *helper; /* its name */
};

static atomic_int running = 1;
static const char *plugin;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void compute(uint64_t ns)
{
    for (uint64_t end = now() + ns; now() < end;)
        ;
}

static void pause_for(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

static void wait_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

/* ---- meter ---- */

static int lines;

static void read_file(const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        lines++;
    if (file)
        fclose(file);
}

static void show_load(void)
{
    for (uint64_t end = now() + LONG_NS; now() < end;) {
        read_file("/proc/stat");
        read_file("/proc/self/maps");
    }
}

static void meter_cycle(unsigned number)
{
    if (number % EVERY == EVERY - 1)
        show_load();
}

/* ---- tree ---- */

static volatile int found;

static __attribute__((noinline)) int walk_tree(unsigned depth)
{
    volatile char local[4000];
    local[0] = (char)depth;
    return depth ? walk_tree(depth - 1) + local[0] : local[0];
}

static void tree_cycle(unsigned number)
{
    enum { SEEN_FIRST = 60, DEEPER = 3500 };
    if (number % SEEN_FIRST == SEEN_FIRST - 1)
        found += walk_tree((number / SEEN_FIRST + 1) * DEEPER);
}

/* ---- player ---- */

static pthread_mutex_t asked_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked_changed = PTHREAD_COND_INITIALIZER;
static unsigned asked, decoded;

static void need_block(unsigned number)
{
    pthread_mutex_lock(&asked_lock);
    asked = number;
    pthread_cond_broadcast(&asked_changed);
    while (decoded < number)
        pthread_cond_wait(&asked_changed, &asked_lock);
    pthread_mutex_unlock(&asked_lock);
}

static void player_cycle(unsigned number)
{
    if (number % EVERY == EVERY - 1)
        need_block(number);
}

/* A disk that is slow to take the log. */
static void decode(void)
{
    pthread_mutex_lock(&asked_lock);
    unsigned wanted = asked;
    pthread_mutex_unlock(&asked_lock);
    if (wanted != decoded) {
        pause_for(LONG_NS);
        pthread_mutex_lock(&asked_lock);
        decoded = wanted;
        pthread_cond_broadcast(&asked_changed);
        pthread_mutex_unlock(&asked_lock);
    }
    pause_for(MS / 10);
}

/* ---- tables ---- */

static pthread_rwlock_t tables = PTHREAD_RWLOCK_INITIALIZER;

static void tables_cycle(unsigned number)
{
    (void)number;
    pthread_rwlock_rdlock(&tables);
    pthread_rwlock_unlock(&tables);
}

static void update_tables(void)
{
    pthread_rwlock_wrlock(&tables);
    compute(LONG_NS);
    pthread_rwlock_unlock(&tables);
    pause_for(6 * PERIOD_NS);
}

/* ---- control ---- */

static void run_cycles(const char *name, uint64_t period_ns, unsigned cycles,
                       void (*cycle)(unsigned));

static void be_real_time(int priority)
{
    struct sched_param p = {.sched_priority = priority};
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
}

static void run_on(int last)
{
    cpu_set_t set;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_ZERO(&set);
    CPU_SET((size_t)(last ? cpus - 1 : 0), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void control_cycle(unsigned number)
{
    compute(number % 2 ? LONG_NS : MS / 10);
}

static void run_control(void)
{
    run_on(1);
    be_real_time(20);
    run_cycles("control", 10 * PERIOD_NS, CYCLES / 10, control_cycle);
    while (atomic_load(&running))
        pause_for(MS);
}

static void audio_cycle(unsigned number)
{
    (void)number;
    compute(MS / 4);
}

/* ---- host ---- */

static void host_cycle(unsigned number)
{
    if (number % 4 == 3) {
        void *volatile symbol = dlsym(RTLD_DEFAULT, "no_such_symbol_at_all");
        (void)symbol;
    }
}

static void scan_plugins(void)
{
    void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        abort();
    dlclose(handle);
    pause_for(PERIOD_NS);
}

/* ---- collector ---- */

static pthread_t stopped;
static atomic_int ready, stopping, stands;

static void stand_still(int signal)
{
    sigset_t other;
    sigfillset(&other);
    sigdelset(&other, SIGUSR2);
    atomic_store(&stands, signal);
    while (atomic_load(&stopping))
        sigsuspend(&other);
    atomic_store(&stands, 0);
}

static void go_on(int signal)
{
    (void)signal;
}

static void collected_cycle(unsigned number)
{
    if (!number) {
        signal(SIGUSR1, stand_still);
        signal(SIGUSR2, go_on);
        stopped = pthread_self();
        atomic_store(&ready, 1);
    }
    compute(PERIOD_NS / 8);
}

static void collect(void)
{
    pause_for(EVERY * PERIOD_NS);
    if (!atomic_load(&ready) || !atomic_load(&running))
        return;
    atomic_store(&stopping, 1);
    pthread_kill(stopped, SIGUSR1);
    while (!atomic_load(&stands) && atomic_load(&running))
        pause_for(PERIOD_NS / 32);
    compute(LONG_NS);
    atomic_store(&stopping, 0);
    pthread_kill(stopped, SIGUSR2);
}

/* ---- tracker ---- */

struct message {
    long type;
    char text[8];
};

static atomic_int messages, wanted;

static void tracked_cycle(unsigned number)
{
    struct message message;
    if (!number)
        atomic_store(&messages, msgget(IPC_PRIVATE, 0600) + 1);
    compute(PERIOD_NS / 8);
    if (number % EVERY != EVERY - 1)
        return;
    atomic_store(&wanted, 1);
    if (msgrcv(atomic_load(&messages) - 1, &message, sizeof message.text, 0, 0) < 0)
        abort();
    if (number == CYCLES - 1)
        msgctl(atomic_load(&messages) - 1, IPC_RMID, NULL);
}

static void track(void)
{
    struct message message = {1, "where"};
    pause_for(PERIOD_NS / 32);
    if (!atomic_exchange(&wanted, 0))
        return;
    compute(LONG_NS);
    if (msgsnd(atomic_load(&messages) - 1, &message, sizeof message.text, 0) < 0)
        abort();
}

/* ---- all ---- */

static const struct mistake mistakes[] = {
    {"meter", meter_cycle, NULL, NULL},
    {"tree", tree_cycle, NULL, NULL},
    {"player", player_cycle, decode, "decoder"},
    {"tables", tables_cycle, update_tables, "updater"},
    {"control", audio_cycle, run_control, "control"},
    {"host", host_cycle, scan_plugins, "scanner"},
    {"collector", collected_cycle, collect, "collector"},
    {"tracker", tracked_cycle, track, "tracker"},
};

static const struct mistake *mistake;

static void run_cycles(const char *name, uint64_t period_ns, unsigned cycles,
                       void (*cycle)(unsigned))
{
    if (tac_thread_register(name, 1 << 16))
        abort();
    int source = tac_cycle_source_open(name, period_ns);
    uint64_t release = now() + 10 * PERIOD_NS;
    for (unsigned i = 0; i < cycles; i++, release += period_ns) {
        wait_until(release);
        tac_cycle_begin(source, release + period_ns, 0);
        cycle(i);
        tac_cycle_end(source);
    }
}

static void *run_audio(void *unused)
{
    pthread_setname_np(pthread_self(), "audio");
    run_on(1);
    be_real_time(10);
    run_cycles("audio", PERIOD_NS, CYCLES, mistake->cycle);
    atomic_store(&running, 0);
    return unused;
}

static void *run_helper(void *unused)
{
    pthread_setname_np(pthread_self(), mistake->helper);
    run_on(0);
    while (atomic_load(&running))
        mistake->help();
    return unused;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof mistakes / sizeof *mistakes; i++)
        if (!strcmp(argv[1], mistakes[i].name))
            mistake = &mistakes[i];
    plugin = argc > 2 ? argv[2] : "";
    if (!mistake)
        return 2;
    struct rlimit limit = {2000000, 2000000}; /* a spinning real-time thread ends after 2 s */
    setrlimit(RLIMIT_RTTIME, &limit);
    pthread_t audio, helper;
    pthread_attr_t large;
    pthread_attr_init(&large);
    pthread_attr_setstacksize(&large, (size_t)96 << 20);
    if (mistake->help && pthread_create(&helper, NULL, run_helper, NULL))
        return 3;
    if (pthread_create(&audio, &large, run_audio, NULL))
        return 3;
    pthread_join(audio, NULL);
    if (mistake->help)
        pthread_join(helper, NULL);
    return 0;
}
