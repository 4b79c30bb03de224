/* SPDX-License-Identifier: MIT
 * recorder.c - starts and ends the session of record=, adds the facts that only we know to any
 * session, and keeps a program that records by itself from colliding with us.
 *
 * The session starts with the program's first stream, not with the process: a shell that starts the
 * audio program, or a helper that it forks, leaves no empty recording. A process that ends by
 * _exit or a signal loses only what the last drain (each 5 ms) had not seen. */
#include "watch/watch.h"

#include "base/clock.h"
#include "base/net.h"
#include "base/text.h"
#include "tactus/cycle.h"
#include "tactus/mem.h"
#include "watch/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HIGH_FD = 900 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pid_t owner; /* the process whose session is ours; 0: none */
static bool tried;
static char opened[PATH_MAX + 32]; /* the file that is recorded into; under lock */

/* Out of the way of a program that counts on its own numbers. */
static int move_up(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

/* FILE, FILE.PID, FILE.PID.2 and so on: never one that holds a recording. */
static int open_recording(const char *path)
{
    enum { NAMES = 100 };
    int fd = -1;
    errno = EEXIST;
    for (int i = 0; i < NAMES && fd < 0 && errno == EEXIST; i++) {
        if (i < 2)
            snprintf(opened, sizeof opened, i ? "%s.%d" : "%s", path, (int)getpid());
        else
            snprintf(opened, sizeof opened, "%s.%d.%d", path, (int)getpid(), i);
        fd = open(opened, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_APPEND, 0644);
    }
    if (fd < 0)
        return -errno;
    fd = move_up(fd);
    tac_descriptor_keep(fd);
    return fd;
}

/* "key=" and the command line with spaces between the words. */
static void read_command(char *line, size_t size)
{
    int n = snprintf(line, size, "command=");
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, line + n, size - (size_t)n - 1) : 0;
    if (fd >= 0)
        close(fd);
    got = got > 0 ? got : 0;
    for (ssize_t i = 0; i < got; i++)
        if (line[n + i] == 0 || line[n + i] == '\n')
            line[n + i] = ' ';
    while (got > 0 && line[n + got - 1] == ' ')
        got--;
    line[n + got] = 0;
}

static const char *heap_name(void)
{
    return tac_watch_heap == TAC_WATCH_HEAP_TACTUS ? "tactus" : "system";
}

static int start(const char *path)
{
    char program[128], heap[32], command[1024];
    snprintf(program, sizeof program, "program=%s", program_invocation_short_name);
    snprintf(heap, sizeof heap, "heap=%s", heap_name());
    read_command(command, sizeof command);
    const char *const meta[] = {program, heap, command, "watch=1", NULL};
    bool streams = tac_net_is_address(path);
    int fd = streams ? -1 : open_recording(path);
    if (!streams && fd < 0)
        return fd;
    struct tac_trace_config config = {.path = streams ? path : NULL,
                                      .fd = fd,
                                      .evidence = TAC_EVIDENCE_PERF | TAC_EVIDENCE_CLOCK,
                                      .meta = meta};
    int r = TAC_WATCH_REAL(tac_trace_start)(&config);
    if (r < 0 && fd >= 0)
        close(fd);
    return r;
}

void tac_watch_recorder_start(void)
{
    if (tac_watch_thread()->shim)
        return;
    struct tac_watch_shim shim = tac_watch_shim_begin();
    pthread_mutex_lock(&lock);
    const char *path = tac_watch_record_path();
    if (!tried && path && !tac_trace_is_on()) {
        tried = true;
        int r = start(path);
        if (r >= 0)
            atomic_store(&owner, getpid());
        else
            dprintf(STDERR_FILENO, "tactus: %s: cannot record: %s\n", path, tac_error_sentence(r));
    }
    pthread_mutex_unlock(&lock);
    tac_watch_shim_end(&shim);
}

bool tac_watch_recorder_is_ours(void)
{
    return atomic_load(&owner) == getpid();
}

