/* SPDX-License-Identifier: MIT
 * setup.c - reads TACTUS_WATCH; see watch.h for the words. */
#include "watch/watch.h"

#include <stdlib.h>
#include <string.h>
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
    if (!environ)
        return TAC_WATCH_HEAP_SYSTEM;
    const char *heap = word("heap=");
    bool tactus = heap && !strncmp(heap, "tactus", 6) && (heap[6] == ',' || !heap[6]);
    return tac_watch_heap = tactus ? TAC_WATCH_HEAP_TACTUS : TAC_WATCH_HEAP_SYSTEM;
}

const char *tac_watch_record_path(void)
{
    const char *path = word("record=");
    return path && *path ? path : NULL;
}
