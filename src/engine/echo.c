/* SPDX-License-Identifier: MIT
 * echo.c - memory for echo.h. Control threads. */
#include "engine/echo.h"

#include "engine/node.h"

/* `spare` rows stand before those that are used. */
static struct tac_echo *build(const struct tac_node *n, uint32_t count, uint32_t spare,
                              uint32_t frames, uint32_t lanes)
{
    struct tac_vault *vault = &n->batch->vault;
    struct tac_echo *echo = TAC_VAULT_NEW(vault, struct tac_echo, count);
    for (uint32_t i = 0; echo && i < count; i++) {
        float *rows = TAC_VAULT_NEW(vault, float, (size_t)(spare + frames) * lanes);
        if (!rows)
            return NULL;
        echo[i].lanes = lanes;
        echo[i].node = n->id;
        echo[i].rows = rows + (size_t)spare * lanes;
    }
    return echo;
}

struct tac_echo *tac_echo_of(struct tac_node *n, enum tac_echo_kind kind, uint32_t port)
{
    struct tac_vault *vault = &n->batch->vault;
    if (!n->echoes && !(n->echoes = TAC_VAULT_NEW(vault, struct tac_echoes, 1)))
        return NULL;
    struct tac_echo **echo = kind == TAC_ECHO_RING   ? &n->echoes->ring[port]
                             : kind == TAC_ECHO_FOLD ? &n->echoes->fold[port]
                                                     : &n->echoes->close[port];
    bool close = kind == TAC_ECHO_CLOSE;
    uint32_t frames = TAC_GRAPH_FEEDBACK_FRAMES + (close ? TAC_ECHO_FRAMES : 0);
    if (!*echo && kind == TAC_ECHO_FOLD)
        *echo = build(n, 1, 0, frames, 1);
    else if (!*echo)
        *echo = build(n, n->banks, close ? TAC_ECHO_SPARE : 0, frames, n->bank_lanes);
    return *echo;
}
