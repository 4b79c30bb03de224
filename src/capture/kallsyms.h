/* SPDX-License-Identifier: MIT
 * kallsyms.h - names of the kernel's functions for the addresses that stand in stacks.
 *
 * /proc/kallsyms is read once; then each address is looked up when it is first wanted, and given
 * out once. Threads: one. Memory: about 4 MiB for the table, once there is a stack. */
#ifndef TAC_CAPTURE_KALLSYMS_H
#define TAC_CAPTURE_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

struct tac_kallsyms;

/* NULL when out of memory. Without privilege the addresses read as 0: then nothing has a name. */
struct tac_kallsyms *tac_kallsyms_new(void);
void tac_kallsyms_free(struct tac_kallsyms *symbols); /* NULL is fine */

void tac_kallsyms_want(struct tac_kallsyms *symbols, uint64_t address);

/* Lines "address name\n" of the functions that were wanted since the last call; the text is valid
 * until the next. NULL symbols are fine. */
const char *tac_kallsyms_take_fresh(struct tac_kallsyms *symbols, size_t *ret_bytes);

/* The function that covers an address, or NULL. */
const char *tac_kallsyms_name(const struct tac_kallsyms *symbols, uint64_t address,
                              uint64_t *ret_start);

#endif
