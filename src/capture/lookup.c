/* SPDX-License-Identifier: MIT
 * lookup.c - what a recording says of a key, a thread, an address, a time. Keys and threads are
 * gone through, as there are few; the rest are binary searches. Modules of all processes lie
 * together and over each other: of those that begin below an address the nearest MODULES_BELOW are
 * looked at, so that a recording with a million of them takes no hours. */
#include "capture/capture.h"

#include <string.h>

enum { MODULES_BELOW = 4096 };

const char *tac_capture_meta(const struct tac_capture *capture, const char *key)
{
    for (size_t i = capture->meta_count; i > 0; i--)
        if (!strcmp(capture->meta[i - 1].key, key))
            return capture->meta[i - 1].value;
    return NULL;
}

uint32_t tac_capture_thread_of(const struct tac_capture *capture, uint32_t tid, uint64_t ns)
{
    for (size_t i = 0; i < capture->threads_count; i++)
        if (capture->threads[i].tid == tid && capture->threads[i].begin_ns <= ns &&
            ns <= capture->threads[i].end_ns)
            return (uint32_t)i;
    return TAC_CAPTURE_NONE;
}

const struct tac_capture_module *tac_capture_module_in(const struct tac_capture *capture,
                                                       uint32_t pid, uint64_t address)
{
    size_t i = TAC_CAPTURE_LOWER(capture, modules, start, address + 1);
    for (size_t end = i > MODULES_BELOW ? i - MODULES_BELOW : 0; i > end; i--) {
        const struct tac_capture_module *m = &capture->modules[i - 1];
        if (m->pid == pid && address < m->end)
            return m;
    }
    return NULL;
}

const struct tac_capture_module *tac_capture_module_of(const struct tac_capture *capture,
                                                       uint64_t address)
{
    return tac_capture_module_in(capture, 0, address);
}

const char *tac_capture_symbol_of(const struct tac_capture *capture, uint64_t address)
{
    size_t i = TAC_CAPTURE_LOWER(capture, symbols, address, address + 1);
    return i ? capture->symbols[i - 1].name : NULL;
}

size_t tac_capture_lower(const void *array, size_t count, size_t stride, size_t offset, uint64_t ns)
{
    size_t low = 0;
    while (count) {
        size_t half = count / 2;
        uint64_t at;
        memcpy(&at, (const char *)array + (low + half) * stride + offset, sizeof at);
        if (at < ns) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}
