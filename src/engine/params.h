/* SPDX-License-Identifier: MIT
 * params.h - set values of parameters on the audio thread: smoothing without steps.
 *
 * How     A change starts a ramp of TAC_RAMP_MS, linear or geometric by the curve of the parameter.
 *         While it runs, the parameter is read from a buffer that is filled once a slice; at rest
 *         from a row that holds for the slice. At most TAC_RAMPS_MAX run at a time; a change that
 *         finds no free one is left where it is and tried again in the next slice.
 *         Linear ramps are computed from the frame number, geometric ones frame by frame: either
 *         way the bits do not depend on how time is cut into slices.
 * Threads the audio thread. Real-time: yes. Cost: frames x lanes for each running ramp. */
#ifndef TAC_ENGINE_PARAMS_H
#define TAC_ENGINE_PARAMS_H

#include "engine/plan.h"

enum { TAC_RAMPS_MAX = 256, TAC_RAMP_MS = 20 };

struct tac_ramps {
    float *buffer; /* [TAC_RAMPS_MAX][TAC_ENGINE_SLICE_FRAMES][TAC_BLOCK_LANES_MAX] */
    uint32_t frames, count;
    struct {
        uint32_t id, param; /* of the node: plans may be exchanged while the ramp runs */
        uint32_t slot;      /* its buffer */
    } active[TAC_RAMPS_MAX];
    uint32_t free_slot[TAC_RAMPS_MAX];
};

int tac_ramps_init(struct tac_ramps *ramps, struct tac_vault *vault, double rate_hz);

/* False: no ramp is free now. A node that is not in the plan swallows the change. */
bool tac_ramps_set(struct tac_ramps *ramps, struct tac_plan *plan, uint32_t id, uint32_t param,
                   float value);

/* Before the operations of a slice. */
void tac_ramps_run(struct tac_ramps *ramps, struct tac_plan *plan, uint32_t frames);

#endif
