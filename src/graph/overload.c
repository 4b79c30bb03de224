/* SPDX-License-Identifier: MIT
 * overload.c - the list under `overload:`: what a patch gives up, in this order, when there is not
 * enough time.
 *
 *     - set: {osc: {level: -6 dB}}   another set value, such as a cheaper mode
 *     - voices: {keys: 4}            so many voices of a section at most
 *     - mute: hall                   a node, and what only it hears */
#include "graph/graph.h"

#include <errno.h>
#include <string.h>

static int fail_step(const struct tac_graph_reader *r, const struct tac_yaml *at)
{
    return tac_graph_fail(r, -TAC_E_SYNTAX, at->line, at->column,
                          "a step is one of: mute: NODE, voices: {SECTION: COUNT}, set: {NODE: "
                          "{PARAMETER: VALUE}}");
}

static int add_step(const struct tac_graph_reader *r, const struct tac_yaml *at,
                    struct tac_graph_step step)
{
    struct tac_graph *g = r->graph;
    if (g->step_count == TAC_GRAPH_STEPS_MAX)
        return tac_graph_fail(r, -TAC_E_LIMIT, at->line, at->column, "more than %d steps",
                              TAC_GRAPH_STEPS_MAX);
    g->step[g->step_count++] = step;
    return 0;
}

static int read_mute(const struct tac_graph_reader *r, const struct tac_yaml *at)
{
    struct tac_graph_step step = {.kind = TAC_STEP_MUTE};
    if (at->kind != TAC_YAML_SCALAR)
        return fail_step(r, at);
    int code = tac_graph_need_node(r, at->text, at->line, at->column, &step.node);
    if (code >= 0 && r->graph->node[step.node].block_index < 0)
        return tac_graph_fail(r, -TAC_E_RANGE, at->line, at->column, "'%.60s' cannot be muted",
                              at->text);
    return code < 0 ? code : add_step(r, at, step);
}

static int read_voices(const struct tac_graph_reader *r, const struct tac_yaml *at)
{
    struct tac_graph_step step = {.kind = TAC_STEP_VOICES};
    if (at->kind != TAC_YAML_MAP || at->count != 1)
        return fail_step(r, at);
    int code = tac_graph_need_node(r, at->first->key, at->line, at->column, &step.node);
    if (code >= 0 && r->graph->node[step.node].block != &tac_graph_block_voices)
        return tac_graph_fail(r, -TAC_E_RANGE, at->line, at->column, "'%.60s' has no voices",
                              at->first->key);
    if (code >= 0)
        code = tac_graph_read_count(r, at->first, 1, TAC_GRAPH_VOICES_MAX, &step.count);
    return code < 0 ? code : add_step(r, at, step);
}

/* Values are read as those of the node itself; those that differ are steps. */
static int read_set(const struct tac_graph_reader *r, const struct tac_yaml *at)
{
    uint32_t node = 0;
    float param[TAC_BLOCK_PARAMS_MAX] = {0};
    if (at->kind != TAC_YAML_MAP || at->count != 1 || at->first->kind != TAC_YAML_MAP)
        return fail_step(r, at);
    int code = tac_graph_need_node(r, at->first->key, at->line, at->column, &node);
    if (code < 0)
        return code;
    struct tac_graph_node copy = r->graph->node[node];
    for (uint32_t p = 0; p < TAC_BLOCK_PARAMS_MAX && copy.block->param[p].name; p++)
        param[p] = copy.param[p];
    copy.param = param;
    code = tac_graph_read_values(r, &copy, at->first);
    for (uint32_t p = 0; p < TAC_BLOCK_PARAMS_MAX && copy.block->param[p].name && code >= 0; p++)
        if (param[p] != r->graph->node[node].param[p])
            code = add_step(r, at,
                            (struct tac_graph_step){
                                .kind = TAC_STEP_SET, .node = node, .param = p, .value = param[p]});
    return code;
}

static int read_step(const struct tac_graph_reader *r, const struct tac_yaml *at)
{
    if (at->kind != TAC_YAML_MAP || at->count != 1)
        return fail_step(r, at);
    if (!strcmp(at->first->key, "mute"))
        return read_mute(r, at->first);
    if (!strcmp(at->first->key, "voices"))
        return read_voices(r, at->first);
    return strcmp(at->first->key, "set") ? fail_step(r, at) : read_set(r, at->first);
}

int tac_graph_read_overload(const struct tac_graph_reader *r, const struct tac_yaml *list)
{
    if (!list)
        return 0;
    if (list->kind != TAC_YAML_LIST)
        return tac_graph_fail(r, -TAC_E_SYNTAX, list->line, list->column,
                              "overload is a list; each begins with '- '");
    r->graph->step = tac_stash_take(&r->graph->stash, TAC_GRAPH_STEPS_MAX * sizeof *r->graph->step);
    int code = r->graph->step ? 0 : tac_graph_fail(r, -ENOMEM, 0, 0, "out of memory");
    if (code < 0)
        return code;
    for (const struct tac_yaml *v = list->first; v && tac_graph_goes_on(r, code); v = v->next)
        code = tac_graph_first(code, read_step(r, v));
    return code;
}
