/* SPDX-License-Identifier: MIT
 * order.h - the order of numbers, for qsort(). Threads: any. Real-time: yes. */
#ifndef TAC_BASE_ORDER_H
#define TAC_BASE_ORDER_H

#include <stdint.h>

static inline int tac_compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

#endif
