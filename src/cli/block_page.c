/* SPDX-License-Identifier: MIT
 * block_page.c - the reference: one section a block, from its descriptor, and plots of the running
 * block. The page is XHTML without scripts, so that any browser and any XML reader takes it. */
#include "cli/block_page.h"

#include "cli/block_plots.h"

#include <errno.h>
#include <string.h>

static const char style[] =
    ":root{--ink:#1b1f24;--dim:#667085;--line:#d8dde3;--page:#fff;--a:#0b62d6;--b:#c2410c;--c:#"
    "15803d;"
    "--d:#7e22ce;--e:#0e7490;--f:#a16207}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e7e9ec;--dim:#9aa4b2;--line:#313843;--page:#"
    "14171b;"
    "--a:#6aa9ff;--b:#ff9b6b;--c:#6fd08c;--d:#cf9bff;--e:#67d3e8;--f:#e6c15c}}"
    "body{font:16px/1.5 "
    "system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:62rem;"
    "margin:2rem auto;padding:0 1rem}h1,h2,h3{line-height:1.2}h2{border-bottom:1px solid "
    "var(--line);"
    "padding-top:2rem}a{color:var(--a)}code{font-family:ui-monospace,monospace}"
    "nav p{margin:.2rem 0}nav a{margin-right:.7rem}.group{color:var(--dim)}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem;font-size:.92rem}"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;"
    "border-bottom:1px solid var(--line)}th{color:var(--dim);font-weight:600}"
    ".plots{display:flex;flex-wrap:wrap;gap:1rem}svg{width:28rem;max-width:100%;height:auto;"
    "font:11px system-ui,sans-serif}svg text{fill:var(--dim)}svg "
    ".name{fill:var(--ink);font-weight:600}"
    ".grid{stroke:var(--line);stroke-width:1;fill:none}polyline{fill:none;stroke-width:1.6}"
    ".c0{stroke:var(--a)}.c1{stroke:var(--b)}.c2{stroke:var(--c)}.c3{stroke:var(--d)}"
    ".c4{stroke:var(--e)}.c5{stroke:var(--f)}svg .t0{fill:var(--a)}svg .t1{fill:var(--b)}"
    "svg .t2{fill:var(--c)}svg .t3{fill:var(--d)}svg .t4{fill:var(--e)}svg .t5{fill:var(--f)}";

const char *tac_block_unit(enum tac_unit unit)
{
    static const char *const name[] = {"",  "Hz",    "s",   "dB",     "semitones",
                                       "%", "beats", "bpm", "degrees"};
    return name[unit];
}

void tac_block_value(const struct tac_param *p, float value, char *buffer, size_t size)
{
    float shown = p->unit == TAC_UNIT_PERCENT ? value * 100 : value;
    if (p->choices)
        snprintf(buffer, size, "%s", p->choices[(int)value]);
    else
        snprintf(buffer, size, "%g%s%s", (double)shown, p->unit ? " " : "",
                 tac_block_unit(p->unit));
}

static void add_cell(struct tac_text *t, const char *text)
{
    tac_text_add(t, "<td>");
    tac_text_add_html(t, text);
    tac_text_add(t, "</td>");
}

static void add_name(struct tac_text *t, const char *name)
{
    tac_text_add(t, "<tr><td><code>");
    tac_text_add_html(t, name);
    tac_text_add(t, "</code></td>");
}

static void add_choices(struct tac_text *t, const char *const *choices)
{
    tac_text_add(t, "<td>");
    for (int i = 0; choices[i]; i++) {
        tac_text_add(t, i ? ", " : "");
        tac_text_add_html(t, choices[i]);
    }
    tac_text_add(t, "</td>");
}

static void add_ports(struct tac_text *t, const char *title, const struct tac_port *port)
{
    if (!port->name)
        return;
    tac_text_addf(t, "<h3>%s</h3><table>", title);
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && port[i].name; i++) {
        add_name(t, port[i].name);
        add_cell(t, port[i].doc);
        add_cell(t, port[i].kind == TAC_PORT_NOTES ? "notes" : "");
        tac_text_add(t, "</tr>");
    }
    tac_text_add(t, "</table>");
}

