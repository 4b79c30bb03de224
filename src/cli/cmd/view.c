/* SPDX-License-Identifier: MIT
 * view.c - `tactus view`: a recording in a browser, to move about in. */
#include "view/view.h"

#include "base/net.h"
#include "cli/cmd.h"
#include "view/server.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { OPT_LISTEN };

/* The signals that end it; blocked before there is a thread that could take them. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* Where it listens, as a browser wants it: HOST:PORT by number. */
static const char *address_of(int fd, char *text, size_t size)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
    if (!getsockname(fd, (struct sockaddr *)&name, &length))
        (void)getnameinfo((struct sockaddr *)&name, length, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, size, name.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return text;
}

static int listen_at(const char *text, struct tac_net_address *ret_address)
{
    struct tac_error err = {0};
    int fd = tac_net_parse(text, ret_address, &err);
    if (fd < 0)
        return tac_cmd_fail(-TAC_EXIT_USAGE, "--listen: %s", err.text);
    if (ret_address->name.ss_family == AF_UNIX)
        return tac_cmd_fail(-TAC_EXIT_USAGE, "--listen: a browser needs HOST:PORT");
    fd = tac_net_listen(ret_address);
    if (fd < 0)
        return tac_cmd_fail(-TAC_EXIT_FAILED, "cannot listen at %s: %s%s", text, strerror(-fd),
                            fd == -EADDRINUSE ? "; port 0 takes any that is free" : "");
    return fd;
}

static int serve(struct tac_view *view, const char *at)
{
    struct tac_net_address address;
    struct tac_view_server *server;
    char where[NI_MAXHOST + NI_MAXSERV + 4];
    sigset_t ends;
    int caught, fd = listen_at(at, &address);
    if (fd < 0)
        return -fd;
    address_of(fd, where, sizeof where);
    block_signals(&ends);
    int code = tac_view_server_start(view, fd, &server);
    if (code < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "the server cannot start: %s",
                            tac_error_sentence(code));
    printf("look at http://%s/%s/\n", where, tac_view_server_key(server));
    printf(address.is_local ? "Ctrl-C ends it\n"
                            : "whoever has this address can read the recording; Ctrl-C ends it\n");
    fflush(stdout);
    sigwait(&ends, &caught);
    tac_view_server_stop(server);
    return TAC_EXIT_OK;
}

static int show(const struct tac_diagnosis *diagnosis, const char *at)
{
    struct tac_view *view;
    int code = tac_view_open(diagnosis, &view);
    if (code < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s", tac_error_sentence(code));
    code = serve(view, at);
    tac_view_close(view);
    return code;
}

static int run(const struct tac_cmd_args *args)
{
    const char *path = args->operand[0];
    const char *at = args->option[OPT_LISTEN] ? args->option[OPT_LISTEN] : "127.0.0.1:0";
    struct tac_capture *capture;
    struct tac_diagnosis *diagnosis;
    struct tac_error err;
    if (!tac_view_server_exists())
        return tac_cmd_fail(TAC_EXIT_FAILED, "this command was built without libmicrohttpd "
                                             "(Debian: libmicrohttpd-dev); install it and build "
                                             "again, or look at: tactus doctor --html");
    if (tac_capture_open(path, &err, &capture) < 0)
        return tac_cmd_fail_error(&err);
    const char *run = tac_capture_meta(capture, "run");
    int code = tac_diagnosis_new(capture, run ? run : path, &diagnosis);
    if (code < 0) {
        tac_capture_close(capture);
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, tac_error_sentence(code));
    }
    code = show(diagnosis, at);
    tac_diagnosis_free(diagnosis);
    tac_capture_close(capture);
    return code;
}

TAC_CMD(view) = {
    .name = "view",
    .summary = "a recording in a browser, to move about in",
    .synopsis = "RECORDING [--listen HOST:PORT]",
    .text = "Shows cycles with their verdicts, the zones, states, memory calls and waits of each "
            "thread, who ran on which core, plots, and the memory in use, from the whole recording "
            "down to single calls. It prints an address for a browser and serves it until Ctrl-C. "
            "Nobody else on the machine knows the key in that address, and nothing can be changed "
            "through it. A recording of any length takes as much time for a picture as a short "
            "one.\n\n"
            "To look from another machine, say --listen with a name or number of this one, or "
            "forward the port over ssh.",
    .option =
        {{"listen", 0, "HOST:PORT",
          "Where to wait for the browser; 127.0.0.1 and any port that is free unless given."}},
    .exits = "0 ended by Ctrl-C; 2 wrong usage; 3 it could not be done.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
