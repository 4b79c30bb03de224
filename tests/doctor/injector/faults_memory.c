/* SPDX-License-Identifier: MIT
 * faults_memory.c - the heap, first touches, copies after a fork, files that are not in memory, and
 * the lock of the address space. */
#include "injector.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, HUGE_BYTES = 2 << 20 };

/* ---- the heap ---- */

static void strike_storm(uint64_t want_ns)
{
    static void *block[400];
    for (uint64_t end = now() + want_ns; now() < end;) {
        for (int i = 0; i < 400; i++)
            block[i] = heap_get((size_t)(8 + i % 60));
        for (int i = 0; i < 400; i++)
            heap_put(block[i]);
    }
}

static void prepare_one_arena(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 0);
}

static void strike_heap(uint64_t want_ns)
{
    void *block[64];
    for (uint64_t end = now() + want_ns; now() < end;) {
        for (int i = 0; i < 64; i++)
            block[i] = heap_get((size_t)(1200 + i * 40));
        for (int i = 0; i < 64; i++)
            heap_put(block[i]);
    }
}

/* Large operations under the arena's lock, without pause. */
static void help_heap(void)
{
    static void *block[256];
    for (int i = 0; i < 256; i++)
        block[i] = heap_get((size_t)(1100 + (i * 7919) % 50000));
    for (int i = 0; i < 256; i++)
        heap_put(block[i]);
}

/* ---- pages ---- */

/* Memory that nobody has touched yet. */
struct region {
    char *at;
    size_t used, bytes;
};

static struct region small, huge; /* by the size of their pages */

static char *map(size_t bytes, int advice)
{
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        abort();
    madvise(p, bytes, advice);
    return p;
}

static void map_fresh(struct region *r, int advice)
{
    r->bytes = (size_t)3 << 30 >> (sizeof(void *) == 4 ? 2 : 0);
    r->at = map(r->bytes, advice);
    r->used = -(uintptr_t)r->at & (HUGE_BYTES - 1);
}

static void prepare_touch(void)
{
    map_fresh(&small, MADV_NOHUGEPAGE);
}

static void touch_pages(char *at, size_t *used, size_t bytes, uint64_t want_ns)
{
    for (uint64_t end = now() + want_ns; now() < end && *used + 16 * PAGE < bytes;)
        for (int i = 0; i < 16; i++, *used += PAGE)
            at[*used] = 1;
}

static void strike_touch(uint64_t want_ns)
{
    touch_pages(small.at, &small.used, small.bytes, want_ns);
}

static void prepare_huge(void)
{
    map_fresh(&huge, MADV_HUGEPAGE);
}

static void strike_huge(uint64_t want_ns)
{
    for (uint64_t end = now() + want_ns; now() < end && huge.used < huge.bytes;
         huge.used += HUGE_BYTES)
        huge.at[huge.used + 4096 * 3] = 1;
}

/* A child that keeps the pages of the parent shared, so that each write copies. */
static char *shared_pages;
static size_t shared_used, shared_bytes = (size_t)192 << 20;

static void prepare_copy(void)
{
    shared_pages = map(shared_bytes, MADV_NOHUGEPAGE);
    memset(shared_pages, 1, shared_bytes);
}

static void sleep_until_orphaned(pid_t parent)
{
    while (getppid() == parent)
        sleep_ns(5000000);
    _exit(0);
}

static pid_t copier;

static void drop_copier(void)
{
    if (copier > 0) {
        kill(copier, SIGKILL);
        waitpid(copier, NULL, 0);
    }
}

/* Fork afresh now and then: the pages copied last are shared again. */
static void help_copy(void)
{
    static unsigned last;
    unsigned at = atomic_load(&tick);
    if (!copier || at - last > 200) {
        pid_t parent = getpid();
        drop_copier();
        last = at;
        uint64_t from = now();
        copier = fork();
        if (copier == 0)
            sleep_until_orphaned(parent);
        injector_outside("fork", from, now());
    }
    sleep_ns(period_ns);
    if (!atomic_load(&running))
        drop_copier();
}

static void strike_copy(uint64_t want_ns)
{
    if (shared_used + (16 << 20) > shared_bytes)
        shared_used = 0;
    touch_pages(shared_pages, &shared_used, shared_bytes, want_ns);
}

/* ---- a file that the kernel has dropped from memory ---- */

static char *file_pages;
static size_t file_bytes = (size_t)256 << 20, file_used;
static int file_fd = -1;

