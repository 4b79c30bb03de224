/* SPDX-License-Identifier: MIT
 * tier_none.c - stands in for tier_tracefs.c where libtraceevent is not there: it says so. */
#include "capture/kernel_tier.h"

static int start(const struct tac_kernel_config *config, const struct tac_kernel_out *out,
                 void **ret_state, uint32_t *ret_kinds)
{
    (void)config, (void)out, (void)ret_state, (void)ret_kinds;
    return -TAC_E_NOT_BUILT;
}

const struct tac_kernel_tier tac_kernel_tier_tracefs = {
    .name = "ftrace", .blind = "everything", .start = start};
