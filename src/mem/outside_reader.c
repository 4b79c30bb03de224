/* SPDX-License-Identifier: MIT
 * outside_reader.c - finds and copies the heap of another process; see outside.h.
 *
 * Nothing that comes from the other side is followed or trusted: addresses are only handed to
 * process_vm_readv, sizes must give the same layout that this build computes from two numbers with
 * known limits, and pointers of the copy are replaced by our own. What may still be wrong after
 * that are numbers that are printed. */
#include "mem/outside.h"

#include "base/bits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

static char *copy; /* the local tables */
static size_t copy_bytes;

static int read_remote(pid_t pid, uint64_t address, void *to, size_t bytes)
{
    while (bytes) {
        struct iovec here = {to, bytes};
        struct iovec there = {(void *)(uintptr_t)address, bytes}; /* NOLINT: of the other process */
        ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (n <= 0)
            return n < 0 ? -errno : -EFAULT;
        to = (char *)to + n;
        address += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* "begin-end rw-p 00000000 00:00 0": private memory of no file. */
static bool is_anonymous(const char *line, uint64_t *ret_begin)
{
    uint64_t end, offset, inode;
    char mode[5];
    unsigned major, minor;
    return sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, ret_begin, &end,
                  mode, &offset, &major, &minor, &inode) == 7 &&
           !strcmp(mode, "rw-p") && inode == 0;
}

int tac_outside_find(pid_t pid, uint64_t *ret_address, int max)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return errno == ENOENT ? -ESRCH : -errno;
    int n = 0, refused = 0;
    while (fgets(line, sizeof line, maps) && n < max) {
        uint64_t begin;
        char magic[sizeof TAC_OUTSIDE_MAGIC];
        if (!is_anonymous(line, &begin))
            continue;
        int r = read_remote(pid, begin, magic, sizeof magic - 1);
        if (r == -EPERM || r == -ESRCH)
            refused = r;
        else if (r == 0 && !memcmp(magic, TAC_OUTSIDE_MAGIC, sizeof magic - 1))
            ret_address[n++] = begin;
    }
    fclose(maps);
    return n ? n : refused;
}

static int corrupt(struct tac_error *err, const char *what)
{
    return tac_error_set(err, -TAC_E_CORRUPT, NULL, 0, 0, "the program's heap cannot be read: %s",
                         what);
}

static int lost(struct tac_error *err, int code)
{
    return tac_error_set(err, code, NULL, 0, 0, "%s",
                         code == -ESRCH ? "the program has ended" : strerror(-code));
}

static int check_head(const struct tac_outside *head, uint64_t address, struct tac_error *err)
{
    if (memcmp(head->magic, TAC_OUTSIDE_MAGIC, sizeof head->magic) != 0 || head->self != address)
        return corrupt(err, "there is no heap at that address");
    if (head->version != TAC_OUTSIDE_VERSION || head->layout != tac_outside_layout() ||
        head->mem_bytes != sizeof tac_mem)
        return tac_error_set(err, -TAC_E_VERSION, NULL, 0, 0,
                             "the program runs the heap of another build of Tactus; use the "
                             "command of that build");
    return 0;
}

/* Room for the tables, zeroed. */
static int make_room(size_t bytes, struct tac_error *err)
{
    if (copy)
        munmap(copy, copy_bytes);
    copy_bytes = bytes;
    copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
    if (copy != MAP_FAILED)
        return 0;
    copy = NULL;
    return tac_error_set(err, -ENOMEM, NULL, 0, 0, "no memory for a copy of the heap's tables");
}

/* Thread heaps are taken in order: the first that no thread ever had ends them. */
static int read_heaps(pid_t pid, uint64_t from)
{
    for (unsigned i = 0; i < tac_mem.threads; i++) {
        int r = read_remote(pid, from + i * sizeof(struct tac_heap), &tac_mem.heaps[i],
                            sizeof(struct tac_heap));
        if (r || !tac_mem.heaps[i].begun)
            return r;
    }
    return 0;
}

