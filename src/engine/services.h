/* SPDX-License-Identifier: MIT
 * services.h - what the file options of a node open: streams, samples, songs, recordings.
 *
 * Blocks know no files; they find what they asked for in their setup. All of it belongs to the
 * batch of the node and ends with it. Threads: control. */
#ifndef TAC_ENGINE_SERVICES_H
#define TAC_ENGINE_SERVICES_H

#include "engine/node.h"

/* Open what bank of the node needs (by setup->lane_first) into setup. On failure err says why. */
int tac_services_open(struct tac_node *node, const struct tac_graph_node *n,
                      const struct tac_node_build *how, struct tac_setup *setup,
                      struct tac_error *err);

/* A list of songs and recordings. */
void tac_services_close(struct tac_service *list);

#endif
