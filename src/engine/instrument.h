/* SPDX-License-Identifier: MIT
 * instrument.h - an instrument in SFZ (sfz.h) with its sounds, for the sampler.
 *
 * Its sounds lie in memory whole, at the rate of their files: loops have just the frames that their
 * maker gave them, and any part can begin at any time. A file that several parts play is there
 * once. Threads: control. */
#ifndef TAC_ENGINE_INSTRUMENT_H
#define TAC_ENGINE_INSTRUMENT_H

#include "engine/vault.h"
#include "tactus/block.h"
#include "tactus/error.h"

#include <stdbool.h>

enum { TAC_INSTRUMENT_BYTES_MAX = 1 << 29 }; /* of all sounds */

/* By its name. */
bool tac_instrument_is_one(const char *path);

/* Everything lies in the vault, also what was read before a failure. */
int tac_instrument_load(struct tac_vault *vault, const char *path, double rate_hz,
                        struct tac_instrument **ret_instrument, struct tac_error *err);

#endif
