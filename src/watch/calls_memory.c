/* SPDX-License-Identifier: MIT
 * calls_memory.c - changes of the address space. (mlockall: heap_entry.c.) */
#undef _FILE_OFFSET_BITS

#include "watch/calls.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

WRAP(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
     (at, n, prot, flags, fd, offset))
WRAP_AS("mmap", void *, mmap64, (void *at, size_t n, int prot, int flags, int fd, off64_t offset),
        (at, n, prot, flags, fd, offset))
WRAP(int, munmap, (void *at, size_t n), (at, n))
WRAP(int, mprotect, (void *at, size_t n, int prot), (at, n, prot))
WRAP(int, madvise, (void *at, size_t n, int advice), (at, n, advice))
WRAP(int, posix_madvise, (void *at, size_t n, int advice), (at, n, advice))
WRAP(int, mlock, (const void *at, size_t n), (at, n))
WRAP(int, mlock2, (const void *at, size_t n, unsigned flags), (at, n, flags))
WRAP(int, munlock, (const void *at, size_t n), (at, n))
WRAP(int, munlockall, (void), ())
WRAP(int, msync, (void *at, size_t n, int flags), (at, n, flags))
WRAP(int, brk, (void *end), (end))
WRAP(void *, sbrk, (intptr_t bytes), (bytes))
WRAP(int, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode))
WRAP(int, shm_unlink, (const char *name), (name))
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(void *, shmat, (int id, const void *at, int flags), (id, at, flags))
WRAP(int, shmdt, (const void *at), (at))

/* The fifth argument is there only with MREMAP_FIXED. */
TAC_WATCH_EXPORT void *mremap(void *at, size_t old, size_t bytes, int flags, ...)
{
    TAC_WATCH_SITE(site, "mremap");
    void *to = NULL;
    if (flags & MREMAP_FIXED) {
        va_list args;
        va_start(args, flags);
        to = va_arg(args, void *);
        va_end(args);
    }
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    void *result = TAC_WATCH_REAL(mremap)(at, old, bytes, flags, to);
    tac_watch_call_end(&call);
    return result;
}