static int read_tables(pid_t pid, const struct tac_outside *head, const struct tac_mem_layout *l)
{
    size_t units = atomic_load(&tac_mem.fresh_unit);
    units = units < tac_mem.units ? units : tac_mem.units;
    size_t lines = units << TAC_SLAB_SHIFT;
    uint64_t remotes = head->tables + l->lines, spans = remotes + l->remotes;
    int r = read_remote(pid, head->tables, tac_mem.lines, lines);
    if (r == 0)
        r = read_remote(pid, remotes, tac_mem.remotes, 3 * lines);
    if (r == 0)
        r = read_remote(pid, spans, tac_mem.remotes + l->remotes, l->spans);
    return r ? r : read_heaps(pid, spans + l->spans);
}

int tac_outside_load(pid_t pid, uint64_t address, struct tac_error *err)
{
    static struct tac_outside head;
    static struct tac_mem remote;
    int r = read_remote(pid, address, &head, sizeof head);
    if (r)
        return lost(err, r);
    r = check_head(&head, address, err);
    if (r)
        return r;
    r = read_remote(pid, head.mem, &remote, sizeof remote);
    if (r)
        return lost(err, r);
    size_t arena = (size_t)head.arena_bytes;
    if (arena != head.arena_bytes || !arena || arena >> TAC_UNIT_SHIFT > TAC_SPANS_UNITS_MAX ||
        arena != tac_align_up(arena, (size_t)TAC_CHUNK_UNITS * TAC_UNIT_BYTES) || !remote.threads ||
        remote.threads > TAC_HEAP_THREADS_MAX)
        return corrupt(err, "its sizes make no sense");
    struct tac_mem_layout l = tac_mem_lay_out(arena, remote.threads);
    if (head.table_bytes != l.tables)
        return corrupt(err, "its tables have the wrong length");
    r = make_room(l.total - l.arena, err);
    if (r)
        return r;
    memcpy(&tac_mem, &remote, sizeof tac_mem);
    tac_mem.hooks = NULL;
    tac_mem_place(copy, &l);
    tac_mem.bytes = arena;
    memcpy(copy, &head, sizeof head);
    r = read_tables(pid, &head, &l);
    return r ? lost(err, r) : 0;
}

void tac_outside_each_pool(pid_t pid, void (*visit)(const struct tac_pool_stats *stats, void *user),
                           void *user)
{
    for (unsigned i = 0; i < TAC_OUTSIDE_POOLS; i++) {
        uint64_t address = (uintptr_t)atomic_load(&tac_outside()->pool[i]);
        struct tac_outside_pool pool;
        if (!address || read_remote(pid, address, &pool, sizeof pool))
            continue;
        char name[TAC_OUTSIDE_NAME];
        snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, pool.name);
        for (char *c = name; *c; c++) /* it goes to a terminal */
            *c = (unsigned char)*c < ' ' || *c == 127 ? '?' : *c;
        struct tac_pool_stats stats = {
            .name = name,
            .object_bytes = (size_t)pool.object_bytes,
            .count = pool.count,
            .used = atomic_load(&pool.used),
            .used_peak = atomic_load(&pool.used_peak),
            .gets = atomic_load(&pool.gets),
            .failures = atomic_load(&pool.failures),
            .steals = atomic_load(&pool.steals),
        };
        visit(&stats, user);
    }
}

static int write_remote(pid_t pid, uint64_t address, const void *from, size_t bytes)
{
    struct iovec here = {(void *)(uintptr_t)from, bytes};     /* read only */
    struct iovec there = {(void *)(uintptr_t)address, bytes}; /* NOLINT: of the other process */
    ssize_t n = process_vm_writev(pid, &here, 1, &there, 1, 0);
    return n == (ssize_t)bytes ? 0 : n < 0 ? -errno : -EFAULT;
}

int tac_outside_sample(pid_t pid, uint64_t address, uint32_t bytes, int32_t samples)
{
    int r = write_remote(pid, address + offsetof(struct tac_outside, sample_bytes), &bytes,
                         sizeof bytes);
    return r ? r
             : write_remote(pid, address + offsetof(struct tac_outside, samples_wanted), &samples,
                            sizeof samples);
}
