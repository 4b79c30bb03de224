/* SPDX-License-Identifier: MIT
 * cables.c - "osc.out -> vcf.in -> output[1]": cables from text, with the rules of widths.
 *
 * cable    = end arrow end { arrow end }
 * arrow    = "->" | "~>" (feedback, a slice late) | "~" frames ">" (so many frames late; 64 is ~>)
 * end      = node [ "." port ] [ "[" channel [ "-" channel ] "]" ]
 * A port may be left out when the node has one, or one that is called "in" or "out". The middle of
 * a chain is an input on its left side and the default output on its right side. */
#include "graph/graph.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MAX = 64 };

/* An end as written. */
struct word {
    char node[TAC_GRAPH_NAME_MAX + 1], port[PORT_MAX + 1];
    uint32_t first, last; /* channels from 1; 0: not written */
    unsigned line, column;
};

struct cursor {
    const struct tac_graph_reader *r;
    const struct tac_yaml *at;
    const char *s;
};

static unsigned column_of(const struct cursor *c)
{
    return c->at->column + (unsigned)(c->s - c->at->text);
}

static int fail_here(const struct cursor *c, const char *what)
{
    return tac_graph_fail(c->r, -TAC_E_SYNTAX, c->at->line, column_of(c),
                          "%s; a cable reads like: osc.out -> filter.in", what);
}

static void skip_spaces(struct cursor *c)
{
    while (*c->s == ' ' || *c->s == '\t' || *c->s == '\n')
        c->s++;
}

static bool is_name_char(const char *s)
{
    return isalnum((unsigned char)*s) || *s == '_' || (*s == '-' && s[1] != '>');
}

static int take_name(struct cursor *c, char *ret_name, size_t max)
{
    size_t n = 0;
    while (is_name_char(c->s + n))
        n++;
    if (!n || n > max)
        return fail_here(c, n ? "this name is too long" : "the name of a node is missing here");
    memcpy(ret_name, c->s, n);
    ret_name[n] = 0;
    c->s += n;
    return 0;
}

static int take_channel(struct cursor *c, uint32_t *ret_channel)
{
    char *end;
    unsigned long n = isdigit((unsigned char)*c->s) ? strtoul(c->s, &end, 10) : 0;
    if (n < 1 || n > TAC_GRAPH_LANES_MAX)
        return fail_here(c, "channels are numbers that count from 1");
    c->s = end;
    *ret_channel = (uint32_t)n;
    return 0;
}

static int take_selection(struct cursor *c, struct word *w)
{
    c->s++;
    int code = take_channel(c, &w->first);
    w->last = w->first;
    if (code >= 0 && *c->s == '-') {
        c->s++;
        code = take_channel(c, &w->last);
    }
    if (code < 0)
        return code;
    if (*c->s != ']' || w->last < w->first)
        return fail_here(c, "channels are written [2] or [1-4]");
    c->s++;
    return 0;
}

static int take_end(struct cursor *c, struct word *ret_word)
{
    skip_spaces(c);
    *ret_word = (struct word){.line = c->at->line, .column = column_of(c)};
    int code = take_name(c, ret_word->node, TAC_GRAPH_NAME_MAX);
    if (code >= 0 && *c->s == '.') {
        c->s++;
        code = take_name(c, ret_word->port, PORT_MAX);
    }
    if (code >= 0 && *c->s == '[')
        code = take_selection(c, ret_word);
    skip_spaces(c);
    return code;
}

/* 0: "->"; else the frames of feedback; < 0: neither. */
static int take_arrow(struct cursor *c)
{
    if (c->s[0] == '-' && c->s[1] == '>') {
        c->s += 2;
        return 0;
    }
    if (c->s[0] != '~' || (c->s[1] != '>' && !isdigit((unsigned char)c->s[1])))
        return fail_here(c, "an arrow -> is expected here");
    char *end = (char *)(uintptr_t)c->s + 1;
    unsigned long frames = c->s[1] == '>' ? TAC_GRAPH_FEEDBACK_FRAMES : strtoul(end, &end, 10);
    if (*end != '>' || frames < 1 || frames > TAC_GRAPH_FEEDBACK_FRAMES)
        return fail_here(
            c, "feedback is written ~> (64 frames late), or with 1 to 64 frames as in ~1>");
    c->s = end + 1;
    return (int)frames;
}

