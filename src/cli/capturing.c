/* SPDX-License-Identifier: MIT
 * capturing.c - see capturing.h. */
#include "cli/capturing.h"

#include "base/clock.h"
#include "capture/chunkfile.h"
#include "capture/kernel.h"
#include "capture/receive.h"
#include "cli/launch.h"
#include "cli/preloadable.h"
#include "cli/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSIONS = 256, PUMP_MS = 100, AFTER_MS = 2000, NOBODY_MS = 2000, STRANGER_MS = 10000 };

/* What others can make us say again and again: so many lines in ten seconds, lest they fill the
 * terminal; more are counted. */
struct strangers {
    const char *what; /* happened to them */
    uint64_t lines, said, until_ns, more;
};

struct capture {
    const struct tac_capturing *config;
    struct tac_receive *receive;
    struct tac_recording_file file;
    struct tac_outlet *first, *more[SESSIONS];
    uint32_t sessions;
    struct strangers refused, garbage, comings;
    struct tac_error err; /* of opening one of the others */
    /* the program, on a thread that waits for it */
    pthread_t launcher;
    int told[2]; /* readable when it has ended */
    int launched, status;
    struct tac_error launch_err;
    char address[64];
    /* the kernel's account, through a pipe */
    struct tac_kernel *kernel;
    struct tac_kernel_stats kernel_stats;
    pthread_t kernel_reader;
    int kernel_pipe[2];
};

static volatile sig_atomic_t stop_wanted, keep_wanted;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        keep_wanted = 1;
    else
        stop_wanted = 1;
}

/* ---- sessions ---- */

/* "a.tac", 2 -> "a.2.tac" */
static void numbered(const char *path, uint32_t number, char *buffer, size_t size)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    int stem = dot && (!slash || dot > slash + 1) ? (int)(dot - path) : (int)strlen(path);
    snprintf(buffer, size, "%.*s.%u%s", stem, path, number, path + stem);
}

static int begin(void *owner, uint32_t pid, void **ret_session)
{
    struct capture *c = owner;
    (void)pid;
    if (c->sessions == SESSIONS)
        return -EBUSY;
    uint32_t number = ++c->sessions;
    if (number == 1) {
        *ret_session = c->first;
        return 0;
    }
    char path[PATH_MAX];
    struct tac_outlet_config config = c->config->outlet;
    numbered(config.path, number, path, sizeof path);
    config.path = path;
    int error = tac_outlet_open(&config, &c->err, &c->more[number - 1]);
    *ret_session = c->more[number - 1];
    return error;
}

static int chunk(void *session, const struct tac_format_chunk *head, const void *payload)
{
    return tac_outlet_put(session, head, payload);
}

static const char *command_of(const struct tac_capturing *config)
{
    return config->command ? config->command : "capture";
}

static bool may_say(struct strangers *s)
{
    uint64_t now = tac_clock_ns();
    if (now >= s->until_ns) {
        s->until_ns = now + (uint64_t)STRANGER_MS * 1000000;
        s->said = 0;
    }
    bool may = s->said < s->lines;
    s->said += may;
    s->more += !may;
    return may;
}

static void say_more(const struct capture *c, struct strangers *s)
{
    if (s->more)
        fprintf(stderr, "tactus %s: %llu more %s\n", command_of(c->config),
                (unsigned long long)s->more, s->what);
    s->more = 0;
}

/* Whether a line may be said of it now, behind those that were counted before it. */
static bool make_way(struct capture *c, enum tac_receive_news what)
{
    struct strangers *s = what == TAC_RECEIVE_REFUSED   ? &c->refused
                          : what == TAC_RECEIVE_GARBAGE ? &c->garbage
                                                        : &c->comings;
    bool is_ours = s == &c->comings && c->config->argv;
    if (is_ours || !may_say(s))
        return false;
    say_more(c, s);
    return true;
}

static void news(void *owner, enum tac_receive_news what, uint32_t pid)
{
    struct capture *c = owner;
    static const char *const text[] = {
        [TAC_RECEIVE_CAME] = "connected",
        [TAC_RECEIVE_LEFT] = "the connection broke; waiting for it to come back",
        [TAC_RECEIVE_ENDED] = "ended its recording",
        [TAC_RECEIVE_REFUSED] = "refused: the token or the version is wrong, or there are too many",
        [TAC_RECEIVE_GARBAGE] = "sent something that is no recording; the connection was ended",
    };
    const char *command = command_of(c->config);
    if (!make_way(c, what))
        return;
    if (what == TAC_RECEIVE_CAME && c->config->begun)
        fprintf(stderr, "tactus %s: %s\n", command, c->config->begun);
    else if (pid)
        fprintf(stderr, "tactus %s: recorder %u: %s\n", command, pid, text[what]);
    else
        fprintf(stderr, "tactus %s: somebody: %s\n", command, text[what]);
}

/* ---- the kernel's account ---- */

