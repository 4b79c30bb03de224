/* SPDX-License-Identifier: MIT
 * lock_all.c - mlockall() for a process whose heap has reserved more address space than it uses.
 *
 * The kernel's mlockall populates every mapping, and a reservation of the size of the machine's
 * memory with it: the process would be killed. So the call is made in three steps: all mappings are
 * marked to be locked when first touched; then every mapping but the heap's is locked, and thereby
 * populated, by name; then the rule for future mappings is set as it was asked for. Pages of the
 * heap are locked as they are touched; TACTUS_HEAP=size= populates and locks them at start.
 *
 * Threads: control. Real-time: no. Uses the stack and read(2) alone. */
#include "mem/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

/* First address of the heap's mapping, and the one behind its arena, where the rest of the mapping
 * begins, which nobody uses; the kernel may tell them apart. An unopened heap has none. */
static bool is_heap(uintptr_t begin, uintptr_t end)
{
    uintptr_t first = (uintptr_t)tac_mem.lines;
    uintptr_t last = tac_mem.base + (tac_mem.units << TAC_UNIT_SHIFT);
    return tac_mem.bytes && begin <= last && end > first;
}

/* A line of /proc/self/maps starts with "begin-end". Mappings that cannot be populated (no access,
 * devices) refuse, as they do for the kernel's own mlockall. */
static void lock_line(const char *line)
{
    char *after;
    uintptr_t begin = (uintptr_t)strtoull(line, &after, 16);
    uintptr_t end = *after == '-' ? (uintptr_t)strtoull(after + 1, NULL, 16) : 0;
    if (end > begin && !is_heap(begin, end))
        (void)!mlock((const void *)begin, end - begin); /* NOLINT: an address from the kernel */
}

static int lock_mappings(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    char line[64], chunk[4096];
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < got; i++) {
            if (chunk[i] == '\n') {
                line[length] = 0;
                lock_line(line);
                length = 0;
            } else if (length < sizeof line - 1) {
                line[length++] = chunk[i];
            }
        }
    close(fd);
    return got < 0 ? -1 : 0;
}

int tac_heap_lock_process(int flags)
{
    if (!tac_mem.lazy || !(flags & MCL_CURRENT) || flags & MCL_ONFAULT)
        return (int)syscall(SYS_mlockall, flags);
    if (syscall(SYS_mlockall, MCL_CURRENT | MCL_ONFAULT) || lock_mappings())
        return -1;
    return flags & MCL_FUTURE ? (int)syscall(SYS_mlockall, MCL_FUTURE) : 0;
}