static void prepare_file(void)
{
    char path[] = "/var/tmp/tactus-injector-XXXXXX";
    static char block[1 << 20];
    file_fd = mkstemp(path);
    unlink(path);
    memset(block, 7, sizeof block);
    for (size_t i = 0; i < file_bytes; i += sizeof block)
        if (write(file_fd, block, sizeof block) < 0)
            abort();
    fsync(file_fd);
    posix_fadvise(file_fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(file_fd, 0, 0, POSIX_FADV_RANDOM);
    file_pages = mmap(NULL, file_bytes, PROT_READ, MAP_PRIVATE, file_fd, 0);
    if (file_pages == MAP_FAILED)
        abort();
    madvise(file_pages, file_bytes, MADV_RANDOM);
}

static void strike_file(uint64_t want_ns)
{
    static volatile char seen;
    for (uint64_t end = now() + want_ns; now() < end && file_used < file_bytes;
         file_used += 16 * PAGE)
        seen = file_pages[file_used];
    (void)seen;
}

/* ---- the lock of the address space ---- */

static char *big;
static size_t big_bytes = (size_t)512 << 20;
static double protect_bytes_per_ns;

static void prepare_big(void)
{
    big = map(big_bytes, MADV_NOHUGEPAGE);
    memset(big, 1, big_bytes);
}

static uint64_t protect(size_t bytes)
{
    static int writable = 1;
    uint64_t from = now();
    writable = !writable;
    mprotect(big, bytes & ~(size_t)(PAGE - 1), writable ? PROT_READ | PROT_WRITE : PROT_READ);
    return now() - from;
}

static void prepare_mapping(void)
{
    prepare_big();
    protect(big_bytes / 4);
    protect_bytes_per_ns = (double)(big_bytes / 4) / (double)protect(big_bytes / 4);
}

/* Changes the protection of as many pages as take the time wanted: the lock is held for writing all
 * the while. */
static void help_protect(void)
{
    unsigned at = atomic_load(&tick) + 1;
    once_fifo(50);
    if (is_struck(at)) {
        double bytes = (double)(period_ns / 8 + strike_ns(at)) * protect_bytes_per_ns;
        wait_until(release_of(at) - period_ns / 8);
        protect(bytes < (double)big_bytes ? (size_t)bytes : big_bytes);
    }
    sleep_ns(period_ns / 8);
}

/* Needs the same lock once. */
static void strike_map(uint64_t want_ns)
{
    (void)want_ns;
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED)
        munmap(p, PAGE);
}

static void help_fork(void)
{
    unsigned at = atomic_load(&tick) + 1;
    if (is_struck(at)) {
        wait_until(release_of(at) - period_ns / 8);
        uint64_t from = now();
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
        injector_outside("fork", from, now());
    }
    sleep_ns(period_ns / 8);
}

/* A few first touches, which need the address space for a moment each. */
static void strike_few(uint64_t want_ns)
{
    (void)want_ns;
    for (int i = 0; i < 16 && small.used + PAGE < small.bytes; i++, small.used += PAGE)
        small.at[small.used] = 1;
}

static void prepare_fork(void)
{
    big_bytes = (size_t)192 << 20;
    prepare_big();
    map_fresh(&small, MADV_NOHUGEPAGE);
}

/* ---- a memory cgroup that is full ---- */

static void put_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        fprintf(stderr, "injector: %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static char group[96];

static void leave_group(void)
{
    put_text("/sys/fs/cgroup/memory/cgroup.procs", "0");
    rmdir(group);
}

static double touch_ns; /* the first touch of a page while there is room */

/* In a virtual machine the host has to provide a page where none was before: the second round and
 * the third tell what they cost the kernel. */
static void measure_touch(void)
{
    enum { PROBE = 4096, ROUNDS = 3 };
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = now();
        for (size_t i = 0; i < PROBE; i++)
            small.at[small.used + i * PAGE] = 1;
        uint64_t took = now() - from;
        best = took < best ? took : best;
        madvise(small.at + small.used, (size_t)PROBE * PAGE, MADV_DONTNEED);
    }
    touch_ns = (double)best / PROBE;
}

static void prepare_reclaim(void)
{
    char path[160], number[32];
    prepare_file();
    map_fresh(&small, MADV_NOHUGEPAGE);
    measure_touch();
    snprintf(group, sizeof group, "/sys/fs/cgroup/memory/tactus-%d", getpid());
    mkdir(group, 0755);
    atexit(leave_group);
    snprintf(path, sizeof path, "%s/memory.limit_in_bytes", group);
    snprintf(number, sizeof number, "%d", 64 << 20);
    put_text(path, number);
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    put_text(path, "0");
}

static atomic_size_t given_back;

/* Keep the group full of pages that wait to be written to the disk, which a search for room has to
 * wait for; and give back what was touched. */
static void help_reclaim(void)
{
    static char block[1 << 18];
    static size_t at;
    if (pwrite(file_fd, block, sizeof block, (off_t)at) < 0)
        abort();
    at = (at + sizeof block) % file_bytes;
    size_t upto = atomic_load(&given_back);
    if (upto)
        madvise(small.at, upto, MADV_DONTNEED);
}

/* What the touches would have cost with room is theirs, the rest is the search for room. */
static void strike_reclaim(uint64_t want_ns)
{
    size_t before = small.used;
    touch_pages(small.at, &small.used, small.bytes, want_ns);
    injector_part("touch", (uint64_t)((double)(small.used - before) / PAGE * touch_ns));
    atomic_store(&given_back, small.used & ~(size_t)(PAGE - 1));
}

const struct fault faults_memory[] = {
    {"storm", NULL, strike_storm, NULL, FAULT_CPU},
    {"heap", prepare_one_arena, strike_heap, help_heap, 0},
    {"touch", prepare_touch, strike_touch, NULL, FAULT_CPU},
    {"huge", prepare_huge, strike_huge, NULL, FAULT_CPU},
    {"copy", prepare_copy, strike_copy, help_copy, FAULT_CPU},
    {"file", prepare_file, strike_file, NULL, 0},
    {"mapping", prepare_mapping, strike_map, help_protect, 0},
    {"fork", prepare_fork, strike_few, help_fork, FAULT_OUTSIDE},
    {"reclaim", prepare_reclaim, strike_reclaim, help_reclaim, 0},
    {0},
};
