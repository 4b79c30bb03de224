/* SPDX-License-Identifier: MIT
 * clashes.h - refuses to write over what is being read, before anything is opened. */
#ifndef TAC_CLI_CLASHES_H
#define TAC_CLI_CLASHES_H

#include "cli/patch_player.h"

#include <stdbool.h>

/* Compare the files that will be written (sound, recording, trace) with the patch, the files that
 * it names and the input, and with each other. 0, or negative with a line in err. A patch that
 * cannot be read is no clash: whoever loads it says what is wrong. */
TAC_MUST_CHECK int tac_clashes_refuse(const struct tac_player_config *config,
                                      struct tac_error *err);

/* One such pair: `input` is `what`. 0, or negative with a line in err. */
TAC_MUST_CHECK int tac_clashes_refuse_file(const char *output, const char *input, const char *what,
                                           struct tac_error *err);

/* Are these two names the same plain file, or will they be once it is made? */
bool tac_clashes_same(const char *a, const char *b);

#endif
