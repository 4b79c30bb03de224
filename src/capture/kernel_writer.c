/* SPDX-License-Identifier: MIT
 * kernel_writer.c - see kernel_writer.h. */
#include "capture/kernel_writer.h"

#include "base/clock.h"
#include "base/crc.h"
#include "capture/kallsyms.h"
#include "capture/kernel_filter.h"
#include "capture/process_maps.h"
#include "capture/zip.h"
#include "trace/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    EVENTS = 8192,
    STACK_BYTES = 1 << 16,
    COMMS = 8192,
    FRESH = 1024,
    CPUS = 256,
    AGE_NS = 250000000,
};

struct tac_kernel_writer {
    int fd;
    uint32_t stream;
    struct tac_kernel_writer_stats stats;
    struct tac_kernel_filter *filter;
    struct tac_zip *zip;
    struct tac_kallsyms *symbols;  /* made with the first stack */
    struct tac_process_maps *maps; /* made with the first address of a program */
    uint64_t oldest_ns;            /* when the first event that waits came; 0: none waits */
    uint32_t events, stacks, stack_bytes, fresh;
    uint32_t next[CPUS]; /* who came onto the CPU last, and 1 more; 0: not known */
    struct tac_format_kernel event[EVENTS];
    unsigned char packed[TAC_PACK_KERNEL_BYTES_MAX(EVENTS)];
    unsigned char stack[STACK_BYTES];
    struct tac_format_comm comm[COMMS]; /* last name seen, by tid */
    struct tac_format_comm fresh_comm[FRESH];
};

int tac_kernel_writer_open(const char *path, uint32_t stream, struct tac_kernel_filter *filter,
                           struct tac_kernel_writer **ret_writer)
{
    struct tac_kernel_writer *w = calloc(1, sizeof *w);
    if (!w) {
        tac_kernel_filter_free(filter);
        return -ENOMEM;
    }
    w->stream = stream;
    w->filter = filter;
    w->zip = tac_zip_new();
    w->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int error = w->fd < 0 ? -errno : w->zip ? 0 : -ENOMEM;
    if (error)
        (void)tac_kernel_writer_close(w);
    else
        *ret_writer = w;
    return error;
}

/* One call: O_APPEND keeps it in one piece beside the chunks of the traced program. */
static void append(struct tac_kernel_writer *w, struct tac_format_chunk *head, const void *payload)
{
    head->magic = TAC_FORMAT_MAGIC;
    head->crc = 0;
    head->crc = tac_crc32c(tac_crc32c(0, head, sizeof *head), payload, head->bytes);
    struct iovec iov[2] = {{head, sizeof *head}, {(void *)(uintptr_t)payload, head->bytes}};
    if (w->stats.error)
        return;
    ssize_t n = writev(w->fd, iov, 2);
    if (n != (ssize_t)(sizeof *head + head->bytes))
        w->stats.error = n < 0 ? -errno : -ENOSPC;
    else
        w->stats.bytes += (uint64_t)n;
}

static void put_of(struct tac_kernel_writer *w, uint32_t id, uint16_t kind, uint16_t flags,
                   uint32_t count, const void *payload, size_t bytes)
{
    struct tac_format_chunk head = {.kind = kind,
                                    .flags = flags,
                                    .bytes = (uint32_t)bytes,
                                    .id = id,
                                    .count = count,
                                    .dropped = w->stats.lost};
    const void *zipped;
    size_t n = tac_zip_in(w->zip, payload, bytes, &zipped);
    if (n) {
        head.flags |= TAC_CHUNK_ZSTD;
        head.bytes = (uint32_t)n;
    }
    append(w, &head, n ? zipped : payload);
}

static void put(struct tac_kernel_writer *w, uint16_t kind, uint16_t flags, uint32_t count,
                const void *payload, size_t bytes)
{
    put_of(w, w->stream, kind, flags, count, payload, bytes);
}

static void flush_stacks(struct tac_kernel_writer *w)
{
    size_t bytes;
    if (!w->stacks)
        return;
    const char *names = tac_kallsyms_take_fresh(w->symbols, &bytes);
    if (bytes)
        put(w, TAC_CHUNK_SYMBOLS, 0, 1, names, bytes);
    put(w, TAC_CHUNK_STACKS, 0, w->stacks, w->stack, w->stack_bytes);
    w->stacks = w->stack_bytes = 0;
}

static void flush(struct tac_kernel_writer *w)
{
    if (w->fresh)
        put(w, TAC_CHUNK_COMM, 0, w->fresh, w->fresh_comm, w->fresh * sizeof *w->fresh_comm);
    if (w->events)
        put(w, TAC_CHUNK_KERNEL, TAC_CHUNK_PACKED, w->events, w->packed,
            tac_pack_kernel(w->event, w->events, w->packed));
    flush_stacks(w);
    w->fresh = w->events = 0;
    w->oldest_ns = 0;
}

