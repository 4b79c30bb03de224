/* SPDX-License-Identifier: MIT
 * kernel.c - the capture session of kernel.h: instance, switches, reader thread, janitor. */
#include "capture/kernel.h"

#include "base/crc.h"
#include "capture/ftrace.h"
#include "capture/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPUS_MAX = 256, PAGE_MAX = 65536, EVENTS = 8192, BUFFER_KB = 4096, PAUSE_US = 20000 };

struct tac_kernel {
    int out, root, instance;
    int cpu_fd[CPUS_MAX];
    uint32_t cpus;
    size_t page_bytes;
    char name[64]; /* of the instance, below root */
    pid_t janitor;
    int janitor_pipe;
    pthread_t thread;
    bool running;
    _Atomic bool stopping;
    int error;
    struct tac_kernel_stats stats;
    struct tac_ftrace ftrace;
    struct tac_format_kernel events[EVENTS];
    unsigned char page[PAGE_MAX];
};

static void put(struct tac_kernel *k, uint16_t kind, uint32_t id, const void *payload, size_t bytes,
                uint32_t count)
{
    struct tac_format_chunk head = {.magic = TAC_FORMAT_MAGIC,
                                    .kind = kind,
                                    .bytes = (uint32_t)bytes,
                                    .id = id,
                                    .count = count,
                                    .dropped = k->stats.lost};
    head.crc = tac_crc32c(tac_crc32c(0, &head, sizeof head), payload, bytes);
    struct iovec iov[2] = {{&head, sizeof head}, {(void *)(uintptr_t)payload, bytes}};
    /* one call: O_APPEND keeps it in one piece beside the chunks of the traced program */
    ssize_t n = k->error ? 0 : writev(k->out, iov, 2);
    if (n < 0)
        k->error = -errno;
    else if (!k->error && (size_t)n != sizeof head + bytes)
        k->error = -ENOSPC;
    else
        k->stats.bytes += (uint64_t)n;
}

static void put_meta(struct tac_kernel *k)
{
    char line[128];
    int n =
        snprintf(line, sizeof line, "evidence.ftrace=yes, %u kinds of events\n", k->stats.kinds);
    put(k, TAC_CHUNK_META, 0, line, (size_t)n, 1);
    n = snprintf(line, sizeof line, "evidence.ftrace.lost=%llu\n",
                 (unsigned long long)k->stats.lost);
    put(k, TAC_CHUNK_META, 0, line, (size_t)n, 1);
}

static void flush(struct tac_kernel *k, uint32_t cpu, uint32_t *n)
{
    if (k->ftrace.fresh_count)
        put(k, TAC_CHUNK_COMM, 0, k->ftrace.fresh, k->ftrace.fresh_count * sizeof *k->ftrace.fresh,
            k->ftrace.fresh_count);
    k->ftrace.fresh_count = 0;
    if (*n)
        put(k, TAC_CHUNK_KERNEL, 0x10000 + cpu, k->events, *n * sizeof *k->events, *n);
    k->stats.events += *n;
    *n = 0;
}

/* At most so many pages a pass, so that a busy CPU cannot keep the others waiting. */
static void read_cpu(struct tac_kernel *k, uint32_t cpu)
{
    const uint32_t per_page = (uint32_t)(k->page_bytes / 8);
    uint32_t n = 0;
    for (int pages = 0; pages < 1024; pages++) {
        ssize_t got = read(k->cpu_fd[cpu], k->page, k->page_bytes);
        if (got <= 0)
            break;
        if (n + per_page > EVENTS)
            flush(k, cpu, &n);
        n += tac_ftrace_decode(&k->ftrace, k->page, (size_t)got, (uint16_t)cpu, k->events + n,
                               EVENTS - n, &k->stats.lost);
    }
    flush(k, cpu, &n);
}

static void *run(void *arg)
{
    struct tac_kernel *k = arg;
    pthread_setname_np(pthread_self(), "tactus-kernel");
    while (!atomic_load(&k->stopping)) {
        for (uint32_t cpu = 0; cpu < k->cpus; cpu++)
            read_cpu(k, cpu);
        usleep(PAUSE_US);
    }
    return NULL;
}

/* Waits for the end of the pipe, that is of this process, and removes the instance. */
static void start_janitor(struct tac_kernel *k)
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
        dup2(k->root, 0); /* all else goes: an open file would keep the instance alive */
        dup2(ends[0], 1);
        close_range(2, ~0u, 0);
        while (read(1, &byte, 1) < 0 && errno == EINTR)
            ;
        /* of the files of a dying process the pipe may be closed before those of the instance */
        for (int i = 0; i < 200 && unlinkat(0, k->name, AT_REMOVEDIR) && errno == EBUSY; i++)
            usleep(10000);
        _exit(0);
    }
    close(ends[0]);
    k->janitor = child;
    k->janitor_pipe = ends[1];
    if (child < 0) {
        close(ends[1]);
        k->janitor_pipe = -1;
    }
}

