/* SPDX-License-Identifier: MIT
 * svg_plot.c - see svg_plot.h. Colours come from CSS variables of the page, so that dark pages
 * work. */
#include "cli/svg_plot.h"

#include <math.h>
#include <string.h>

enum {
    WIDTH = 440,
    HEIGHT = 284,
    LEFT = 46,
    RIGHT = 20,
    TOP = 26,
    BOTTOM = 60,
    LEGEND_ROW = 15,
    LETTER = 6, /* about its width */
};

static double place(const struct tac_plot_axis *a, double value)
{
    double at = a->log ? log(value / a->low) / log(a->high / a->low)
                       : (value - a->low) / (a->high - a->low);
    return isnan(at) ? -1 : at;
}

static double x_at(const struct tac_plot *p, double value)
{
    return LEFT + place(&p->x, value) * (WIDTH - LEFT - RIGHT);
}

static double y_at(const struct tac_plot *p, double value)
{
    return HEIGHT - BOTTOM - place(&p->y, value) * (HEIGHT - TOP - BOTTOM);
}

/* 1, 2 or 5 times a power of ten, about six of them. */
static double step_of(const struct tac_plot_axis *a)
{
    double raw = (a->high - a->low) / 6, ten = pow(10, floor(log10(raw))), over = raw / ten;
    return ten * (over < 1.5 ? 1 : over < 3.5 ? 2 : over < 7.5 ? 5 : 10);
}

static void number_of(char *buffer, size_t size, double value)
{
    if (fabs(value) >= 1000)
        snprintf(buffer, size, "%gk", value / 1000);
    else
        snprintf(buffer, size, "%g", fabs(value) < 1e-9 ? 0 : value);
}

static void tick_x(struct tac_text *t, const struct tac_plot *p, double value, bool named)
{
    char name[24];
    number_of(name, sizeof name, value);
    double x = x_at(p, value);
    tac_text_addf(t, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>", x, TOP, HEIGHT - BOTTOM);
    if (named)
        tac_text_addf(t, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", x,
                      HEIGHT - BOTTOM + 14, name);
}

static void tick_y(struct tac_text *t, const struct tac_plot *p, double value)
{
    char name[24];
    number_of(name, sizeof name, value);
    double y = y_at(p, value);
    tac_text_addf(t, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y, WIDTH - RIGHT);
    tac_text_addf(t, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 5, y + 4,
                  name);
}

static void add_axes(struct tac_text *t, const struct tac_plot *p)
{
    double step = step_of(&p->x);
    if (p->x.log)
        for (double decade = pow(10, floor(log10(p->x.low))); decade <= p->x.high; decade *= 10)
            for (int k = 1; k < 10; k++) {
                if (decade * k >= p->x.low * 0.999 && decade * k <= p->x.high * 1.001)
                    tick_x(t, p, decade * k, k == 1 || k == 2 || k == 5);
            }
    else
        for (double v = ceil(p->x.low / step) * step; v <= p->x.high + step * 1e-6; v += step)
            tick_x(t, p, v, true);
    step = step_of(&p->y);
    for (double v = ceil(p->y.low / step) * step; v <= p->y.high + step * 1e-6; v += step)
        tick_y(t, p, v);
    tac_text_addf(t, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" class=\"unit\">", WIDTH - RIGHT,
                  HEIGHT - BOTTOM + 32);
    tac_text_add_html(t, p->x.label);
    tac_text_addf(t, "</text><text x=\"4\" y=\"%d\" class=\"unit\">", TOP - 10);
    tac_text_add_html(t, p->y.label);
    tac_text_add(t, "</text>");
}

/* In pieces: what lies outside of the frame is not drawn. */
static void add_curve(struct tac_text *t, const struct tac_plot *p, unsigned index)
{
    const struct tac_plot_curve *c = &p->curve[index];
    bool drawing = false;
    for (unsigned i = 0; i < c->count; i++) {
        double x = x_at(p, c->x[i]), y = y_at(p, c->y[i]);
        bool inside = x >= LEFT - 0.1 && x <= WIDTH - RIGHT + 0.1 && y >= TOP - 0.1 &&
                      y <= HEIGHT - BOTTOM + 0.1;
        if (inside && !drawing)
            tac_text_addf(t, "<polyline class=\"c%u\" points=\"%.1f,%.1f", index, x, y);
        else if (inside)
            tac_text_addf(t, " %.1f,%.1f", x, y);
        else if (drawing)
            tac_text_add(t, "\"/>");
        drawing = inside;
    }
    if (drawing)
        tac_text_add(t, "\"/>");
}

/* Below the axis, left to right; the unit stands at the right end of the first row. */
static void add_legend(struct tac_text *t, const struct tac_plot *p)
{
    int x = LEFT, y = HEIGHT - BOTTOM + 32;
    for (unsigned i = 0; i < p->curves; i++) {
        int width = LETTER * ((int)strlen(p->curve[i].label) + 3);
        if (x > LEFT && x + width > WIDTH - 40) {
            x = LEFT;
            y += LEGEND_ROW;
        }
        tac_text_addf(t, "<text x=\"%d\" y=\"%d\" class=\"t%u\">", x, y, i);
        tac_text_add_html(t, p->curve[i].label);
        tac_text_add(t, "</text>");
        x += width;
    }
}

void tac_svg_plot(struct tac_text *t, const struct tac_plot *p)
{
    tac_text_addf(t, "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>", WIDTH, HEIGHT);
    tac_text_add_html(t, p->title);
    tac_text_add(t, "</title>");
    add_axes(t, p);
    tac_text_addf(t, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" class=\"name\">",
                  (LEFT + WIDTH - RIGHT) / 2, TOP - 10);
    tac_text_add_html(t, p->title);
    tac_text_add(t, "</text>");
    for (unsigned i = 0; i < p->curves; i++)
        add_curve(t, p, i);
    add_legend(t, p);
    tac_text_add(t, "</svg>\n");
}
