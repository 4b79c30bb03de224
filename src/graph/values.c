/* SPDX-License-Identifier: MIT
 * values.c - parameters and options of a node, by the descriptor of its block. */
#include "graph/graph.h"
#include "graph/nearest.h"
#include "graph/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int need_scalar(const struct tac_graph_reader *r, const struct tac_yaml *value)
{
    if (value->kind == TAC_YAML_SCALAR)
        return 0;
    return tac_graph_fail(r, -TAC_E_SYNTAX, value->line, value->column,
                          "'%.60s' wants one value, not a %s", value->key ? value->key : "",
                          value->kind == TAC_YAML_MAP ? "map" : "list");
}

/* A bound in the unit as people write it. */
static double shown(enum tac_unit unit, double value)
{
    return unit == TAC_UNIT_PERCENT ? value * 100 : value;
}

int tac_graph_read_number(const struct tac_graph_reader *r, const struct tac_yaml *value,
                          enum tac_unit unit, double min, double max, double *ret_value)
{
    char why[160];
    double number;
    int code = need_scalar(r, value);
    if (code < 0)
        return code;
    code = tac_units_parse(value->text, unit, r->graph->tempo_bpm, &number, why);
    if (code < 0)
        return tac_graph_fail(r, code, value->line, value->column, "%s", why);
    /* the descriptors' bounds are floats: 0.1 written by a person must not fail against 0.1f */
    if (!isfinite(number) || number < min - 1e-6 * fabs(min) || number > max + 1e-6 * fabs(max))
        return tac_graph_fail(r, -TAC_E_RANGE, value->line, value->column,
                              "%.40s is out of range: %s goes from %g to %g%s%s", value->text,
                              value->key ? value->key : "it", shown(unit, min), shown(unit, max),
                              *tac_units_name(unit) ? " " : "", tac_units_name(unit));
    *ret_value = fmin(fmax(number, min), max);
    return 0;
}

int tac_graph_read_count(const struct tac_graph_reader *r, const struct tac_yaml *value,
                         uint32_t min, uint32_t max, uint32_t *ret_value)
{
    double number = 0;
    int code = tac_graph_read_number(r, value, TAC_UNIT_NONE, min, max, &number);
    if (code >= 0 && number != floor(number))
        code = tac_graph_fail(r, -TAC_E_RANGE, value->line, value->column,
                              "%.40s should be a whole number", value->text);
    if (code >= 0)
        *ret_value = (uint32_t)number;
    return code;
}

static int fail_choice(const struct tac_graph_reader *r, const struct tac_yaml *value,
                       const char *const *choices)
{
    char list[200] = "";
    size_t length = 0;
    for (int i = 0; choices[i] && length < sizeof list; i++)
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "",
                                   choices[i]);
    return tac_graph_fail(r, -TAC_E_UNKNOWN, value->line, value->column,
                          "'%.40s' is not one of: %s", value->text, list);
}

int tac_graph_read_choice(const struct tac_graph_reader *r, const struct tac_yaml *value,
                          const char *const *choices, uint32_t *ret_value)
{
    int code = need_scalar(r, value);
    if (code < 0)
        return code;
    for (uint32_t i = 0; choices[i]; i++)
        if (!strcmp(choices[i], value->text)) {
            *ret_value = i;
            return 0;
        }
    return fail_choice(r, value, choices);
}

/* "yes" and "no" for a switch that has no names of its own. */
static int read_switch(const struct tac_yaml *value, float *ret_value)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(words[i], value->text)) {
            *ret_value = (float)(i & 1);
            return 1;
        }
    return 0;
}

static int read_param(const struct tac_graph_reader *r, const struct tac_param *p,
                      const struct tac_yaml *value, float *ret_value)
{
    uint32_t word = 0;
    double number;
    int code = need_scalar(r, value);
    if (code < 0)
        return code;
    if (p->choices) {
        code = tac_graph_read_choice(r, value, p->choices, &word);
        number = word;
    } else {
        if (p->curve == TAC_CURVE_STEP && p->min == 0 && p->max == 1 &&
            read_switch(value, ret_value))
            return 0;
        code = tac_graph_read_number(r, value, p->unit, (double)p->min, (double)p->max, &number);
    }
    if (code >= 0)
        *ret_value = (float)number;
    return code;
}

