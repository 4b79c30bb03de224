/* SPDX-License-Identifier: MIT
 * tier_bpf.c - the BPF tier: loads switches.bpf.c into the kernel and reads its ring. A library of
 * its own (libtactus-bpf), so that nothing else needs libbpf.
 *
 * The kernel removes programs and maps with the last descriptor, so nothing stays even when this
 * process is killed. Threads: that of kernel.c. */
#include "base/clock.h"
#include "capture/kernel_tier.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_KB = 4096, PROGRAMS = 2, TIDS = 8192 };

/* The object that clang made, as bytes of this library. */
__asm__(".pushsection .rodata,\"a\"\n"
        ".balign 8\n"
        "tac_bpf_object_begin:\n"
        ".incbin \"" TAC_BPF_OBJECT "\"\n"
        "tac_bpf_object_end:\n"
        ".popsection\n");
extern const char tac_bpf_object_begin[], tac_bpf_object_end[];

struct state {
    struct tac_kernel_out out;
    struct bpf_object *object;
    struct bpf_link *link[PROGRAMS];
    struct ring_buffer *ring;
    int lost_map, cpus;
    uint64_t lost, *lost_by_cpu;
    uint32_t named[TIDS]; /* thread ids whose name was given, by their remainder */
};

const struct tac_kernel_tier *tac_kernel_tier_bpf_1(void) TAC_API;

static int no_output(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level, (void)format, (void)args;
    return 0;
}

/* The programs give no names; /proc has those of threads that still live. */
static void learn_name(struct state *s, uint32_t tid)
{
    char path[40], name[16] = "";
    if (!tid || s->named[tid % TIDS] == tid)
        return;
    s->named[tid % TIDS] = tid;
    snprintf(path, sizeof path, "/proc/%u/comm", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof name);
    if (fd >= 0)
        close(fd);
    if (n > 1) {
        name[n - 1] = 0; /* the end of the line */
        s->out.comm(s->out.writer, tid, name);
    }
}

static int take(void *arg, void *data, size_t bytes)
{
    struct state *s = arg;
    struct tac_format_kernel e;
    if (bytes < sizeof e)
        return 0;
    memcpy(&e, data, sizeof e);
    learn_name(s, e.tid);
    learn_name(s, (uint32_t)(e.a >> 32));
    s->out.event(s->out.writer, &e);
    return 0;
}

static uint64_t count_lost(struct state *s)
{
    uint32_t zero = 0;
    uint64_t sum = 0;
    if (bpf_map_lookup_elem(s->lost_map, &zero, s->lost_by_cpu))
        return s->lost;
    for (int i = 0; i < s->cpus; i++)
        sum += s->lost_by_cpu[i];
    return sum;
}

static void read_ring(void *state)
{
    struct state *s = state;
    ring_buffer__consume(s->ring);
    uint64_t lost = count_lost(s);
    if (lost == s->lost)
        return;
    struct tac_format_kernel e = {
        .ns = tac_clock_ns(), .type = TAC_KERNEL_LOST, .cpu = 0xffff, .a = lost - s->lost};
    s->lost = lost;
    s->out.event(s->out.writer, &e);
}

static void halt(void *state)
{
    struct state *s = state;
    for (int i = 0; i < PROGRAMS; i++) {
        bpf_link__destroy(s->link[i]);
        s->link[i] = NULL;
    }
}

static void stop(void *state)
{
    struct state *s = state;
    halt(s);
    ring_buffer__free(s->ring);
    bpf_object__close(s->object);
    free(s->lost_by_cpu);
    free(s);
}

static int attach(struct state *s)
{
    static const char *const name[PROGRAMS] = {"on_switch", "on_waking"};
    for (int i = 0; i < PROGRAMS; i++) {
        struct bpf_program *program = bpf_object__find_program_by_name(s->object, name[i]);
        s->link[i] = program ? bpf_program__attach(program) : NULL;
        if (!s->link[i])
            return program ? -errno : -ENOENT;
    }
    return 0;
}

/* A power of two of bytes, for all CPUs together. */
static uint32_t ring_bytes(const struct state *s, const struct tac_kernel_config *config)
{
    uint64_t want =
        (uint64_t)(config->buffer_kb ? config->buffer_kb : BUFFER_KB) * 1024 * (uint64_t)s->cpus;
    uint32_t bytes = 1 << 16;
    while (bytes < want && bytes < 1u << 30)
        bytes *= 2;
    return bytes;
}

static int set_up(struct state *s, const struct tac_kernel_config *config)
{
    s->cpus = libbpf_num_possible_cpus();
    s->lost_by_cpu = s->cpus > 0 ? calloc((size_t)s->cpus, sizeof *s->lost_by_cpu) : NULL;
    if (!s->lost_by_cpu)
        return s->cpus > 0 ? -ENOMEM : s->cpus;
    s->object = bpf_object__open_mem(tac_bpf_object_begin,
                                     (size_t)(tac_bpf_object_end - tac_bpf_object_begin), NULL);
    if (!s->object)
        return -errno;
    struct bpf_map *ring = bpf_object__find_map_by_name(s->object, "ring");
    int error = ring ? bpf_map__set_max_entries(ring, ring_bytes(s, config)) : -ENOENT;
    error = error ? error : bpf_object__load(s->object);
    if (error)
        return error;
    s->lost_map = bpf_object__find_map_fd_by_name(s->object, "lost");
    s->ring = ring_buffer__new(bpf_map__fd(ring), take, s, NULL);
    return s->ring ? attach(s) : -errno;
}

static int start(const struct tac_kernel_config *config, const struct tac_kernel_out *out,
                 void **ret_state, uint32_t *ret_kinds)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->out = *out;
    libbpf_set_print(no_output);
    int error = config->cpus ? -EOPNOTSUPP : set_up(s, config);
    if (error) {
        stop(s);
        return error;
    }
    *ret_state = s;
    *ret_kinds = PROGRAMS;
    return 0;
}

static const struct tac_kernel_tier tier = {
    .name = "bpf",
    .blind = "interrupts, softirqs, page faults, address-space locks, reclaim, compaction, forks, "
             "signals, disks, call stacks, and whether a wake-up came from an interrupt",
    .start = start,
    .read = read_ring,
    .halt = halt,
    .stop = stop,
};

const struct tac_kernel_tier *tac_kernel_tier_bpf_1(void)
{
    return &tier;
}
