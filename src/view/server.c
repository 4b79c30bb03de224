/* SPDX-License-Identifier: MIT
 * server.c - see server.h. */
#include "view/server.h"

#include "doctor/report_page.h"
#include "view/view_page.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { CONNECTIONS = 32, IDLE_S = 30 };

struct tac_view_server {
    struct tac_view *view;
    struct MHD_Daemon *daemon;
    char key[TAC_VIEW_KEY];
};

bool tac_view_server_exists(void)
{
    return true;
}

/* ---- what is asked for ---- */

static const char *value(struct MHD_Connection *connection, const char *name)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    return text ? text : "";
}

static uint64_t number(struct MHD_Connection *connection, const char *name)
{
    const char *text = value(connection, name);
    return *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : 0;
}

static void answer_about(struct tac_view *view, struct MHD_Connection *c, struct tac_text *text)
{
    (void)c;
    tac_view_about(view, text);
}

static void answer_lanes(struct tac_view *view, struct MHD_Connection *c, struct tac_text *text)
{
    uint64_t pixels = number(c, "pixels");
    tac_view_lanes(view, value(c, "lanes"), number(c, "from"), number(c, "to"),
                   pixels < TAC_VIEW_PIXELS_MAX ? (uint32_t)pixels : TAC_VIEW_PIXELS_MAX, text);
}

static void answer_item(struct tac_view *view, struct MHD_Connection *c, struct tac_text *text)
{
    uint64_t index = number(c, "index");
    tac_view_item(view, value(c, "lane")[0], index < UINT32_MAX ? (uint32_t)index : UINT32_MAX,
                  text);
}

static void answer_find(struct tac_view *view, struct MHD_Connection *c, struct tac_text *text)
{
    tac_view_find(view, value(c, "name"), number(c, "at"), value(c, "back")[0] == '1', text);
}

static const struct {
    const char *name, *type;
    const char *page; /* what never changes, or NULL */
    void (*answer)(struct tac_view *view, struct MHD_Connection *c, struct tac_text *text);
} places[] = {
    {"", "text/html; charset=utf-8", tac_view_html, NULL},
    {"shared.css", "text/css; charset=utf-8", tac_shared_css, NULL},
    {"shared.js", "text/javascript; charset=utf-8", tac_shared_js, NULL},
    {"view.css", "text/css; charset=utf-8", tac_view_css, NULL},
    {"view.js", "text/javascript; charset=utf-8", tac_view_js, NULL},
    {"about", "application/json", NULL, answer_about},
    {"lanes", "application/json", NULL, answer_lanes},
    {"item", "application/json", NULL, answer_item},
    {"find", "application/json", NULL, answer_find},
};

/* ---- answers ---- */

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
                                 const char *type, const char *text, size_t bytes)
{
    static const char *const header[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Content-Security-Policy", "default-src 'self'; img-src data:; frame-ancestors 'none'"}};
    struct MHD_Response *r =
        MHD_create_response_from_buffer(bytes, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        MHD_add_response_header(r, header[i][0], header[i][1]);
    enum MHD_Result result = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result send_sentence(struct MHD_Connection *connection, unsigned status,
                                     const char *sentence)
{
    return send_text(connection, status, "text/plain; charset=utf-8", sentence, strlen(sentence));
}

static enum MHD_Result send_place(struct tac_view *view, struct MHD_Connection *connection,
                                  size_t i)
{
    struct tac_text text = {0};
    if (places[i].page)
        return send_text(connection, MHD_HTTP_OK, places[i].type, places[i].page,
                         strlen(places[i].page));
    places[i].answer(view, connection, &text);
    enum MHD_Result result =
        text.failed ? send_sentence(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n")
                    : send_text(connection, MHD_HTTP_OK, places[i].type, tac_text_string(&text),
                                text.length);
    tac_text_fini(&text);
    return result;
}

/* Where the path goes on after "/KEY/", or NULL. In constant time for a wrong key. */
static const char *after_key(const struct tac_view_server *server, const char *path)
{
    size_t n = strlen(server->key);
    unsigned differ = 0;
    if (strlen(path) < n + 2 || path[0] != '/' || path[n + 1] != '/')
        return NULL;
    for (size_t i = 0; i < n; i++)
        differ |= (unsigned char)(path[i + 1] ^ server->key[i]);
    return differ ? NULL : path + n + 2;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_bytes, void **state)
{
    (void)version, (void)data, (void)state;
    struct tac_view_server *server = user;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return *data_bytes ? MHD_NO
                           : send_sentence(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                                           "this server only shows\n");
    const char *name = after_key(server, path);
    for (size_t i = 0; name && i < sizeof places / sizeof *places; i++)
        if (!strcmp(name, places[i].name))
            return send_place(server->view, connection, i);
    return send_sentence(connection, MHD_HTTP_NOT_FOUND,
                         "there is nothing here; the whole address stands where tactus view was "
                         "started\n");
}

/* ---- life ---- */

static int make_key(char key[TAC_VIEW_KEY])
{
    unsigned char random[(TAC_VIEW_KEY - 1) / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -EIO;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(key + 2 * i, 3, "%02x", random[i]);
    return 0;
}

int tac_view_server_start(struct tac_view *view, int listener, struct tac_view_server **ret_server)
{
    struct tac_view_server *s = calloc(1, sizeof *s);
    int code = s ? make_key(s->key) : -ENOMEM;
    if (code == 0) {
        s->view = view;
        errno = 0;
        s->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, on_request, s,
            MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
        code = s->daemon ? 0 : errno ? -errno : -EIO;
    }
    if (code < 0) {
        close(listener);
        free(s);
        return code;
    }
    *ret_server = s;
    return 0;
}

void tac_view_server_stop(struct tac_view_server *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}

const char *tac_view_server_key(const struct tac_view_server *s)
{
    return s->key;
}