static void *read_kernel(void *arg)
{
    struct capture *c = arg;
    struct tac_chunkfile file = {.fd = c->kernel_pipe[0], .name = "kernel events"};
    struct tac_format_chunk head;
    const unsigned char *payload;
    while (tac_chunkfile_next(&file, &head, &payload, NULL) > 0)
        if (tac_outlet_put(c->first, &head, payload) < 0)
            continue; /* the writer must not be left waiting; the error comes at the end */
    tac_chunkfile_close(&file);
    return NULL;
}

static void start_kernel(struct capture *c)
{
    char path[64];
    struct tac_error err = {0};
    if (!c->config->kernel || pipe2(c->kernel_pipe, O_CLOEXEC))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", c->kernel_pipe[1]);
    struct tac_kernel_config config = c->config->kernel_config;
    config.path = path;
    int error = tac_kernel_start(&config, &err, &c->kernel);
    close(c->kernel_pipe[1]); /* the kernel's writer has one of its own */
    if (error) {
        if (!c->config->command) /* others say it in their own way */
            fprintf(stderr, "tactus capture: %s\n", err.text);
        read_kernel(c); /* the line that says so in the recording; nobody writes any more */
        c->kernel = NULL;
        return;
    }
    if (pthread_create(&c->kernel_reader, NULL, read_kernel, c)) {
        close(c->kernel_pipe[0]); /* its writes fail from now on */
        (void)!tac_kernel_stop(c->kernel, NULL);
        c->kernel = NULL;
    }
}

static void stop_kernel(struct capture *c)
{
    if (!c->kernel)
        return;
    (void)!tac_kernel_stop(c->kernel, &c->kernel_stats);
    pthread_join(c->kernel_reader, NULL);
    c->kernel = NULL;
}

/* ---- the program ---- */

static void *launch(void *arg)
{
    struct capture *c = arg;
    char watch[160];
    snprintf(watch, sizeof watch, "TACTUS_WATCH=heap=system,record=%s", c->address);
    /* what leads other recorders elsewhere does not hold for ours */
    const char *const env[] = {watch, "TACTUS_RECORD=", "TACTUS_TOKEN=", NULL};
    struct tac_launch l = {.argv = (const char *const *)c->config->argv,
                           .preload = TAC_PRELOAD_WATCH,
                           .env = env,
                           .seconds = c->config->seconds};
    c->launched = tac_launch_run(&l, &c->status, &c->launch_err);
    close(c->told[1]);
    return NULL;
}

static int start_program(struct capture *c, struct tac_error *err)
{
    int error = tac_preloadable_check(c->config->argv[0], err);
    if (error)
        return error;
    if (pipe2(c->told, O_CLOEXEC))
        return tac_error_set(err, -errno, NULL, 0, 0, "no pipe: %s", strerror(errno));
    if (pthread_create(&c->launcher, NULL, launch, c)) {
        close(c->told[0]);
        close(c->told[1]);
        return tac_error_set(err, -EAGAIN, NULL, 0, 0, "no thread can be made");
    }
    return 0;
}

/* ---- the loop ---- */

static void keep_all(struct capture *c)
{
    tac_outlet_keep(c->first);
    for (uint32_t i = 1; i < c->sessions; i++)
        if (c->more[i]) /* one that could not be opened is none */
            tac_outlet_keep(c->more[i]);
}

static int pump(struct capture *c, int extra_fd, int ms)
{
    if (keep_wanted) {
        keep_wanted = 0;
        keep_all(c);
    }
    return tac_receive_pump(c->receive, extra_fd, ms);
}

static bool has_ended(int fd)
{
    char byte;
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return read(fd, &byte, 1) == 0;
}

/* Until the program has ended, and its recorders have said all. */
static int follow_program(struct capture *c)
{
    int error = 0;
    while (!error && !has_ended(c->told[0]))
        error = pump(c, c->told[0], PUMP_MS);
    if (error) /* let it run to its end all the same; its recorder drops and counts */
        fprintf(stderr, "tactus %s: %s: %s; the program runs on\n", command_of(c->config),
                c->config->outlet.path, tac_error_sentence(error));
    pthread_join(c->launcher, NULL);
    close(c->told[0]);
    uint64_t until = tac_clock_ns() + (uint64_t)AFTER_MS * 1000000;
    while (!error && tac_receive_stats(c->receive).live && tac_clock_ns() < until)
        error = pump(c, -1, PUMP_MS);
    return error;
}

static int nobody(const struct tac_capturing *k, struct tac_error *err)
{
    if (k->pid && kill((pid_t)k->pid, 0) && errno == ESRCH)
        return tac_error_set(err, -ESRCH, NULL, 0, 0, "there is no process %u", k->pid);
    if (k->pid)
        return tac_error_set(
            err, -ECONNREFUSED, NULL, 0, 0,
            "process %u does not listen: start it with TACTUS_RECORD=listen: in its "
            "environment, or record it from the start",
            k->pid);
    return tac_error_set(err, -ECONNREFUSED, NULL, 0, 0,
                         "no recorder answers at %s, or it wants another token", k->address);
}

