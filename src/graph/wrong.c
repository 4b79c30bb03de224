/* SPDX-License-Identifier: MIT
 * wrong.c - what is said of a mistake in a patch, and what need not be said again. */
#include "graph/read.h"

#include "graph/nearest.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NEAR_NODES = 1000 }; /* so many are looked at for one that was meant */

int tac_graph_fail(const struct tac_graph_reader *r, int code, unsigned line, unsigned column,
                   const char *format, ...)
{
    char text[TAC_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tac_error_set(r->err, code, r->graph->file, line, column, "%s", text);
    if (r->mistakes && r->mistakes->count++ < TAC_GRAPH_MISTAKES_MAX)
        r->mistakes->tell(r->mistakes->user, r->err);
    return code;
}

static bool is_wrong(const struct tac_graph_reader *r, const char *name)
{
    return r->mistakes && tac_names_find(&r->mistakes->wrong, name) >= 0;
}

void tac_graph_note_wrong(const struct tac_graph_reader *r, const char *name)
{
    if (r->mistakes && !is_wrong(r, name))
        (void)tac_names_add(&r->mistakes->wrong, name,
                            0); /* without room a mistake is told twice */
}

void tac_graph_note_all_wrong(const struct tac_graph_reader *r, const struct tac_yaml *nodes)
{
    for (const struct tac_yaml *n = nodes && nodes->kind == TAC_YAML_MAP ? nodes->first : NULL; n;
         n = n->next)
        tac_graph_note_wrong(r, n->key);
}

/* What was probably meant; the search costs too much to be made for mistakes that nobody is told.
 */
static const char *ask_node(const struct tac_graph_reader *r, const char *name,
                            char ask[TAC_NEAREST_TEXT_MAX])
{
    struct tac_nearest near = tac_nearest_begin(name);
    bool told = !r->mistakes || r->mistakes->count < TAC_GRAPH_MISTAKES_MAX;
    for (uint32_t i = 0; told && i < r->graph->node_count && i < NEAR_NODES; i++)
        tac_nearest_try(&near, r->graph->node[i].name);
    return tac_nearest_ask(&near, ask);
}

int tac_graph_need_node(const struct tac_graph_reader *r, const char *name, unsigned line,
                        unsigned column, uint32_t *ret_node)
{
    int64_t index = tac_graph_find(r->graph, name);
    if (index >= 0) {
        *ret_node = (uint32_t)index;
        return 0;
    }
    if (is_wrong(r, name))
        return -TAC_E_UNKNOWN;
    char ask[TAC_NEAREST_TEXT_MAX];
    return tac_graph_fail(r, -TAC_E_UNKNOWN, line, column, "there is no node '%.60s'%s", name,
                          !strcmp(name, "input") ? "; give the patch 'input: CHANNELS'"
                                                 : ask_node(r, name, ask));
}
