/* SPDX-License-Identifier: MIT
 * server_none.c - in place of server.c where libmicrohttpd was not there. */
#include "view/server.h"

#include <unistd.h>

bool tac_view_server_exists(void)
{
    return false;
}

int tac_view_server_start(struct tac_view *view, int listener, struct tac_view_server **ret_server)
{
    (void)view, (void)ret_server;
    close(listener);
    return -TAC_E_NOT_BUILT;
}

void tac_view_server_stop(struct tac_view_server *server)
{
    (void)server;
}

const char *tac_view_server_key(const struct tac_view_server *server)
{
    (void)server;
    return "";
}
