/* SPDX-License-Identifier: MIT
 * view_parts.h - what the files of the view share. Internal to view. */
#ifndef TAC_VIEW_VIEW_PARTS_H
#define TAC_VIEW_VIEW_PARTS_H

#include "doctor/curve.h"
#include "view/view.h"

struct tac_view {
    const struct tac_capture *c;
    const struct tac_diagnosis *d;
    struct tac_lod *lod;
    struct tac_curve *curve; /* NULL: no heap operation was recorded */
};

/* After the begin of the recording. */
static inline uint64_t tac_view_time(const struct tac_view *v, uint64_t ns)
{
    return ns > v->c->begin_ns ? ns - v->c->begin_ns : 0;
}

#endif
