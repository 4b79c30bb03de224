/* SPDX-License-Identifier: MIT
 * list.c - see list.h. The sort is a bottom-up merge of (time, index) pairs; sorted input, the
 * usual case with one thread, costs one walk. */
#include "capture/list.h"

#include <stdlib.h>
#include <string.h>

void *tac_list_add(struct tac_list *list, size_t item_bytes)
{
    if (list->failed)
        return NULL;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        void *data = capacity < SIZE_MAX / item_bytes && capacity < UINT32_MAX
                         ? realloc(list->data, capacity * item_bytes)
                         : NULL;
        if (!data) {
            list->failed = true;
            return NULL;
        }
        list->data = data;
        list->capacity = capacity;
    }
    void *item = (char *)list->data + list->count++ * item_bytes;
    memset(item, 0, item_bytes);
    return item;
}

void tac_list_fini(struct tac_list *list)
{
    free(list->data);
    *list = (struct tac_list){0};
}

struct entry {
    uint64_t time;
    uint32_t index;
};

static uint64_t time_of(const struct tac_list *list, size_t item_bytes, size_t i)
{
    uint64_t time;
    memcpy(&time, (const char *)list->data + i * item_bytes, sizeof time);
    return time;
}

static bool is_sorted(const struct tac_list *list, size_t item_bytes)
{
    for (size_t i = 1; i < list->count; i++)
        if (time_of(list, item_bytes, i) < time_of(list, item_bytes, i - 1))
            return false;
    return true;
}

static void merge(const struct entry *from, struct entry *to, size_t a, size_t b, size_t end)
{
    size_t i = a, j = b;
    for (size_t k = a; k < end; k++)
        to[k] = i < b && (j == end || from[i].time <= from[j].time) ? from[i++] : from[j++];
}

/* Sorts; returns whichever of the two arrays holds the result. */
static struct entry *merge_sort(struct entry *from, struct entry *to, size_t n)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t a = 0; a < n; a += 2 * width) {
            size_t b = a + width < n ? a + width : n;
            merge(from, to, a, b, b + width < n ? b + width : n);
        }
        struct entry *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

bool tac_list_sort(struct tac_list *list, size_t item_bytes, uint32_t **ret_place)
{
    size_t n = list->count;
    if (ret_place)
        *ret_place = NULL;
    if (is_sorted(list, item_bytes))
        return true;
    struct entry *entries = malloc(2 * n * sizeof *entries);
    char *moved = malloc(n * item_bytes);
    uint32_t *place = malloc(n * sizeof *place);
    bool good = entries && moved && place;
    if (good) {
        for (size_t i = 0; i < n; i++)
            entries[i] = (struct entry){time_of(list, item_bytes, i), (uint32_t)i};
        const struct entry *sorted = merge_sort(entries, entries + n, n);
        for (size_t i = 0; i < n; i++) {
            place[sorted[i].index] = (uint32_t)i;
            memcpy(moved + i * item_bytes, (const char *)list->data + sorted[i].index * item_bytes,
                   item_bytes);
        }
        free(list->data);
        list->data = moved;
        list->capacity = n;
    } else {
        free(moved);
    }
    free(entries);
    if (good && ret_place)
        *ret_place = place;
    else
        free(place);
    return good;
}
