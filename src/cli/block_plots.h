/* SPDX-License-Identifier: MIT
 * block_plots.h - what the reference shows of a block, measured on the running block. */
#ifndef TAC_CLI_BLOCK_PLOTS_H
#define TAC_CLI_BLOCK_PLOTS_H

#include "base/text.h"
#include "dsp/block.h"

/* Add all plots of the block; some have none. 0, or -ENOMEM. */
int tac_block_plots(struct tac_text *text, const struct tac_block *block);

#endif
