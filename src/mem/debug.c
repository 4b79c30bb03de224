/* SPDX-License-Identifier: MIT
 * debug.c - the checked entry points; see debug.h. */
#include "mem/debug.h"

#include "mem/api.h"
#include "mem/fast.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVE 0x6c6976652d746163ull
#define FREED 0x6465616464656164ull
#define CANARY 0xfb
#define FILL_NEW 0xa5
#define FILL_FREED 0xdd

enum {
    QUARANTINE_SMALL = 4096, /* blocks of at most SMALL_MAX */
    QUARANTINE_LARGE = 64,   /* and of at most LARGE_MAX; longer ones are not kept back */
    SMALL_MAX = 1 << 16,
    LARGE_MAX = 1 << 24,
    SITE_TEXT = 120,
};

static _Atomic(struct tac_debug_head *) small[QUARANTINE_SMALL], large[QUARANTINE_LARGE];
static _Atomic uint32_t small_turn, large_turn;
static _Atomic uint64_t allocations;

static struct tac_debug_head *head_of(const void *block)
{
    uintptr_t address = (uintptr_t)block - sizeof(struct tac_debug_head);
    return (struct tac_debug_head *)address; /* NOLINT: in front of the block */
}

static unsigned char *block_of(struct tac_debug_head *head)
{
    return (unsigned char *)(head + 1);
}

const char *tac_debug_site(const void *site, char *buffer, size_t size)
{
    Dl_info info;
    if (!dladdr(site, &info) || !info.dli_fname) {
        snprintf(buffer, size, "%p", site);
        return buffer;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    const char *module = slash ? slash + 1 : info.dli_fname;
    size_t offset = (size_t)((const char *)site - (const char *)info.dli_fbase);
    if (info.dli_sname)
        snprintf(buffer, size, "%s (%s+0x%zx)", info.dli_sname, module, offset);
    else
        snprintf(buffer, size, "%s+0x%zx", module, offset);
    return buffer;
}

/* ---- faults ---- */

/* One line, and the end. found: where it was noticed; NULL: at no call of the program. */
static _Noreturn void fault(const char *what, const struct tac_debug_head *head, const void *found)
{
    char a[SITE_TEXT], b[SITE_TEXT], c[SITE_TEXT];
    bool freed = atomic_load(&head->state) == FREED;
    tac_mem_say("heap: %s: block %p of %zu bytes, allocation %llu, at %s%s%s%s%s", what,
                (const void *)(head + 1), head->bytes, (unsigned long long)head->number,
                tac_debug_site(head->alloc_site, a, sizeof a), freed ? ", freed at " : "",
                freed ? tac_debug_site(head->free_site, b, sizeof b) : "",
                found ? ", found at " : "", found ? tac_debug_site(found, c, sizeof c) : "");
    abort();
}

/* The first byte of n that is not the sign; -1: none. */
static long differs(const unsigned char *bytes, unsigned char sign, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != sign)
            return (long)i;
    return -1;
}

static void check_canaries(struct tac_debug_head *head, const void *found)
{
    char what[80];
    if (differs(head->canary, CANARY, TAC_DEBUG_CANARY) >= 0)
        fault("written to before its begin", head, found);
    long at = differs(block_of(head) + head->bytes, CANARY, TAC_DEBUG_CANARY);
    if (at < 0)
        return;
    snprintf(what, sizeof what, "written to %ld bytes behind its end", at);
    fault(what, head, found);
}

static void check_freed(struct tac_debug_head *head)
{
    char what[80];
    long at = differs(block_of(head), FILL_FREED, head->bytes);
    if (at < 0)
        return;
    snprintf(what, sizeof what, "used after it was freed, written at byte %ld", at);
    fault(what, head, NULL);
}

static void check_live(struct tac_debug_head *head)
{
    check_canaries(head, NULL);
}

/* ---- allocation ---- */

/* The core's block becomes ours. */
static void *dress(char *raw, size_t into, size_t bytes, const void *site)
{
    if (!raw)
        return NULL;
    struct tac_debug_head *head = head_of(raw + into);
    *head = (struct tac_debug_head){
        .state = LIVE,
        .bytes = bytes,
        .alloc_site = site,
        .number = atomic_fetch_add(&allocations, 1),
        .into = (uint32_t)into,
    };
    memset(head->canary, CANARY, TAC_DEBUG_CANARY);
    memset(block_of(head) + bytes, CANARY, TAC_DEBUG_CANARY);
    head->slot = tac_debug_live_add(head);
    return block_of(head);
}

static bool too_long(size_t bytes)
{
    if (bytes <= PTRDIFF_MAX - 4 * sizeof(struct tac_debug_head))
        return false;
    errno = ENOMEM;
    return true;
}

