/* SPDX-License-Identifier: MIT
 * blocks.c - `tactus blocks`: the catalogue of blocks, printed from their descriptors. */
#include "cli/cmd.h"

#include "base/text.h"
#include "cli/block_page.h"
#include "dsp/block.h"
#include "graph/graph.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { OPT_JSON, OPT_HTML };

/* What every patch has without naming a block: the graph provides it. */
static const struct tac_block *const built_in[] = {&tac_graph_block_input, &tac_graph_block_output,
                                                   &tac_graph_block_voices};
enum { BUILT_IN = sizeof built_in / sizeof *built_in, CATALOGUE_MAX = 512 };

static uint32_t catalogue_count(void)
{
    return tac_blocks_count() + BUILT_IN;
}

static const struct tac_block *catalogue_get(uint32_t index)
{
    uint32_t blocks = tac_blocks_count();
    return index < blocks ? tac_blocks_get(index) : built_in[index - blocks];
}

static int catalogue_find(const char *name)
{
    for (uint32_t i = 0; i < catalogue_count(); i++)
        if (!strcmp(catalogue_get(i)->name, name))
            return (int)i;
    return -1;
}

static void print_ports(const char *title, const struct tac_port *port)
{
    if (port->name)
        printf("\n%s\n", title);
    for (; port->name; port++)
        printf("  %-12s %s%s\n", port->name, port->doc,
               port->kind == TAC_PORT_NOTES ? " (notes)" : "");
}

static void print_param(const struct tac_param *p)
{
    char low[32], high[32], fallback[32];
    tac_block_value(p, p->min, low, sizeof low);
    tac_block_value(p, p->max, high, sizeof high);
    tac_block_value(p, p->fallback, fallback, sizeof fallback);
    printf("  %-12s %s\n%15s", p->name, p->doc, "");
    if (p->choices)
        for (int i = 0; p->choices[i]; i++)
            printf("%s%s", i ? ", " : "one of ", p->choices[i]);
    else
        printf("%s to %s", low, high);
    printf("; default %s%s\n", fallback, p->curve == TAC_CURVE_LOG ? "; logarithmic" : "");
}

static void print_option(const struct tac_option *o)
{
    printf("  %-12s %s\n", o->name, o->doc);
    if (o->choices) {
        printf("%15s", "");
        for (int i = 0; o->choices[i]; i++)
            printf("%s%s", i ? ", " : "one of ", o->choices[i]);
        printf("; default %s\n", o->choices[(int)o->fallback]);
    } else if (o->kind == TAC_OPTION_NUMBER) {
        printf("%15s%g to %g; default %g\n", "", (double)o->min, (double)o->max,
               (double)o->fallback);
    }
}

static void print_block(const struct tac_block *b)
{
    printf("%s - %s\n", b->name, b->doc);
    if (b->about)
        printf("\n%s\n", b->about);
    print_ports("inputs", b->in);
    print_ports("outputs", b->out);
    if (b->param[0].name)
        printf("\nparameters (set, automated, or driven by a cable)\n");
    for (const struct tac_param *p = b->param; p->name; p++)
        print_param(p);
    if (b->option[0].name)
        printf("\noptions (fixed for the life of the node)\n");
    for (const struct tac_option *o = b->option; o->name; o++)
        print_option(o);
    printf("\nlatency %u frames\n", b->latency_frames);
}

static void add_choices(struct tac_text *t, const char *const *choices)
{
    tac_text_add(t, ",\"choices\":[");
    for (int i = 0; choices[i]; i++) {
        tac_text_add(t, i ? "," : "");
        tac_text_add_json(t, choices[i]);
    }
    tac_text_add(t, "]");
}

static void add_field(struct tac_text *t, const char *key, const char *value)
{
    tac_text_addf(t, ",\"%s\":", key);
    tac_text_add_json(t, value);
}

static void add_named(struct tac_text *t, bool first, const char *name, const char *doc)
{
    tac_text_addf(t, "%s{\"name\":", first ? "" : ",");
    tac_text_add_json(t, name);
    add_field(t, "doc", doc);
}

