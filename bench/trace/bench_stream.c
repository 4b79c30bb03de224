/* SPDX-License-Identifier: MIT
 * bench_stream.c - a recording that goes to `tactus capture` over TCP: what is lost, what it takes
 * on the way and on disk, and what the recorder's helper and the capturing process take.
 *
 * usage: bench_stream TACTUS [EVENTS-PER-SECOND [SECONDS [OPTION-OF-CAPTURE...]]]. Four threads
 * share the rate, in cycles of 1 ms: zones in zones, a plot and a memory operation. */
#include "base/clock.h"
#include "tactus/cycle.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, EVENTS_A_ROUND = 6 };

static double rate = 100000, seconds = 10;
static int source;

static void round_of_events(uint64_t i)
{
    TAC_ZONE("outer");
    {
        TAC_ZONE("inner");
        TAC_PLOT("curve", "", (double)i);
    }
    tac_trace_memory(TAC_MEMORY_ALLOC, &source, NULL, 64 + i % 256, tac_trace_counter());
}

static void *work(void *arg)
{
    (void)arg;
    uint64_t begin = tac_clock_ns(), end = begin + (uint64_t)(seconds * 1e9);
    double rounds = rate / THREADS / EVENTS_A_ROUND / 1000, owed = 0;
    if (tac_thread_register("bench", 0))
        return NULL;
    for (uint64_t t = begin, i = 0; t < end; t += 1000000) {
        tac_clock_sleep_until(t);
        tac_cycle_begin(source, t + 1000000000, 64);
        for (owed += rounds; owed >= 1; owed -= 1)
            round_of_events(i++);
        tac_cycle_end(source);
    }
    return NULL;
}

static long peak_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "VmHWM:", 6))
            kib = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

/* Time of the recorder's helper, from the kernel's account of this process' threads. */
static double helper_s(void)
{
    char path[300], name[32] = "";
    unsigned long long ns = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL && !ns;) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof name, file) && !strcmp(name, "tactus-trace\n")) {
            snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", e->d_name);
            FILE *times = fopen(path, "re");
            if (times && fscanf(times, "%llu", &ns) != 1)
                ns = 0;
            if (times)
                fclose(times);
        }
        if (file)
            fclose(file);
    }
    if (dir)
        closedir(dir);
    return (double)ns / 1e9;
}

static pid_t start_capture(const char *tactus, const char *address, const char *path, char **more)
{
    char listen[96];
    const char *argv[32] = {tactus, "capture", listen, "--no-kernel", "-o", path};
    snprintf(listen, sizeof listen, "--listen=%s", address);
    for (int i = 6; *more && i < 31; i++)
        argv[i] = *more++;
    pid_t pid = fork();
    if (pid == 0) {
        execv(tactus, (char *const *)(uintptr_t)argv); /* exec's prototype lacks the const */
        _exit(127);
    }
    usleep(300000);
    return pid;
}

static void record(struct tac_trace_stats *ret_stats)
{
    pthread_t id[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&id[i], NULL, work, NULL))
            abort();
    for (int i = 0; i < THREADS; i++)
        pthread_join(id[i], NULL);
    usleep(50000);
    tac_trace_get_stats(ret_stats);
}

int main(int argc, char **argv)
{
    char address[64];
    const char *path = "/tmp/tactus-bench-stream.tac";
    struct tac_trace_stats s;
    struct rusage use;
    struct stat st = {0};
    if (argc < 2)
        return 2;
    rate = argc > 2 ? atof(argv[2]) : rate;
    seconds = argc > 3 ? atof(argv[3]) : seconds;
    snprintf(address, sizeof address, "tcp:127.0.0.1:%d", 20000 + (int)getpid() % 20000);
    pid_t pid = start_capture(argv[1], address, path, argc > 4 ? argv + 4 : argv + argc);
    if (tac_trace_start(&(struct tac_trace_config){.path = address}))
        return 1;
    source = tac_cycle_source_open("bench", 1000000);
    record(&s);
    double helper = helper_s();
    int stopped = tac_trace_stop();
    long kib = peak_kib(pid);
    kill(pid, SIGINT);
    waitpid(pid, NULL, 0);
    getrusage(RUSAGE_CHILDREN, &use);
    stat(path, &st);
    printf("events              %llu in %.0f s, %llu dropped%s\n", (unsigned long long)s.stored,
           seconds, (unsigned long long)s.dropped, stopped ? ", and the end was not taken" : "");
    printf("recorder's helper   %.1f %% of a core\n", helper / seconds * 100);
    printf("over the socket     %.2f bytes an event\n", (double)s.bytes / (double)s.stored);
    printf("on disk             %.2f bytes an event\n", (double)st.st_size / (double)s.stored);
    printf("capture             %.1f MiB at most, %.1f %% of a core\n", (double)kib / 1024,
           ((double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
            (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6) /
               seconds * 100);
    unlink(path);
    return 0;
}
