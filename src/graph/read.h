/* SPDX-License-Identifier: MIT
 * read.h - the top of the reader: from the root of the tree to the graph (see graph.h). */
#ifndef TAC_GRAPH_READ_H
#define TAC_GRAPH_READ_H

#include "graph/graph.h"

int tac_graph_read_patch(const struct tac_graph_reader *r, const struct tac_yaml *root);

/* written.c: no file that a recorder writes is another's or one that is read. */
int tac_graph_check_written(const struct tac_graph_reader *r);

#endif
