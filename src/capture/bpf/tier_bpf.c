/* SPDX-License-Identifier: MIT
 * tier_bpf.c - the BPF tier: loads switches.bpf.c into the kernel and maps its rings. A library of
 * its own (libtactus-bpf), so that nothing else needs libbpf.
 *
 * The kernel removes programs and maps with the last descriptor, so nothing stays even when this
 * process is killed. Threads: that of kernel.c. */
#include "capture/bpf/rings.h"
#include "capture/kernel_tier.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PROGRAMS = 2, TIDS = 8192 };

/* object.S */
extern const char tac_bpf_object_begin[], tac_bpf_object_end[];

struct state {
    struct tac_kernel_out out;
    struct bpf_object *object;
    struct bpf_link *link[PROGRAMS];
    struct tac_bpf_ring *rings; /* mapped, one a CPU */
    uint64_t *tail;             /* events read, one a CPU */
    int cpus;
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

static void hear(void *state, const struct tac_format_kernel *e)
{
    struct state *s = state;
    if (e->type != TAC_KERNEL_LOST) {
        learn_name(s, e->tid);
        learn_name(s, (uint32_t)(e->a >> 32));
    }
    s->out.event(s->out.writer, e);
}

static void read_rings(void *state)
{
    struct state *s = state;
    for (int cpu = 0; cpu < s->cpus; cpu++)
        tac_bpf_ring_read(&s->rings[cpu], cpu, &s->tail[cpu], hear, s);
}

static size_t map_bytes(const struct state *s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return ((size_t)s->cpus * sizeof(struct tac_bpf_ring) + page - 1) & ~(page - 1);
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
    if (s->rings)
        munmap(s->rings, map_bytes(s));
    bpf_object__close(s->object);
    free(s->tail);
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

static int set_up(struct state *s, const struct tac_kernel_config *config)
{
    (void)config;
    s->cpus = libbpf_num_possible_cpus();
    s->tail = s->cpus > 0 ? calloc((size_t)s->cpus, sizeof *s->tail) : NULL;
    if (!s->tail)
        return s->cpus > 0 ? -ENOMEM : s->cpus;
    s->object = bpf_object__open_mem(tac_bpf_object_begin,
                                     (size_t)(tac_bpf_object_end - tac_bpf_object_begin), NULL);
    if (!s->object)
        return -errno;
    struct bpf_map *map = bpf_object__find_map_by_name(s->object, "rings");
    int error = map ? bpf_map__set_max_entries(map, (uint32_t)s->cpus) : -ENOENT;
    error = error ? error : bpf_object__load(s->object);
    if (error)
        return error;
    void *rings = mmap(NULL, map_bytes(s), PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
    if (rings == MAP_FAILED)
        return -errno;
    s->rings = rings;
    return attach(s);
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
    .read = read_rings,
    .halt = halt,
    .stop = stop,
};

const struct tac_kernel_tier *tac_kernel_tier_bpf_1(void)
{
    return &tier;
}