void tac_watch_recorder_go_on(void)
{
    const char *path = tac_watch_record_path();
    tried = false;
    tac_watch_recorder_start();
    if (path && !tac_net_is_address(path) && tac_watch_recorder_is_ours())
        dprintf(STDERR_FILENO, "tactus: the recording goes on in %s\n", opened);
}

void tac_watch_recorder_forked(void)
{
    pthread_mutex_init(&lock, NULL); /* another thread of the parent may have had it */
    atomic_store(&owner, 0);
    tried = false;
}

static void add_count(const char *key, uint64_t count)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, count);
    tac_trace_meta(key, text);
}

static void add_bytes(const char *key, size_t bytes)
{
    char text[32];
    tac_trace_meta(key, tac_text_bytes((double)bytes, text, sizeof text));
}

static void add_time(const char *key, double ns)
{
    char text[32];
    tac_trace_meta(key, tac_text_duration(ns, text, sizeof text));
}

static void add_heap_state(void)
{
    if (tac_watch_heap == TAC_WATCH_HEAP_TACTUS) {
        struct tac_heap_stats s;
        tac_heap_stats_get(&s);
        add_bytes("heap.in use at the end", s.live_bytes);
        add_bytes("heap.taken at the end", s.taken_bytes);
        add_bytes("heap.most taken", s.taken_peak_bytes);
        add_bytes("heap.locked", s.locked_bytes);
        add_count("heap.blocks freed by other threads", s.remote_frees);
        add_count("heap.refused", s.failures);
        return;
    }
    struct mallinfo2 m = mallinfo2();
    add_bytes("heap.in use at the end", m.uordblks + m.hblkhd);
    add_bytes("heap.taken at the end", m.arena + m.hblkhd);
}

/* The statistics of the heap, as lines of the running session. The time of a call includes what
 * pre-empted it. */
static void add_facts(void)
{
    struct tac_watch_thread sum;
    tac_watch_thread_sum(&sum);
    double ns = 1e9 / tac_counter_hz(1000000);
    tac_trace_meta("heap", heap_name());
    add_count("heap.calls", sum.calls);
    if (sum.timed)
        add_time("heap.mean call", (double)sum.ticks / (double)sum.timed * ns);
    add_time("heap.longest call of any thread", (double)sum.worst * ns);
    add_heap_state();
}

void tac_watch_recorder_stop(void)
{
    pid_t mine = getpid();
    if (!atomic_compare_exchange_strong(&owner, &mine, 0))
        return;
    struct tac_watch_shim shim = tac_watch_shim_begin();
    add_facts();
    TAC_WATCH_REAL(tac_trace_stop)();
    tac_watch_shim_end(&shim);
}

static __attribute__((destructor)) void at_exit(void)
{
    tac_watch_recorder_stop();
}

/* ---- a program that records by itself ---- */

TAC_WATCH_EXPORT int tac_trace_start(const struct tac_trace_config *config)
{
    tac_watch_recorder_start();
    if (tac_watch_recorder_is_ours())
        return 0; /* the file that the user asked for gets it all */
    struct tac_watch_shim shim = tac_watch_shim_begin();
    int r = TAC_WATCH_REAL(tac_trace_start)(config);
    tac_watch_shim_end(&shim);
    return r;
}

TAC_WATCH_EXPORT int tac_trace_stop(void)
{
    if (tac_watch_recorder_is_ours())
        return 0; /* ours goes on to the end of the process */
    struct tac_watch_shim shim = tac_watch_shim_begin();
    if (tac_trace_is_on())
        add_facts();
    int r = TAC_WATCH_REAL(tac_trace_stop)();
    tac_watch_shim_end(&shim);
    return r;
}

TAC_WATCH_EXPORT int tac_thread_register(const char *name, uint32_t records)
{
    tac_watch_recorder_start();
    struct tac_watch_shim shim = tac_watch_shim_begin();
    int r = TAC_WATCH_REAL(tac_thread_register)(name, records);
    tac_watch_shim_end(&shim);
    return r;
}
