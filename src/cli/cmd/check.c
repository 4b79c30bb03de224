/* SPDX-License-Identifier: MIT
 * check.c - `tactus check`: reads and builds a patch without playing it, says what is wrong. */
#include "cli/cmd.h"
#include "graph/graph.h"
#include "tactus/engine.h"

#include <stdio.h>
#include <stdlib.h>

static void print_line(const struct tac_error *e)
{
    char line[TAC_ERROR_FILE_MAX + TAC_ERROR_TEXT_MAX + 64];
    fprintf(stderr, "%s\n", tac_error_format(e, line, sizeof line));
}

/* Warnings: what can be played, but is hardly meant. */
static int print_warnings(const char *path)
{
    struct tac_graph *graph;
    struct tac_error err;
    if (tac_graph_open(path, &graph, &err) < 0)
        return 0;
    int count = (int)graph->warning_count;
    for (int i = 0; i < count; i++)
        print_line(&graph->warning[i]);
    tac_graph_free(graph);
    return count;
}

static void tell(void *user, const struct tac_error *mistake)
{
    (void)user;
    print_line(mistake);
}

/* Of tac_exit. A text that is there and wrong is found; one that cannot be read was not looked at.
 */
static int check_file(struct tac_engine *engine, const char *path)
{
    struct tac_error err = {0};
    char *text = NULL;
    size_t bytes;
    if (tac_graph_load_text(path, &text, &bytes, &err) < 0) {
        print_line(&err);
        return TAC_EXIT_FAILED;
    }
    free(text);
    int mistakes = tac_graph_check(path, tell, NULL, &err);
    if (mistakes > TAC_GRAPH_MISTAKES_MAX)
        fprintf(stderr, "%s: and %d more\n", path, mistakes - TAC_GRAPH_MISTAKES_MAX);
    if (mistakes > 0)
        return TAC_EXIT_FOUND;
    if (tac_engine_load(engine, path, &err) < 0) {
        print_line(&err);
        return TAC_EXIT_FOUND;
    }
    int warnings = print_warnings(path);
    struct tac_engine_info info;
    tac_engine_info(engine, &info);
    printf("%s: good: %u nodes in %u banks, %u cables, %u voices, %u channels in, %u out\n", path,
           info.nodes, info.banks, info.cables, info.voices, info.inputs, info.outputs);
    return warnings > 0 ? TAC_EXIT_FOUND : TAC_EXIT_OK;
}

static int run(const struct tac_cmd_args *args)
{
    int worst = TAC_EXIT_OK;
    for (int i = 0; i < args->count; i++) {
        struct tac_engine *engine;
        int code = tac_engine_new(&(struct tac_engine_config){.offline = 1, .no_lock = 1}, &engine);
        if (code < 0)
            return tac_cmd_fail(TAC_EXIT_FAILED, "%s", tac_error_sentence(code));
        int found = check_file(engine, args->operand[i]);
        worst = found > worst ? found : worst;
        tac_engine_free(engine);
    }
    return worst;
}

TAC_CMD(check) = {
    .name = "check",
    .summary = "say whether a patch can be played",
    .synopsis = "PATCH...",
    .text = "Reads each patch, finds its blocks, values, cables and sound files, and builds it as "
            "for playing. Every mistake of its text is printed as file:line:column: what is wrong. "
            "Loops and files are looked at when the text is right. Nodes that cannot be heard are "
            "named, too.",
    .exits =
        "0 all patches are good; 1 something was found; 2 wrong usage; 3 one could not be read.",
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};
