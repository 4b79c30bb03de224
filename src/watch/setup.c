/* SPDX-License-Identifier: MIT
 * setup.c - reads TACTUS_WATCH; see watch.h for the words. */
#include "watch/watch.h"

#include "watch/heap_system.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum tac_watch_heap tac_watch_heap;

/* The value of "key=" in the list of words, or NULL. A value ends at a comma, but that of record=,
 * being the last word, may contain some. */
static const char *word(const char *key)
{
    const char *text = environ ? getenv("TACTUS_WATCH") : NULL;
    size_t length = strlen(key);
    while (text && *text) {
        if (!strncmp(text, key, length))
            return text + length;
        if (!strncmp(text, "record=", 7))
            return NULL;
        text = strchr(text, ',');
        text = text ? text + 1 : NULL;
    }
    return NULL;
}

enum tac_watch_heap tac_watch_heap_choose(void)
{
    if (!environ || tac_watch_heap == TAC_WATCH_HEAP_EARLY)
        return TAC_WATCH_HEAP_EARLY;
    tac_watch_heap = TAC_WATCH_HEAP_EARLY; /* what the search allocates itself */
    const char *heap = word("heap=");
    bool tactus = heap && !strncmp(heap, "tactus", 6) && (heap[6] == ',' || !heap[6]);
    tac_system_heap_find();
    return tac_watch_heap = tactus ? TAC_WATCH_HEAP_TACTUS : TAC_WATCH_HEAP_SYSTEM;
}

/* Settings that a program is tried with: all memory locked (lock=1), denormals flushed to zero
 * (ftz=1). New threads inherit the processor's mode from the one that makes them, so what is set
 * before main holds for all. */
static __attribute__((constructor)) void apply_settings(void)
{
    const char *lock = word("lock="), *ftz = word("ftz=");
    if (lock && *lock == '1')
        (void)!mlockall(MCL_CURRENT | MCL_FUTURE);
    if (!ftz || *ftz != '1')
        return;
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040); /* FZ, DAZ */
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1u << 24)); /* FZ */
#endif
}

const char *tac_watch_record_path(void)
{
    const char *path = word("record=");
    return path && *path ? path : NULL;
}
