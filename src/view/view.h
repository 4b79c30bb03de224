/* SPDX-License-Identifier: MIT
 * view.h - a recording as answers to the questions of a picture that one moves about in.
 *
 * How     The page (view.js) asks once what there is (tac_view_about), then for each move what the
 *         lanes that it shows look like between two times at a number of pixels (tac_view_lanes),
 *         and for what is pointed at all that is known of it (tac_view_item). The answers are JSON;
 *         those for lanes cost time by pixels, not by events (capture/lod.h), the others a walk.
 * Times   nanoseconds after the begin of the recording.
 * Lanes   are named by a letter and a number: y3 cycles of source 3, z0 zones of thread 0, s0 its
 *         states, m0 its memory operations, l0 its waits for locks, g0 its gaps, c2 core 2, p17 the
 *         plot of site 17, u the memory in use.
 * Threads all functions of one view: one thread at a time. */
#ifndef TAC_VIEW_VIEW_H
#define TAC_VIEW_VIEW_H

#include "base/text.h"
#include "capture/lod.h"
#include "doctor/doctor.h"

enum { TAC_VIEW_PIXELS_MAX = 8192, TAC_VIEW_LANES_MAX = 512, TAC_VIEW_MISSES_MAX = 5000 };

struct tac_view;

/* The diagnosis, whose name is the title, and its capture must outlive the view. 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_view_open(const struct tac_diagnosis *diagnosis, struct tac_view **ret_view);
void tac_view_close(struct tac_view *view); /* NULL is fine */

/* What there is: lanes, names, late cycles, rules. */
void tac_view_about(const struct tac_view *view, struct tac_text *text);

/* The lanes of a list such as "y0,z0,s0,c1", at most TAC_VIEW_LANES_MAX; a lane that is not there
 * is left out. Each row of a lane is ["z0", row, [begin, length, count, busy, index, label, ...]];
 * label: site, verdict, tid, state, operation, holder or losses by the kind; of several spans in
 * one pixel that of the longest. Plots and memory: ["p17", 0, [time, least, most, last, ...]].
 * pixels is held to 1 .. TAC_VIEW_PIXELS_MAX. */
void tac_view_lanes(const struct tac_view *view, const char *lanes, uint64_t from_ns,
                    uint64_t to_ns, uint32_t pixels, struct tac_text *text);

/* All that is known of a span of the lanes above, by the letter of its lane and its index (for
 * states and cores: the tid and a time), as {"title":..., "rows":[[what, value], ...],
 * "stack":[...], "from":ns, "to":ns}. {"title":null} when it is not there. */
void tac_view_item(const struct tac_view *view, char lane, uint32_t index, struct tac_text *text);

/* The next zone after (or before) a time whose name holds the text, letters' case ignored, as
 * {"index":..., "from":ns, "to":ns, "thread":...}; {"index":null} when there is none. */
void tac_view_find(const struct tac_view *view, const char *name, uint64_t ns, bool backwards,
                   struct tac_text *text);

#endif