static void add_params(struct tac_text *t, const struct tac_block *b)
{
    char low[48], high[48], fallback[48];
    if (!b->param[0].name)
        return;
    tac_text_add(t, "<h3>Parameters</h3><table><tr><th>name</th><th></th><th>range</th>"
                    "<th>default</th></tr>");
    for (int i = 0; i < TAC_BLOCK_PARAMS_MAX && b->param[i].name; i++) {
        const struct tac_param *p = &b->param[i];
        add_name(t, p->name);
        add_cell(t, p->doc);
        tac_block_value(p, p->min, low, sizeof low);
        tac_block_value(p, p->max, high, sizeof high);
        tac_block_value(p, p->fallback, fallback, sizeof fallback);
        if (p->choices)
            add_choices(t, p->choices);
        else
            tac_text_addf(t, "<td>%s to %s%s</td>", low, high,
                          p->curve == TAC_CURVE_LOG ? ", logarithmic" : "");
        add_cell(t, fallback);
        tac_text_add(t, "</tr>");
    }
    tac_text_add(t, "</table>");
}

static void add_options(struct tac_text *t, const struct tac_block *b)
{
    if (!b->option[0].name)
        return;
    tac_text_add(t, "<h3>Options</h3><table>");
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && b->option[i].name; i++) {
        const struct tac_option *o = &b->option[i];
        add_name(t, o->name);
        add_cell(t, o->doc);
        if (o->choices)
            add_choices(t, o->choices);
        else if (o->kind == TAC_OPTION_NUMBER)
            tac_text_addf(t, "<td>%g to %g; default %g</td>", (double)o->min, (double)o->max,
                          (double)o->fallback);
        else
            add_cell(t, o->kind == TAC_OPTION_NUMBERS ? "a list" : "a file");
        tac_text_add(t, "</tr>");
    }
    tac_text_add(t, "</table>");
}

static int add_block(struct tac_text *t, const struct tac_block *b)
{
    tac_text_addf(t, "<section id=\"%s\"><h2>%s <span class=\"group\">%s</span></h2><p>", b->name,
                  b->name, b->group);
    tac_text_add_html(t, b->doc);
    tac_text_add(t, "</p>");
    if (b->about) {
        tac_text_add(t, "<p>");
        tac_text_add_html(t, b->about);
        tac_text_add(t, "</p>");
    }
    add_ports(t, "Inputs", b->in);
    add_ports(t, "Outputs", b->out);
    add_params(t, b);
    add_options(t, b);
    if (b->latency_frames)
        tac_text_addf(t, "<p>Latency: %u frames.</p>", b->latency_frames);
    tac_text_add(t, "<div class=\"plots\">\n");
    int code = tac_block_plots(t, b);
    tac_text_add(t, "</div></section>\n");
    return code;
}

/* One line of links a group, in the order of the list. */
static void add_contents(struct tac_text *t, const struct tac_block *const *block, unsigned count)
{
    tac_text_add(t, "<nav>");
    for (unsigned i = 0; i < count; i++) {
        bool begins = i == 0 || strcmp(block[i]->group, block[i - 1]->group);
        if (begins)
            tac_text_addf(t, "%s<p><span class=\"group\">%s</span> ", i ? "</p>" : "",
                          block[i]->group);
        tac_text_addf(t, "<a href=\"#%s\">%s</a>", block[i]->name, block[i]->name);
    }
    tac_text_add(t, "</p></nav>\n");
}

int tac_block_page(struct tac_text *t, const struct tac_block *const *block, unsigned count)
{
    int code = 0;
    tac_text_addf(
        t,
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head>"
        "<meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width\"/>"
        "<title>Tactus: blocks</title><style>%s</style></head>\n<body>"
        "<h1>Blocks</h1><p>Every parameter can be set, automated, or driven by a cable at "
        "audio rate. The plots are measured on the blocks themselves, at 48 kHz.</p>",
        style);
    add_contents(t, block, count);
    for (unsigned i = 0; i < count && code >= 0; i++)
        code = add_block(t, block[i]);
    tac_text_add(t, "</body></html>\n");
    return code;
}
