/* SPDX-License-Identifier: MIT
 * site.h - how the helper reads the sites that records point to.
 *
 * A module may have been unloaded since, so a site is read through the kernel (process_vm_readv on
 * the own process), which answers EFAULT where a plain read would crash. Each site is written once
 * a recording. Helper thread only, except tac_trace_site_new. */
#ifndef TAC_TRACE_SITE_H
#define TAC_TRACE_SITE_H

#include <stdbool.h>
#include <stdint.h>

enum { TAC_SITES_MAX = 65536 };

struct tac_site_table {
    uint64_t *slot; /* open addressing, 2 * TAC_SITES_MAX, 0 = empty */
    uint32_t count;
};

int tac_site_table_init(struct tac_site_table *table);
void tac_site_table_fini(struct tac_site_table *table);
void tac_site_table_clear(struct tac_site_table *table);

/* True when the address was not in the table and now is. */
bool tac_site_table_add(struct tac_site_table *table, uint64_t address);

enum { TAC_SITE_PAYLOAD_MAX = 16 + 4 * 256 };

/* The payload of a SITE chunk; returns its bytes. An unreadable site has the name "?". */
uint32_t tac_site_resolve(uint64_t address, unsigned char *ret_payload);

#endif
