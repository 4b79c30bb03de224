/* SPDX-License-Identifier: MIT
 * cable_ops.h - cables at work: sums, spreading, picking of lanes, set values of parameters.
 *
 * An operation reads signals and fills one buffer float[frames][lanes]. Sums run in a fixed order,
 * so that the same plan gives the same bits however it is split over calls or threads.
 * Threads: the audio thread or a worker. Real-time: yes. Cost: frames x lanes x sources. */
#ifndef TAC_ENGINE_CABLE_OPS_H
#define TAC_ENGINE_CABLE_OPS_H

#include "base/sanitized.h"
#include "engine/echo.h"
#include "tactus/block.h"

/* In front of loops that several instruction sets are compiled for, chosen when the program is
 * loaded. Sanitizers cannot run before the choice is made. */
#if defined(__x86_64__) && defined(__GLIBC__) && !TAC_SANITIZED && !defined(__clang__)
#define TAC_WIDE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define TAC_WIDE
#endif

/* One source of a mix. kind WHOLE: the whole vector. SPREAD: lane `from` to lanes to .. to+count-1.
 * LANES: lanes from .. to to .. pairwise. FOLD: lanes from .. from+count-1 into lane to, in order.
 */
enum tac_mix_kind { TAC_MIX_WHOLE, TAC_MIX_SPREAD, TAC_MIX_LANES, TAC_MIX_FOLD };

struct tac_mix_source {
    struct tac_signal signal; /* stride 0, or lanes of the source's bank */
    uint32_t from, to, count;
    enum tac_mix_kind kind;
    const float *fade; /* NULL, or a factor for each frame of the slice: an edit fades it */
};

/* Sum of the sources plus base, clamped when `clamp`. target (an input or a parameter of the node
 * that reads) gets stride 0 when nothing moves in this slice. What then holds for all frames is
 * kept in `row`, if there is one, until some row changes that it is made of, or a source has moved.
 */
struct tac_mix {
    float *out, *row;
    const _Atomic uint64_t *rows; /* of the plan, when there is a row: tac_plan.rows */
    uint64_t known;               /* rows, just before the row was made */
    uint32_t lanes, count, clamp;
    uint32_t line; /* 1: all lanes are alike; the sum goes behind the buffer, too, as a line */
    uint32_t full; /* 1: fill every frame also when nothing moves */
    float min, max;
    struct tac_signal base;            /* data NULL: 0 */
    struct tac_signal *target, unread; /* unread: a target for a mix that has none */
    struct tac_mix_source *source;
};

/* A running sum, lane by lane, over the banks of a group: out = in for the first, out = before + in
 * for the others; before is out itself, unless another task has begun the sum. Lanes that carry
 * nothing count as 0. gain: NULL, or a factor for each lane, which counts where its stride is not
 * 0: voices that are stolen fade. */
struct tac_gather {
    float *out;
    struct tac_signal in, before;
    const struct tac_signal *gain;
    uint32_t lanes, used, first;
};

/* Sum over groups of banks, lane by lane and in order; then over the lanes, pairwise; to one lane.
 */
struct tac_fold {
    float *out;
    uint32_t lanes, groups, last_used; /* last_used: lanes that count in the last group */
    uint32_t alone;                    /* 1: what it reads is a bank itself */
    struct tac_signal *group;
    const struct tac_signal *last_gain; /* of the last group, as in tac_gather */
};

/* The largest value of each lane in this slice, without its sign. */
struct tac_peak {
    float *peak; /* [lanes] */
    struct tac_signal in;
    uint32_t lanes;
};

/* Delay by one slice: out holds what was heard TAC_ENGINE_SLICE_FRAMES frames earlier. The ring
 * position is that of the slice in time; a slice never crosses the end of the ring. */
struct tac_feedback {
    struct tac_echo *ring;
    float *out; /* what readers hear */
    struct tac_signal source;
    const uint64_t *now; /* frame of the slice */
    struct tac_guard *guard;
};

/* Most signals move or stand still for long: a line that another core reads is not written for it.
 */
static inline void tac_signal_move(struct tac_signal *signal, uint32_t stride)
{
    if (signal->stride != stride)
        signal->stride = stride;
}

void tac_mix_run(void *mix, const struct tac_io *io);
void tac_gather_run(void *gather, const struct tac_io *io);
/* The bank adds nothing. */
void tac_gather_nothing(const struct tac_gather *gather, uint32_t frames);
void tac_fold_run(void *fold, const struct tac_io *io);
void tac_peak_run(void *peak, const struct tac_io *io);
void tac_feedback_read(void *feedback, const struct tac_io *io);
void tac_feedback_write(void *feedback, const struct tac_io *io);
/* Frames of the echo, from row on, have been written: guard what goes round (echo.h). */
void tac_feedback_guard(struct tac_guard *guard, const struct tac_echo *echo, float *row,
                        uint32_t frames);

#endif