/* Until somebody ends us, the time is over, or the one that we connected to has ended. */
static int follow_address(struct capture *c, bool listens, struct tac_error *err)
{
    const struct tac_capturing *k = c->config;
    uint64_t begin_ns = tac_clock_ns(), span = (uint64_t)(k->seconds * 1e9);
    int error = 0;
    while (!error && !stop_wanted) {
        struct tac_receive_stats stats = tac_receive_stats(c->receive);
        uint64_t passed = tac_clock_ns() - begin_ns;
        if ((span && passed > span) || (!listens && stats.ended))
            break;
        if (!listens && !stats.sessions && passed > (uint64_t)NOBODY_MS * 1000000)
            return nobody(k, err);
        error = pump(c, -1, PUMP_MS);
    }
    return error ? tac_error_set(err, error, k->outlet.path, 0, 0, "cannot be written: %s",
                                 tac_error_sentence(error))
                 : 0;
}

static void catch_signals(const struct tac_capturing *k)
{
    struct sigaction action = {.sa_handler = on_signal};
    stop_wanted = keep_wanted = 0;
    sigaction(SIGUSR1, &action, NULL);
    if (k->argv) /* the launcher passes them on */
        return;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static int open_all(struct capture *c, struct tac_receive_config *r, struct tac_error *err)
{
    const struct tac_capturing *k = c->config;
    char address[80];
    snprintf(c->address, sizeof c->address, "unix:@tactus-capture.%d", (int)getpid());
    snprintf(address, sizeof address, "listen:%s", c->address);
    int error = tac_net_parse(k->argv ? address : k->address, &r->address, err);
    if (!error) {
        tac_recording_file_set_aside(&c->file, k->outlet.path);
        error = tac_outlet_open(&k->outlet, err, &c->first);
    }
    if (!error)
        error = tac_receive_open(r, err, &c->receive);
    return error;
}

static int close_all(struct capture *c, int error, struct tac_error *err)
{
    for (uint32_t i = 1; i < c->sessions; i++) {
        int closed = tac_outlet_close(c->more[i], error ? NULL : err);
        error = error ? error : closed;
    }
    int closed = tac_outlet_close(c->first, error ? NULL : err);
    if (c->first || c->file.before[0]) /* the kernel's account alone is no recording */
        tac_recording_file_settle(&c->file, c->sessions);
    tac_receive_close(c->receive);
    return error ? error : closed;
}

static int run(struct capture *c, bool listens, struct tac_error *err)
{
    const struct tac_capturing *k = c->config;
    int error = k->argv ? start_program(c, err) : 0;
    if (error)
        return error;
    if (!k->argv)
        return follow_address(c, listens, err);
    error = follow_program(c);
    if (c->launched < 0) {
        *err = c->launch_err;
        return c->launched;
    }
    return error ? tac_error_set(err, error, k->outlet.path, 0, 0, "cannot be written: %s",
                                 tac_error_sentence(error))
                 : 0;
}

int tac_capturing_run(const struct tac_capturing *k, struct tac_capturing_result *ret_result,
                      struct tac_error *err)
{
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "not enough memory");
    c->config = k;
    c->refused = (struct strangers){.what = "were refused", .lines = 1};
    c->garbage = (struct strangers){.what = "sent no recording", .lines = 1};
    c->comings = (struct strangers){.what = "came, left or ended", .lines = 50};
    struct tac_receive_config r = {.token = k->argv ? NULL : k->token,
                                   .owner = c,
                                   .begin = begin,
                                   .chunk = chunk,
                                   .news = news};
    int error = open_all(c, &r, err);
    if (!error) {
        catch_signals(k);
        start_kernel(c);
        error = run(c, r.address.listens, err);
        stop_kernel(c);
    }
    if (c->first && !k->outlet.on_miss) /* of a flight recorder, what it still holds */
        keep_all(c);
    struct tac_receive_stats stats =
        c->receive ? tac_receive_stats(c->receive) : (struct tac_receive_stats){0};
    if (c->first)
        ret_result->outlet = tac_outlet_stats(c->first);
    ret_result->sessions = c->sessions;
    ret_result->status = c->status;
    ret_result->kernel_events = c->kernel_stats.events;
    ret_result->kernel_lost = c->kernel_stats.lost;
    ret_result->refused = stats.refused;
    ret_result->garbage = stats.garbage;
    say_more(c, &c->refused);
    say_more(c, &c->garbage);
    say_more(c, &c->comings);
    bool nothing = !c->sessions;
    error = close_all(c, error, err);
    free(c);
    if (!error && nothing)
        return tac_error_set(err, -TAC_E_UNKNOWN, NULL, 0, 0,
                             k->argv ? "nothing was recorded: the program opened no audio stream "
                                       "that is known (JACK, ALSA, PipeWire, PortAudio) and did "
                                       "not record by itself"
                                     : "nothing was recorded: no recorder came (%s)",
                             k->address);
    return error;
}
