/* SPDX-License-Identifier: MIT
 * list.h - growing arrays for the reader, and a stable sort by a leading 64-bit time. */
#ifndef TAC_CAPTURE_LIST_H
#define TAC_CAPTURE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tac_list {
    void *data;
    size_t count, capacity;
    size_t bytes; /* of data, see bulk.h */
    bool failed;  /* memory ran out: nothing is added any more */
};

/* Room for one more item of this size, zeroed; NULL when memory ran out. */
void *tac_list_add(struct tac_list *list, size_t item_bytes);
void tac_list_fini(struct tac_list *list);

/* Sort items by the uint64_t that each begins with; equal ones keep their order. ret_place (may be
 * NULL): uint32_t items, item i is the new index of old item i; empty when nothing moved. False
 * when memory ran out. */
bool tac_list_sort(struct tac_list *list, size_t item_bytes, struct tac_list *ret_place);

#endif
