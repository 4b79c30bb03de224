/* SPDX-License-Identifier: MIT
 * readings.h - prints what the meters of a patch read when the sound has ended. */
#ifndef TAC_CLI_READINGS_H
#define TAC_CLI_READINGS_H

#include "cli/patch_player.h"

/* A line for each meter and channel, to standard output. Not while the player runs. */
void tac_readings_print(struct tac_player *player);

#endif