static void enable(struct tac_kernel *k, uint32_t i, char *text, size_t size)
{
    const struct tac_ftrace_kind *kind = &tac_ftrace_kinds[i];
    char path[128];
    snprintf(path, sizeof path, "events/%s/format", kind->path);
    if (tac_tracefs_read(k->instance, path, text, size) <= 0 ||
        tac_ftrace_learn_event(&k->ftrace, i, text))
        return; /* this kernel does not have it */
    snprintf(path, sizeof path, "events/%s/filter", kind->path);
    if (kind->filter && tac_tracefs_write(k->instance, path, kind->filter))
        return;
    snprintf(path, sizeof path, "events/%s/enable", kind->path);
    k->stats.kinds += tac_tracefs_write(k->instance, path, "1") == 0;
}

static int switch_on(struct tac_kernel *k, const struct tac_kernel_config *config)
{
    char text[8192], kb[16];
    int error = tac_tracefs_write(k->instance, "trace_clock", "mono");
    if (error)
        return error;
    snprintf(kb, sizeof kb, "%u", config->buffer_kb ? config->buffer_kb : BUFFER_KB);
    error = tac_tracefs_write(k->instance, "buffer_size_kb", kb);
    if (error)
        return error;
    if (tac_tracefs_read(k->instance, "events/header_page", text, sizeof text) <= 0 &&
        tac_tracefs_read(k->root, "events/header_page", text, sizeof text) <= 0)
        return -ENOENT;
    error = tac_ftrace_learn_page(&k->ftrace, text);
    if (error)
        return error;
    k->page_bytes = (size_t)k->ftrace.data.offset + k->ftrace.data.bytes;
    if (k->page_bytes > PAGE_MAX)
        return -TAC_E_VERSION;
    for (uint32_t i = 0; i < tac_ftrace_kinds_count; i++)
        if (config->page_faults || tac_ftrace_kinds[i].type != TAC_KERNEL_FAULT)
            enable(k, i, text, sizeof text);
    return k->stats.kinds ? 0 : -ENOENT;
}

static int open_cpus(struct tac_kernel *k)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    k->cpus = cpus > CPUS_MAX ? CPUS_MAX : (uint32_t)cpus;
    for (uint32_t i = 0; i < k->cpus; i++) {
        char path[64];
        snprintf(path, sizeof path, "per_cpu/cpu%u/trace_pipe_raw", i);
        k->cpu_fd[i] = openat(k->instance, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (k->cpu_fd[i] < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

static void close_all(struct tac_kernel *k)
{
    for (uint32_t i = 0; i < CPUS_MAX; i++)
        if (k->cpu_fd[i] >= 0)
            close(k->cpu_fd[i]);
    if (k->instance >= 0) {
        close(k->instance);
        unlinkat(k->root, k->name, AT_REMOVEDIR);
    }
    if (k->janitor_pipe >= 0)
        close(k->janitor_pipe);
    if (k->janitor > 0)
        waitpid(k->janitor, NULL, 0);
    if (k->root >= 0)
        close(k->root);
    if (k->out >= 0)
        close(k->out);
}

static int start(struct tac_kernel *k, const struct tac_kernel_config *config)
{
    k->out = open(config->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (k->out < 0)
        return -errno;
    k->root = tac_tracefs_open();
    if (k->root < 0)
        return k->root;
    k->instance = tac_tracefs_instance(k->root, k->name, sizeof k->name);
    if (k->instance < 0)
        return k->instance;
    start_janitor(k);
    int error = switch_on(k, config);
    error = error ? error : open_cpus(k);
    error = error ? error : -pthread_create(&k->thread, NULL, run, k);
    k->running = !error;
    return error;
}

int tac_kernel_start(const struct tac_kernel_config *config, struct tac_error *err,
                     struct tac_kernel **ret_kernel)
{
    struct tac_kernel *k = calloc(1, sizeof *k);
    if (!k)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "not enough memory");
    k->out = k->root = k->instance = k->janitor_pipe = -1;
    memset(k->cpu_fd, -1, sizeof k->cpu_fd);
    int error = start(k, config);
    if (error) {
        close_all(k);
        free(k);
        const char *what = error == -EACCES || error == -EPERM
                               ? "kernel events need root: who pre-empted a thread cannot be named"
                           : error == -ENOENT ? "this kernel has no tracefs: no kernel events"
                                              : tac_error_sentence(error);
        return tac_error_set(err, error, NULL, 0, 0, "%s", what);
    }
    *ret_kernel = k;
    return 0;
}

int tac_kernel_stop(struct tac_kernel *k, struct tac_kernel_stats *ret_stats)
{
    if (!k)
        return 0;
    tac_tracefs_write(k->instance, "tracing_on", "0");
    atomic_store(&k->stopping, true);
    if (k->running)
        pthread_join(k->thread, NULL);
    for (uint32_t cpu = 0; cpu < k->cpus; cpu++)
        read_cpu(k, cpu);
    put_meta(k);
    int error = k->error;
    if (ret_stats)
        *ret_stats = k->stats;
    close_all(k);
    free(k);
    return error;
}
