/* SPDX-License-Identifier: MIT
 * view.c - opens and closes what the answers are made of; see view.h. */
#include "view/view_parts.h"

#include <errno.h>
#include <stdlib.h>

void tac_view_close(struct tac_view *v)
{
    if (!v)
        return;
    tac_lod_close(v->lod);
    free(v->curve);
    free(v);
}

static int make_curve(struct tac_view *v)
{
    if (!v->c->memory_count)
        return 0;
    v->curve = malloc(sizeof *v->curve);
    return v->curve ? tac_curve_make(v->c, v->curve) : -ENOMEM;
}

int tac_view_open(const struct tac_diagnosis *diagnosis, struct tac_view **ret_view)
{
    struct tac_view *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->c = diagnosis->capture;
    v->d = diagnosis;
    int code = tac_lod_open(v->c, &v->lod);
    code = code < 0 ? code : make_curve(v);
    if (code < 0) {
        tac_view_close(v);
        return code;
    }
    *ret_view = v;
    return 0;
}
