/* SPDX-License-Identifier: MIT
 * server.h - the view for a browser, over HTTP.
 *
 * How     GET /KEY/ is the page with its style and script, /KEY/about, lanes, item and find are the
 *         answers of view.h. Nothing is written or changed by any request, and nothing is loaded
 *         from elsewhere. The key is random and stands in the address that is printed: other users
 *         of the machine, and pages of other sites in the same browser, do not know it.
 * Threads start and stop: control. One thread of the library serves; the view is its own meanwhile.
 * Source  libmicrohttpd's documentation; built without it, start fails with -TAC_E_NOT_BUILT. */
#ifndef TAC_VIEW_SERVER_H
#define TAC_VIEW_SERVER_H

#include "view/view.h"

enum { TAC_VIEW_KEY = 33 }; /* 32 digits and the end */

struct tac_view_server;

/* Whether it was built in. */
bool tac_view_server_exists(void);

/* listener: a listening socket, which belongs to the server from now on, on failure too. 0,
 * -TAC_E_NOT_BUILT, -ENOMEM or -errno. */
TAC_MUST_CHECK int tac_view_server_start(struct tac_view *view, int listener,
                                         struct tac_view_server **ret_server);
void tac_view_server_stop(struct tac_view_server *server); /* NULL is fine */

/* The first part of every path. */
const char *tac_view_server_key(const struct tac_view_server *server);

#endif
