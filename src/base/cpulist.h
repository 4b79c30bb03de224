/* SPDX-License-Identifier: MIT
 * cpulist.h - processors as the kernel and its tools write them: "0-3,6". For control threads. */
#ifndef TAC_BASE_CPULIST_H
#define TAC_BASE_CPULIST_H

#include <stdbool.h>
#include <stdint.h>

enum { TAC_CPULIST_MAX = 256 }; /* processors 0 .. 255 */

/* Sets the bit of each in ret_group[cpu / 32], which may be NULL. False where the text is none such
 * list, or names a processor beyond TAC_CPULIST_MAX. */
bool tac_cpulist_parse(const char *list, uint32_t *ret_group);

#endif
