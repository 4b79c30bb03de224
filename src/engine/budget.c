/* SPDX-License-Identifier: MIT
 * budget.c - see budget.h. What there is: MemAvailable, and the limit of each control group that
 * the process is in, of either version. */
#include "engine/budget.h"

#include "dsp/block.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_BYTES (64.0 * 1048576) /* less is not asked for */
#define GIB 1073741824.0

/* The number in a file, or of a line of it that begins with key; negative when there is none. */
static double number_in(const char *path, const char *key)
{
    char line[256];
    double value = -1;
    FILE *file = fopen(path, "re");
    while (file && value < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)) && sscanf(line + strlen(key), "%lf", &value) != 1)
            value = -1;
    if (file)
        fclose(file);
    return value;
}

/* The smallest limit on the way from the group up to the root. */
static double group_limit(const char *root, char *group, const char *name)
{
    double least = -1;
    for (;;) {
        char path[1200];
        snprintf(path, sizeof path, "%s%s/%s", root, group, name);
        double limit = number_in(path, "");
        least = limit >= 0 && (least < 0 || limit < least) ? limit : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = 0;
    }
}

static double free_bytes(void)
{
    double least = number_in("/proc/meminfo", "MemAvailable:") * 1024;
    char line[1024];
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *group = strchr(line, '/');
        double limit = -1;
        if (group && !strncmp(line, "0::", 3))
            limit = group_limit("/sys/fs/cgroup", group, "memory.max");
        else if (group && strstr(line, ":memory:"))
            limit = group_limit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
        least = limit >= 0 && (least < 0 || limit < least) ? limit : least;
    }
    if (file)
        fclose(file);
    return least;
}

/* Memory of the blocks of a node; each bank as a full one. */
static double node_bytes(const struct tac_graph_node *n, double rate_hz)
{
    const struct tac_variant *v = tac_blocks_variant_for(n->lanes);
    struct tac_setup setup = {
        .rate_hz = (float)rate_hz, .frames_max = 64, .lanes = v->lanes, .lanes_used = v->lanes};
    const struct tac_block *b = v->blocks[n->block_index];
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && b->option[i].name; i++)
        setup.option[i] = n->option[i];
    return (double)((n->lanes + v->lanes - 1) / v->lanes) * (double)b->memory_bytes(&setup);
}

int tac_budget_check(const struct tac_graph *graph, double rate_hz,
                     bool (*is_there)(const void *user, const struct tac_graph_node *node),
                     const void *user, struct tac_error *err)
{
    double all = 0, most = 0;
    const struct tac_graph_node *guilty = NULL;
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct tac_graph_node *n = &graph->node[i];
        if (n->ghost || n->block_index < 0 || !n->block->memory_bytes || is_there(user, n))
            continue;
        double bytes = node_bytes(n, rate_hz);
        all += bytes;
        if (bytes > most) {
            most = bytes;
            guilty = n;
        }
    }
    double left = all > SMALL_BYTES ? free_bytes() : -1;
    if (left < 0 || all <= left)
        return 0;
    return tac_error_set(err, -TAC_E_LIMIT, graph->file, guilty->line, guilty->column,
                         "the patch needs %.1f GiB of memory, of which '%s' %.1f; %.1f are free",
                         all / GIB, guilty->name, most / GIB, left / GIB);
}