static void add_ports(struct tac_text *t, const char *key, const struct tac_port *port)
{
    tac_text_addf(t, ",\"%s\":[", key);
    for (int i = 0; port[i].name; i++) {
        add_named(t, i == 0, port[i].name, port[i].doc);
        add_field(t, "kind", port[i].kind == TAC_PORT_NOTES ? "notes" : "signal");
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

static void add_params(struct tac_text *t, const struct tac_block *b)
{
    static const char *const curve[] = {"linear", "log", "step"};
    tac_text_add(t, ",\"params\":[");
    for (int i = 0; b->param[i].name; i++) {
        const struct tac_param *p = &b->param[i];
        add_named(t, i == 0, p->name, p->doc);
        add_field(t, "unit", tac_block_unit(p->unit));
        add_field(t, "curve", curve[p->curve]);
        tac_text_addf(t, ",\"min\":%.9g,\"max\":%.9g,\"default\":%.9g", (double)p->min,
                      (double)p->max, (double)p->fallback);
        if (p->choices)
            add_choices(t, p->choices);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "],\"options\":[");
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && b->option[i].name; i++) {
        static const char *const kind[] = {"number", "choice", "file",     "numbers",
                                           "sample", "song",   "recording"};
        const struct tac_option *o = &b->option[i];
        add_named(t, i == 0, o->name, o->doc);
        add_field(t, "kind", kind[o->kind]);
        tac_text_addf(t, ",\"min\":%.9g,\"max\":%.9g,\"default\":%.9g", (double)o->min,
                      (double)o->max, (double)o->fallback);
        if (o->choices)
            add_choices(t, o->choices);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

static void add_block(struct tac_text *t, const struct tac_block *b, bool first)
{
    add_named(t, first, b->name, b->doc);
    add_field(t, "group", b->group);
    add_ports(t, "inputs", b->in);
    add_ports(t, "outputs", b->out);
    add_params(t, b);
    tac_text_addf(t, ",\"latency_frames\":%u}", b->latency_frames);
}

static int print_json(const struct tac_cmd_args *args)
{
    struct tac_text t = {0};
    tac_text_add(&t, "[");
    bool first = true;
    for (uint32_t i = 0; i < catalogue_count(); i++) {
        const struct tac_block *b = catalogue_get(i);
        if (args->count && strcmp(args->operand[0], b->name))
            continue;
        add_block(&t, b, first);
        first = false;
    }
    tac_text_add(&t, "]\n");
    int r = tac_text_write(&t, stdout);
    tac_text_fini(&t);
    return r < 0 ? tac_cmd_fail(TAC_EXIT_FAILED, "%s", tac_error_sentence(r)) : TAC_EXIT_OK;
}

static int print_html(const struct tac_cmd_args *args, int index)
{
    const struct tac_block *block[CATALOGUE_MAX];
    unsigned count = 0;
    for (uint32_t i = 0; i < catalogue_count() && count < CATALOGUE_MAX; i++)
        if (!args->count || (int)i == index)
            block[count++] = catalogue_get(i);
    struct tac_text t = {0};
    int r = tac_block_page(&t, block, count);
    if (r >= 0)
        r = tac_text_write(&t, stdout);
    tac_text_fini(&t);
    return r < 0 ? tac_cmd_fail(TAC_EXIT_FAILED, "%s", tac_error_sentence(r)) : TAC_EXIT_OK;
}

static void print_catalogue(void)
{
    const char *group = "";
    for (uint32_t i = 0; i < catalogue_count(); i++) {
        const struct tac_block *b = catalogue_get(i);
        if (strcmp(group, b->group))
            printf("%s%s\n", i ? "\n" : "", b->group);
        group = b->group;
        printf("  %-12s %s\n", b->name, b->doc);
    }
    const struct tac_variant *widest = tac_blocks_variant_for(TAC_BLOCK_LANES_MAX);
    printf("\nwidest variant on this machine: %s (%u lanes)\n", widest->name, widest->lanes);
}

static int run(const struct tac_cmd_args *args)
{
    int index = args->count ? catalogue_find(args->operand[0]) : 0;
    if (index < 0)
        return tac_cmd_fail(TAC_EXIT_FOUND, "there is no block '%s'; tactus blocks lists them",
                            args->operand[0]);
    if (args->option[OPT_JSON] && args->option[OPT_HTML])
        return tac_cmd_fail(TAC_EXIT_USAGE, "--json or --html, not both");
    if (args->option[OPT_JSON])
        return print_json(args);
    if (args->option[OPT_HTML])
        return print_html(args, index);
    if (args->count)
        print_block(catalogue_get((uint32_t)index));
    else
        print_catalogue();
    return TAC_EXIT_OK;
}

TAC_CMD(blocks) = {
    .name = "blocks",
    .summary = "the catalogue of blocks, or the page of one",
    .synopsis = "[NAME] [--json | --html]",
    .text =
        "Lists every block that patches can use, by group; with a NAME, its inputs, outputs, "
        "parameters with ranges and defaults, and options. All of it comes from the descriptors "
        "that the patch checker reads as well. With --html it is one page, with plots of what the "
        "blocks do, measured while it is written.",
    .exits = "0 done; 1 there is no block of that name; 2 wrong usage; 3 it could not be printed.",
    .option = {[OPT_JSON] = {"json", 0, NULL, "Print JSON, for programs."},
               [OPT_HTML] = {"html", 0, NULL, "Print a page for a browser, with plots."}},
    .operands_max = 1,
    .run = run,
};
