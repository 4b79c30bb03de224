/* SPDX-License-Identifier: MIT
 * list.c - see list.h. The sort is a merge of the runs that are there already, as (time, index)
 * pairs: a recording of some threads is a few runs for each time that they were drained, and sorted
 * input, the usual case with one thread, costs one walk. */
#include "capture/list.h"

#include "capture/bulk.h"

#include <string.h>

static bool make_room(struct tac_list *list, size_t capacity, size_t item_bytes)
{
    size_t bytes = capacity < SIZE_MAX / item_bytes ? capacity * item_bytes : 0;
    void *data =
        bytes && capacity < UINT32_MAX ? tac_bulk_resize(list->data, list->bytes, bytes) : NULL;
    if (!data) {
        list->failed = true;
        return false;
    }
    list->data = data;
    list->capacity = capacity;
    list->bytes = bytes;
    return true;
}

void *tac_list_add(struct tac_list *list, size_t item_bytes)
{
    if (list->failed)
        return NULL;
    if (list->count == list->capacity &&
        !make_room(list, list->capacity ? list->capacity * 2 : 64, item_bytes))
        return NULL;
    void *item = (char *)list->data + list->count++ * item_bytes;
    memset(item, 0, item_bytes);
    return item;
}

void tac_list_fini(struct tac_list *list)
{
    tac_bulk_free(list->data, list->bytes);
    *list = (struct tac_list){0};
}

/* ---- sorting ---- */

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

/* Where runs begin, and their end behind the last. False: no memory. */
static bool find_runs(const struct tac_list *list, size_t item_bytes, struct tac_list *ret_runs)
{
    for (size_t i = 0; i <= list->count; i++) {
        bool goes_on = i && i < list->count &&
                       time_of(list, item_bytes, i) >= time_of(list, item_bytes, i - 1);
        uint32_t *begin = goes_on ? NULL : tac_list_add(ret_runs, sizeof *begin);
        if (begin)
            *begin = (uint32_t)i;
    }
    return !ret_runs->failed;
}

static void merge(const struct entry *from, struct entry *to, size_t a, size_t b, size_t end)
{
    size_t i = a, j = b;
    for (size_t k = a; k < end; k++)
        to[k] = i < b && (j == end || from[i].time <= from[j].time) ? from[i++] : from[j++];
}

/* Neighbours become one run until there is one; returns whichever of the two arrays holds it. */
static struct entry *merge_runs(struct entry *from, struct entry *to, struct tac_list *runs)
{
    uint32_t *run = runs->data;
    while (runs->count > 2) {
        size_t kept = 0, last = runs->count - 1;
        for (size_t i = 0; i < last; i += 2) {
            size_t b = i + 1, end = i + 2 < last ? i + 2 : last;
            merge(from, to, run[i], run[b], run[end]);
            run[kept++] = run[i];
        }
        run[kept++] = run[last];
        runs->count = kept;
        struct entry *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* Items in the order of the entries; place says where they went. */
static void move(struct tac_list *list, size_t item_bytes, const struct entry *sorted,
                 struct tac_list *moved, struct tac_list *ret_place)
{
    uint32_t *place = ret_place ? ret_place->data : NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (place)
            place[sorted[i].index] = (uint32_t)i;
        memcpy((char *)moved->data + i * item_bytes,
               (const char *)list->data + sorted[i].index * item_bytes, item_bytes);
    }
    moved->count = list->count;
    moved->failed = list->failed;
    if (ret_place)
        ret_place->count = list->count;
    tac_list_fini(list);
    *list = *moved;
    *moved = (struct tac_list){0};
}

static bool sort_runs(struct tac_list *list, size_t item_bytes, struct tac_list *runs,
                      struct tac_list *ret_place)
{
    struct tac_list entries = {0}, moved = {0};
    size_t n = list->count;
    bool good = make_room(&entries, 2 * n, sizeof(struct entry)) &&
                make_room(&moved, n, item_bytes) &&
                (!ret_place || make_room(ret_place, n, sizeof(uint32_t)));
    struct entry *e = entries.data;
    for (size_t i = 0; good && i < n; i++)
        e[i] = (struct entry){time_of(list, item_bytes, i), (uint32_t)i};
    if (good)
        move(list, item_bytes, merge_runs(e, e + n, runs), &moved, ret_place);
    tac_list_fini(&entries);
    tac_list_fini(&moved);
    return good;
}

bool tac_list_sort(struct tac_list *list, size_t item_bytes, struct tac_list *ret_place)
{
    struct tac_list runs = {0};
    bool good = find_runs(list, item_bytes, &runs);
    if (good && runs.count > 2)
        good = sort_runs(list, item_bytes, &runs, ret_place);
    tac_list_fini(&runs);
    return good;
}