void *tac_debug_malloc(size_t bytes, const void *site)
{
    const size_t into = sizeof(struct tac_debug_head);
    if (too_long(bytes))
        return NULL;
    void *block =
        dress(tac_heap_malloc_at(into + bytes + TAC_DEBUG_CANARY, site), into, bytes, site);
    return block ? memset(block, FILL_NEW, bytes) : NULL;
}

void *tac_debug_calloc(size_t count, size_t bytes, const void *site)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = tac_debug_malloc(total, site);
    return block ? memset(block, 0, total) : NULL;
}

void *tac_debug_aligned(size_t alignment, size_t bytes, const void *site)
{
    size_t into =
        alignment > sizeof(struct tac_debug_head) ? alignment : sizeof(struct tac_debug_head);
    if (too_long(bytes) || alignment > UINT32_MAX || too_long(into + bytes))
        return errno = ENOMEM, NULL;
    return dress(tac_api_aligned(alignment, into + bytes + TAC_DEBUG_CANARY, site), into, bytes,
                 site);
}

/* ---- free ---- */

/* A block of ours that is in use; otherwise this does not return. */
static struct tac_debug_head *must_be_live(void *block, const void *site)
{
    char text[SITE_TEXT];
    struct tac_debug_head *head = head_of(block);
    uint64_t state = (uintptr_t)block % 16 ? 0 : atomic_load(&head->state);
    if (state == FREED)
        fault("freed or resized again", head, site);
    if (state != LIVE) {
        tac_mem_say(
            "heap: %p is not the start of a block, or its head was overwritten; found at %s", block,
            tac_debug_site(site, text, sizeof text));
        abort();
    }
    return head;
}

static void free_core(struct tac_debug_head *head)
{
    int busy = tac_thread.busy;
    tac_thread.busy = 1; /* guard and hooks heard of it when it was freed */
    atomic_store(&head->state, 0);
    tac_heap_free_fast((char *)(head + 1) - head->into);
    tac_thread.busy = busy;
}

static void keep_back(struct tac_debug_head *head)
{
    struct tac_debug_head *oldest = head;
    if (head->bytes <= SMALL_MAX)
        oldest = atomic_exchange(&small[atomic_fetch_add(&small_turn, 1) % QUARANTINE_SMALL], head);
    else if (head->bytes <= LARGE_MAX)
        oldest = atomic_exchange(&large[atomic_fetch_add(&large_turn, 1) % QUARANTINE_LARGE], head);
    if (!oldest)
        return;
    check_freed(oldest);
    free_core(oldest);
}

void tac_debug_free(void *block, size_t bytes, const void *site)
{
    if (!block)
        return;
    char text[SITE_TEXT];
    if (!tac_heap_owns(block)) {
        tac_mem_say("heap: free of %p, which is not of this heap, is ignored; found at %s", block,
                    tac_debug_site(site, text, sizeof text));
        tac_heap_free_fast(block);
        return;
    }
    if (tac_thread.guard && !tac_thread.busy)
        tac_guard_pass(0, true, site);
    struct tac_debug_head *head = must_be_live(block, site);
    check_canaries(head, site);
    if (bytes != SIZE_MAX && bytes != head->bytes)
        fault("freed with a size that it does not have", head, site);
    uint64_t state = LIVE;
    head->free_site = site;
    if (!atomic_compare_exchange_strong(&head->state, &state, FREED))
        fault("freed by two threads at once", head, site);
    tac_debug_live_remove(head->slot);
    memset(block, FILL_FREED, head->bytes);
    keep_back(head);
}

void *tac_debug_realloc(void *block, size_t bytes, const void *site)
{
    if (!block)
        return tac_debug_malloc(bytes, site);
    if (!bytes) {
        tac_debug_free(block, SIZE_MAX, site);
        return NULL;
    }
    if (!tac_heap_owns(block))
        return errno = ENOMEM, NULL;
    struct tac_debug_head *head = must_be_live(block, site);
    void *moved = tac_debug_malloc(bytes, site);
    if (!moved)
        return NULL;
    memcpy(moved, block, head->bytes < bytes ? head->bytes : bytes);
    tac_debug_free(block, SIZE_MAX, site);
    return moved;
}

size_t tac_debug_usable(void *block)
{
    return block && tac_heap_owns(block) ? must_be_live(block, __builtin_return_address(0))->bytes
                                         : 0;
}

/* ---- the end ---- */

__attribute__((destructor)) static void look_at_all(void)
{
    if (!tac_mem_reports_here())
        return;
    for (unsigned i = 0; i < QUARANTINE_SMALL; i++) {
        struct tac_debug_head *head = atomic_exchange(&small[i], NULL);
        if (head)
            check_freed(head);
    }
    for (unsigned i = 0; i < QUARANTINE_LARGE; i++) {
        struct tac_debug_head *head = atomic_exchange(&large[i], NULL);
        if (head)
            check_freed(head);
    }
    tac_debug_leaks(check_live);
}