int tac_kernel_writer_close(struct tac_kernel_writer *w)
{
    if (!w)
        return 0;
    if (w->fd >= 0) {
        flush(w);
        close(w->fd);
    }
    int error = w->stats.error;
    tac_kernel_filter_free(w->filter);
    tac_zip_free(w->zip);
    tac_kallsyms_free(w->symbols);
    tac_process_maps_free(w->maps);
    free(w);
    return error;
}

/* Addresses of a program say something while it is known what is mapped there: that is written
 * now, since the process may be gone when somebody reads. */
static void learn_process(struct tac_kernel_writer *w, uint32_t tid)
{
    uint32_t pid;
    const char *text;
    size_t bytes;
    if (!w->maps)
        w->maps = tac_process_maps_new();
    if (!w->maps || !tac_process_maps_learn(w->maps, tid, &pid, &text, &bytes))
        return;
    struct tac_format_comm *known = &w->comm[tid % COMMS];
    struct tac_format_comm comm = {.tid = tid, .pid = pid};
    if (known->tid == tid)
        memcpy(comm.name, known->name, sizeof comm.name);
    put(w, TAC_CHUNK_COMM, 0, 1, &comm, sizeof comm);
    if (bytes)
        put_of(w, pid, TAC_CHUNK_MODULE, 0, 1, text, bytes);
}

static bool is_in_program(const struct tac_format_kernel *e)
{
    return e->type == TAC_KERNEL_FAULT && (int64_t)e->b > 0;
}

/* Who leaves a CPU is who came onto it; else the kernel has left out a switch, which some do where
 * the idle task is left. */
static void follow_cpu(struct tac_kernel_writer *w, const struct tac_format_kernel *e)
{
    if (e->cpu >= CPUS)
        return;
    uint32_t *next = &w->next[e->cpu];
    if (e->type == TAC_KERNEL_LOST) {
        *next = 0;
    } else if (e->type == TAC_KERNEL_SWITCH) {
        w->stats.left_out += *next && *next != e->tid + 1;
        *next = (uint32_t)(e->a >> 32) + 1;
    }
}

void tac_kernel_writer_event(struct tac_kernel_writer *w, const struct tac_format_kernel *event)
{
    follow_cpu(w, event);
    if (w->filter && !tac_kernel_filter_keeps(w->filter, event))
        return;
    if (event->type == TAC_KERNEL_LOST)
        w->stats.lost += event->a;
    if (is_in_program(event))
        learn_process(w, event->tid);
    w->event[w->events++] = *event;
    w->stats.events++;
    if (w->events == EVENTS)
        flush(w);
}

void tac_kernel_writer_stack(struct tac_kernel_writer *w, const struct tac_format_stack *stack,
                             const uint64_t *pc)
{
    uint32_t bytes = (uint32_t)(stack->count * sizeof *pc);
    if (w->filter && !tac_kernel_filter_has(w->filter, stack->tid))
        return;
    if (!w->symbols)
        w->symbols = tac_kallsyms_new();
    if (stack->kind == TAC_STACK_USER)
        learn_process(w, stack->tid);
    for (uint32_t i = 0; w->symbols && stack->kind == TAC_STACK_KERNEL && i < stack->count; i++)
        tac_kallsyms_want(w->symbols, pc[i]);
    if (sizeof *stack + bytes > STACK_BYTES - w->stack_bytes)
        flush(w);
    memcpy(w->stack + w->stack_bytes, stack, sizeof *stack);
    memcpy(w->stack + w->stack_bytes + sizeof *stack, pc, bytes);
    w->stack_bytes += (uint32_t)sizeof *stack + bytes;
    w->stacks++;
    w->stats.stacks++;
}

void tac_kernel_writer_comm(struct tac_kernel_writer *w, uint32_t tid, const char *name)
{
    struct tac_format_comm *slot = &w->comm[tid % COMMS];
    if (slot->tid == tid && !strncmp(slot->name, name, sizeof slot->name))
        return;
    if (w->fresh == FRESH)
        flush(w);
    *slot = (struct tac_format_comm){.tid = tid};
    memcpy(slot->name, name, strnlen(name, sizeof slot->name));
    w->fresh_comm[w->fresh++] = *slot;
}

void tac_kernel_writer_meta(struct tac_kernel_writer *w, const char *key, const char *value)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "%s=%s\n", key, value);
    if (n > 0 && n < (int)sizeof line)
        put(w, TAC_CHUNK_META, 0, 1, line, (size_t)n);
}

void tac_kernel_writer_tick(struct tac_kernel_writer *w)
{
    uint64_t now = tac_clock_ns();
    if (!w->events && !w->stacks && !w->fresh)
        return;
    if (!w->oldest_ns)
        w->oldest_ns = now;
    if (now - w->oldest_ns >= AGE_NS)
        flush(w);
}

void tac_kernel_writer_get_stats(const struct tac_kernel_writer *w,
                                 struct tac_kernel_writer_stats *ret_stats)
{
    *ret_stats = w->stats;
}