static int find_port(const struct tac_port *ports, const char *name)
{
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && ports[i].name; i++)
        if (!strcmp(ports[i].name, name))
            return i;
    return -1;
}

/* The port that is meant when none is written, or -1. */
static int default_port(const struct tac_port *ports, const char *usual)
{
    bool one = ports[0].name && !ports[1].name;
    return one ? 0 : find_port(ports, usual);
}

static void list_ports(const struct tac_port *ports, const struct tac_param *params, char *text,
                       size_t size)
{
    size_t n = 0;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && ports[i].name && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", ports[i].name);
    for (int i = 0; params && i < TAC_BLOCK_PARAMS_MAX && params[i].name && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", params[i].name);
    if (!n)
        snprintf(text, size, "none");
}

static int fail_port(const struct tac_graph_reader *r, const struct word *w,
                     const struct tac_graph_node *n, bool output)
{
    char list[200] = "";
    list_ports(output ? n->block->out : n->block->in, output ? NULL : n->block->param, list,
               sizeof list);
    const char *kind = output ? "output" : "input or parameter";
    if (w->port[0])
        return tac_graph_fail(r, -TAC_E_UNKNOWN, w->line, w->column,
                              "'%s' has no %s '%s'; it has: %s", w->node, kind, w->port, list);
    return tac_graph_fail(r, -TAC_E_UNKNOWN, w->line, w->column,
                          "say which %s of '%s' is meant: %s", kind, w->node, list);
}

static int select_lanes(const struct tac_graph_reader *r, const struct word *w, uint32_t lanes,
                        struct tac_graph_end *end)
{
    if (!lanes)
        return -TAC_E_RANGE; // of a node whose number of channels was wrong, and told
    end->first = w->first ? w->first - 1 : 0;
    end->count = w->first ? w->last - w->first + 1 : lanes;
    if (w->last > lanes)
        return tac_graph_fail(r, -TAC_E_RANGE, w->line, w->column, "'%s' has %u channel%s, not %u",
                              w->node, lanes, lanes == 1 ? "" : "s", w->last);
    return 0;
}

static int resolve_from(const struct tac_graph_reader *r, const struct word *w,
                        struct tac_graph_cable *c)
{
    int code = tac_graph_need_node(r, w->node, w->line, w->column, &c->from.node);
    if (code < 0)
        return code;
    const struct tac_graph_node *n = &r->graph->node[c->from.node];
    int port = w->port[0] ? find_port(n->block->out, w->port) : default_port(n->block->out, "out");
    if (port < 0)
        return fail_port(r, w, n, true);
    c->from.port = (uint32_t)port;
    if (n->section != TAC_GRAPH_NONE && w->first)
        return tac_graph_fail(r, -TAC_E_RANGE, w->line, w->column,
                              "a single voice of '%s' cannot be picked", w->node);
    return select_lanes(r, w, n->lanes, &c->from);
}

static int resolve_to(const struct tac_graph_reader *r, const struct word *w,
                      struct tac_graph_cable *c)
{
    int code = tac_graph_need_node(r, w->node, w->line, w->column, &c->to.node);
    if (code < 0)
        return code;
    const struct tac_graph_node *n = &r->graph->node[c->to.node];
    int port = w->port[0] ? find_port(n->block->in, w->port) : default_port(n->block->in, "in");
    c->target = TAC_CABLE_INPUT;
    for (int i = 0; port < 0 && w->port[0] && i < TAC_BLOCK_PARAMS_MAX && n->block->param[i].name;
         i++)
        if (!strcmp(n->block->param[i].name, w->port)) {
            port = i;
            c->target = TAC_CABLE_PARAM;
        }
    if (port < 0)
        return fail_port(r, w, n, false);
    if (c->target == TAC_CABLE_INPUT && n->block->in[port].kind == TAC_PORT_NOTES)
        c->target = TAC_CABLE_NOTES;
    if (c->target == TAC_CABLE_PARAM && n->block_index < 0)
        return tac_graph_fail(r, -TAC_E_UNKNOWN, w->line, w->column,
                              "no cable can drive '%s' of '%s'", w->port, w->node);
    c->to.port = (uint32_t)port;
    if (n->section != TAC_GRAPH_NONE && w->first)
        return tac_graph_fail(r, -TAC_E_RANGE, w->line, w->column,
                              "a single voice of '%s' cannot be picked", w->node);
    return select_lanes(r, w, n->lanes, &c->to);
}

static int check_fit(const struct tac_graph_reader *r, const struct word *from,
                     struct tac_graph_cable *c)
{
    const struct tac_graph_node *a = &r->graph->node[c->from.node];
    const struct tac_graph_node *b = &r->graph->node[c->to.node];
    bool notes = a->block->out[c->from.port].kind == TAC_PORT_NOTES;
    if (notes != (c->target == TAC_CABLE_NOTES))
        return tac_graph_fail(r, -TAC_E_SYNTAX, c->line, c->column,
                              "notes go to notes and signals to signals: '%s.%s' gives %s", a->name,
                              a->block->out[c->from.port].name, notes ? "notes" : "a signal");
    if (notes && c->feedback)
        return tac_graph_fail(r, -TAC_E_SYNTAX, c->line, c->column,
                              "notes cannot be fed back with ~>");
    if (notes)
        return 0;
    c->summed = a->section != TAC_GRAPH_NONE && a->section != b->section;
    if (c->summed)
        c->from = (struct tac_graph_end){c->from.node, c->from.port, 0, 1};
    bool into_voices = b->section != TAC_GRAPH_NONE && a->section != b->section;
    if (c->from.count == 1 || c->from.count == c->to.count)
        if (!into_voices || c->from.count == 1)
            return 0;
    if (c->to.count == 1 && !into_voices)
        return 0;
    return tac_graph_fail(r, -TAC_E_RANGE, from->line, from->column,
                          "%u channels of '%s' do not fit %u %s of '%s'; pick some, as in %s.%s[1]",
                          c->from.count, a->name, c->to.count, into_voices ? "voices" : "channels",
                          b->name, a->name, a->block->out[c->from.port].name);
}

static int add_cable(const struct tac_graph_reader *r, const struct tac_graph_cable *cable)
{
    struct tac_graph *g = r->graph;
    if (g->cable_count == TAC_GRAPH_CABLES_MAX)
        return tac_graph_fail(r, -TAC_E_LIMIT, cable->line, cable->column, "more than %d cables",
                              TAC_GRAPH_CABLES_MAX);
    if (tac_graph_append_cable(g, cable) < 0)
        return tac_graph_fail(r, -ENOMEM, 0, 0, "out of memory");
    return 0;
}

static int join(const struct tac_graph_reader *r, const struct word *from, const struct word *to,
                int feedback)
{
    struct tac_graph_cable c = {
        .line = from->line, .column = from->column, .feedback = (uint8_t)feedback};
    int code = resolve_from(r, from, &c);
    if (tac_graph_goes_on(r, code))
        code = tac_graph_first(code, resolve_to(r, to, &c));
    if (code >= 0)
        code = check_fit(r, from, &c);
    return code < 0 ? code : add_cable(r, &c);
}

static int read_chain(const struct tac_graph_reader *r, const struct tac_yaml *at)
{
    struct cursor c = {r, at, at->text};
    struct word from, to;
    if (at->kind != TAC_YAML_SCALAR)
        return fail_here(&c, "this is no cable");
    int code = take_end(&c, &from);
    if (code >= 0 && !*c.s)
        code = fail_here(&c, "an arrow -> is expected here");
    int joined = 0;
    while (code >= 0 && tac_graph_goes_on(r, joined) && *c.s) {
        int feedback = take_arrow(&c);
        code = feedback < 0 ? feedback : take_end(&c, &to);
        if (code >= 0)
            joined = tac_graph_first(joined, join(r, &from, &to, feedback));
        from = to;
        from.port[0] = 0;
        from.first = from.last = 0;
    }
    return tac_graph_first(joined, code);
}

int tac_graph_read_cables(const struct tac_graph_reader *r, const struct tac_yaml *list)
{
    if (!list)
        return 0;
    if (list->kind != TAC_YAML_LIST)
        return tac_graph_fail(r, -TAC_E_SYNTAX, list->line, list->column,
                              "cables is a list; each begins with '- '");
    if (list->count <= TAC_GRAPH_CABLES_MAX && tac_graph_reserve(r->graph, 0, list->count) < 0)
        return tac_graph_fail(r, -ENOMEM, 0, 0, "out of memory");
    int code = 0;
    for (const struct tac_yaml *v = list->first; v && tac_graph_goes_on(r, code); v = v->next)
        code = tac_graph_first(code, read_chain(r, v));
    return code;
}
