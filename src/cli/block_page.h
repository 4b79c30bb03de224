/* SPDX-License-Identifier: MIT
 * block_page.h - the catalogue of blocks as one HTML page with plots. */
#ifndef TAC_CLI_BLOCK_PAGE_H
#define TAC_CLI_BLOCK_PAGE_H

#include "base/text.h"
#include "dsp/block.h"

/* block: [count]. 0, or -ENOMEM. */
int tac_block_page(struct tac_text *text, const struct tac_block *const *block, unsigned count);

/* A value as a patch would write it; the name of a unit. */
void tac_block_value(const struct tac_param *param, float value, char *buffer, size_t size);
const char *tac_block_unit(enum tac_unit unit);

#endif
