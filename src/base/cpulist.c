/* SPDX-License-Identifier: MIT
 * cpulist.c - see cpulist.h. */
#include "base/cpulist.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>

/* Digits alone: strtoul would take signs and spaces. */
static bool number(const char **at, unsigned long *ret_number)
{
    char *end;
    if (!isdigit((unsigned char)**at))
        return false;
    *ret_number = strtoul(*at, &end, 10);
    *at = end;
    return *ret_number < TAC_CPULIST_MAX;
}

bool tac_cpulist_parse(const char *list, uint32_t *ret_group)
{
    unsigned long first, last;
    do {
        if (!number(&list, &first))
            return false;
        last = first;
        if (*list == '-') {
            list++;
            if (!number(&list, &last) || last < first)
                return false;
        }
        for (unsigned long cpu = first; ret_group && cpu <= last; cpu++)
            ret_group[cpu / 32] |= 1u << cpu % 32;
    } while (*list == ',' && *++list);
    return !*list;
}
