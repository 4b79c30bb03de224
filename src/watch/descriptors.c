/* SPDX-License-Identifier: MIT
 * descriptors.c - see descriptors.h. One bit a descriptor; who asks is told by the address of the
 * call. */
#include "watch/descriptors.h"

#include "watch/calls.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DESCRIPTORS = 8192, WORD = 64 };

static _Atomic uint64_t kept[DESCRIPTORS / WORD], sound[DESCRIPTORS / WORD];

static inline bool is_in(const _Atomic uint64_t *set, unsigned fd)
{
    return fd < DESCRIPTORS &&
           TAC_UNLIKELY(atomic_load_explicit(&set[fd / WORD], memory_order_relaxed) >> (fd % WORD) &
                        1);
}

static inline bool is_kept(unsigned fd)
{
    return is_in(kept, fd);
}

void tac_descriptor_keep(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_fetch_or(&kept[fd / WORD], 1ull << (fd % WORD));
}

static void take_out(_Atomic uint64_t *set, int fd)
{
    atomic_fetch_and(&set[fd / WORD], ~(1ull << (fd % WORD)));
}

bool tac_descriptor_is_sound(int fd)
{
    enum { OSS = 14, ALSA = 116 }; /* Documentation/admin-guide/devices.txt of Linux */
    if (is_in(sound, (unsigned)fd))
        return true;
    struct stat st;
    int before = errno;
    bool found = TAC_WATCH_REAL(fstat)(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
                 (major(st.st_rdev) == ALSA || major(st.st_rdev) == OSS);
    errno = before;
    if (found && fd < DESCRIPTORS)
        atomic_fetch_or(&sound[fd / WORD], 1ull << (fd % WORD));
    return found;
}

void tac_descriptor_forget_all(void)
{
    for (int i = 0; i < DESCRIPTORS / WORD; i++)
        atomic_store(&kept[i], 0);
}

/* The code of this library and of the recorder's. Found beforehand: dladdr takes the loader's lock.
 */
static struct {
    uintptr_t from, to;
} code[2];

static int find_code(struct dl_phdr_info *info, size_t size, void *unused)
{
    uintptr_t inside[2] = {(uintptr_t)&kept, (uintptr_t)&tac_trace_mask};
    uintptr_t low = UINTPTR_MAX, high = 0;
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr;
        low = p->p_type == PT_LOAD && from < low ? from : low;
        high = p->p_type == PT_LOAD && from + p->p_memsz > high ? from + p->p_memsz : high;
    }
    for (int i = 0; i < 2; i++)
        if (inside[i] >= low && inside[i] < high) {
            code[i].from = low;
            code[i].to = high;
        }
    return 0;
}

static __attribute__((constructor)) void find_all_code(void)
{
    dl_iterate_phdr(find_code, NULL);
}

bool tac_descriptor_is_our_code(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    return (at >= code[0].from && at < code[0].to) || (at >= code[1].from && at < code[1].to);
}

TAC_WATCH_EXPORT int close(int fd)
{
    TAC_WATCH_SITE(site, "close");
    if (is_kept((unsigned)fd)) {
        if (!tac_descriptor_is_our_code(TAC_WATCH_CALLER)) {
            errno = EBADF; /* as if it were not there */
            return -1;
        }
        take_out(kept, fd);
    }
    if (is_in(sound, (unsigned)fd))
        take_out(sound, fd);
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = TAC_WATCH_REAL(close)(fd);
    tac_watch_call_end(&call);
    return r;
}

/* Around what is kept. */
static int close_between(unsigned from, unsigned to, int flags)
{
    int r = 0;
    for (unsigned fd = from; fd <= to && fd < DESCRIPTORS && r == 0; fd++)
        if (is_kept(fd)) {
            r = fd > from ? TAC_WATCH_REAL(close_range)(from, fd - 1, flags) : 0;
            from = fd + 1;
        }
    return r == 0 && from <= to ? TAC_WATCH_REAL(close_range)(from, to, flags) : r;
}

TAC_WATCH_EXPORT int close_range(unsigned from, unsigned to, int flags)
{
    TAC_WATCH_SITE(site, "close_range");
    for (unsigned fd = from; fd <= to && fd < DESCRIPTORS; fd++)
        if (is_in(sound, fd))
            take_out(sound, (int)fd);
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = close_between(from, to, flags);
    tac_watch_call_end(&call);
    return r;
}

TAC_WATCH_EXPORT void closefrom(int from)
{
    if (close_range(from > 0 ? (unsigned)from : 0, UINT_MAX, 0) == 0)
        return;
    for (int fd = from; fd < DESCRIPTORS; fd++) /* a kernel before 5.9 */
        close(fd);
}
