/* SPDX-License-Identifier: MIT
 * fuzz_patch.c - the reader of patches on any text: YAML, units, blocks, cables, loops. See
 * fuzz_main.h for how it is run. */
#include "graph/graph.h"

#include "fuzz_main.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tac_graph *graph;
    struct tac_error err = {0};
    int r = tac_graph_read((const char *)bytes, size, "fuzz.yaml", "/", &graph, &err);
    if (r == 0)
        tac_graph_free(graph);
    else if (!*err.text)
        abort();
    return 0;
}
