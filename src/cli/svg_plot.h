/* SPDX-License-Identifier: MIT
 * svg_plot.h - curves in a frame with axes, as an SVG element. Threads: any, no state. */
#ifndef TAC_CLI_SVG_PLOT_H
#define TAC_CLI_SVG_PLOT_H

#include "base/text.h"

enum { TAC_PLOT_CURVES_MAX = 6 };

struct tac_plot_axis {
    const char *label;
    double low, high;
    bool log; /* decades; low > 0 */
};

struct tac_plot_curve {
    const char *label;
    double *x, *y;
    unsigned count;
};

struct tac_plot {
    const char *title;
    struct tac_plot_axis x, y;
    struct tac_plot_curve curve[TAC_PLOT_CURVES_MAX];
    unsigned curves;
};

/* Values outside the axes are drawn at their edge. */
void tac_svg_plot(struct tac_text *text, const struct tac_plot *plot);

#endif