static int read_numbers(const struct tac_graph_reader *r, struct tac_graph_node *node, int index,
                        const struct tac_yaml *list)
{
    const struct tac_option *o = &node->block->option[index];
    if (list->kind != TAC_YAML_LIST || list->count > TAC_OPTION_NUMBERS_MAX)
        return tac_graph_fail(r, -TAC_E_SYNTAX, list->line, list->column,
                              "'%s' wants a list of at most %d numbers, such as [1, 2, 3]", o->name,
                              TAC_OPTION_NUMBERS_MAX);
    float *numbers = tac_stash_take(&r->graph->stash, list->count * sizeof *numbers + 1);
    if (!numbers)
        return tac_graph_fail(r, -ENOMEM, list->line, list->column, "out of memory");
    uint32_t count = 0;
    for (const struct tac_yaml *v = list->first; v; v = v->next) {
        double number;
        int code = need_scalar(r, v);
        if (code >= 0 && !tac_units_note(v->text, &number))
            code =
                tac_graph_read_number(r, v, TAC_UNIT_NONE, (double)o->min, (double)o->max, &number);
        if (code < 0)
            return code;
        numbers[count++] = (float)number;
    }
    node->numbers[index] = numbers;
    node->numbers_count[index] = count;
    return 0;
}

static int read_path(const struct tac_graph_reader *r, const struct tac_yaml *value,
                     const char **ret_path)
{
    int code = need_scalar(r, value);
    if (code < 0)
        return code;
    if (!value->text[0])
        return tac_graph_fail(r, -TAC_E_SYNTAX, value->line, value->column,
                              "the name of a file is missing");
    const char *folder = value->text[0] == '/' ? "" : r->graph->folder;
    size_t bytes = strlen(folder) + strlen(value->text) + 1;
    char *path = tac_stash_take(&r->graph->stash, bytes);
    if (!path)
        return tac_graph_fail(r, -ENOMEM, value->line, value->column, "out of memory");
    snprintf(path, bytes, "%s%s", folder, value->text);
    *ret_path = path;
    return 0;
}

static int read_option(const struct tac_graph_reader *r, struct tac_graph_node *node, int index,
                       const struct tac_yaml *value)
{
    const struct tac_option *o = &node->block->option[index];
    uint32_t word;
    double number;
    int code = 0;
    switch (o->kind) {
    case TAC_OPTION_CHOICE:
        code = tac_graph_read_choice(r, value, o->choices, &word);
        if (code >= 0)
            node->option[index] = (float)word;
        return code;
    case TAC_OPTION_FILE:
    case TAC_OPTION_SAMPLE:
    case TAC_OPTION_SONG:
    case TAC_OPTION_RECORDING:
        return read_path(r, value, &node->file[index]);
    case TAC_OPTION_NUMBERS:
        return read_numbers(r, node, index, value);
    default:
        code = need_scalar(r, value);
        if (code < 0)
            return code;
        if (o->min == 0 && o->max == 1 && read_switch(value, &node->option[index]))
            return 0;
        code =
            tac_graph_read_number(r, value, TAC_UNIT_NONE, (double)o->min, (double)o->max, &number);
        if (code >= 0)
            node->option[index] = (float)number;
        return code;
    }
}

static int fail_value(const struct tac_graph_reader *r, const struct tac_block *b,
                      const struct tac_yaml *value)
{
    char ask[TAC_NEAREST_TEXT_MAX];
    struct tac_nearest near = tac_nearest_begin(value->key);
    for (int i = 0; i < TAC_BLOCK_PARAMS_MAX && b->param[i].name; i++)
        tac_nearest_try(&near, b->param[i].name);
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && b->option[i].name; i++)
        tac_nearest_try(&near, b->option[i].name);
    return tac_graph_fail(r, -TAC_E_UNKNOWN, value->key_line, value->key_column,
                          "%s has no parameter '%.60s'%s; see `tactus blocks %s`", b->name,
                          value->key, tac_nearest_ask(&near, ask), b->name);
}

static int read_value(const struct tac_graph_reader *r, struct tac_graph_node *node,
                      const struct tac_yaml *value)
{
    const struct tac_block *b = node->block;
    for (int i = 0; i < TAC_BLOCK_PARAMS_MAX && b->param[i].name; i++)
        if (!strcmp(b->param[i].name, value->key))
            return read_param(r, &b->param[i], value, &node->param[i]);
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && b->option[i].name; i++)
        if (!strcmp(b->option[i].name, value->key))
            return read_option(r, node, i, value);
    return fail_value(r, b, value);
}

int tac_graph_read_values(const struct tac_graph_reader *r, struct tac_graph_node *node,
                          const struct tac_yaml *map)
{
    int code = 0;
    for (const struct tac_yaml *v = map->first; v && tac_graph_goes_on(r, code); v = v->next)
        if (strcmp(v->key, "block") && strcmp(v->key, "channels"))
            code = tac_graph_first(code, read_value(r, node, v));
    return code;
}
