/* SPDX-License-Identifier: MIT
 * test_stream.c - a recorder and its receiver over a socket, and what may happen between them: cuts
 * in the middle of a chunk, a receiver that is slow, or new, or wants another token, and strangers
 * that send garbage. At every end: emitted = stored + counted drops. */
#include "base/clock.h"
#include "capture/capture.h"
#include "capture/receive.h"
#include "tactus/cycle.h"
#include "trace/lane.h"

#include "test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One recording as it was received, in memory. */
struct got {
    unsigned char *bytes;
    size_t size, room;
};

static struct {
    struct got got[8];
    int count, fail_after;
    int news[8];
} heard;

static int begin(void *owner, uint32_t pid, void **ret_session)
{
    (void)owner;
    CHECK(pid == (uint32_t)getpid());
    if (heard.count == 8)
        return -EBUSY;
    *ret_session = &heard.got[heard.count++];
    return 0;
}

static int chunk(void *session, const struct tac_format_chunk *head, const void *payload)
{
    struct got *g = session;
    if (heard.fail_after && !--heard.fail_after)
        return -ENOSPC;
    if (g->room < g->size + sizeof *head + head->bytes)
        g->bytes = realloc(g->bytes, g->room = 2 * (g->size + sizeof *head + head->bytes));
    if (!g->bytes)
        abort();
    memcpy(g->bytes + g->size, head, sizeof *head);
    memcpy(g->bytes + g->size + sizeof *head, payload, head->bytes);
    g->size += sizeof *head + head->bytes;
    return 0;
}

static void news(void *owner, enum tac_receive_news what, uint32_t pid)
{
    (void)owner;
    (void)pid;
    heard.news[what]++;
}

static void forget(void)
{
    for (int i = 0; i < heard.count; i++)
        free(heard.got[i].bytes);
    memset(&heard, 0, sizeof heard);
}

static char name[64], name_behind[96], proxy_name[64];

static struct tac_receive *receiver(const char *address, const char *token)
{
    struct tac_receive_config config = {
        .token = token, .begin = begin, .chunk = chunk, .news = news};
    struct tac_receive *r = NULL;
    struct tac_error err = {0};
    if (tac_net_parse(address, &config.address, NULL) || tac_receive_open(&config, &err, &r))
        printf("# %s: %s\n", address, err.text);
    return r;
}

/* Pump until so many recorders have ended, at most ten seconds. */
static int pump_until_ended(struct tac_receive *r, uint32_t ended)
{
    uint64_t until = tac_clock_ns() + 10 * TAC_NS_PER_S;
    int error = 0;
    while (!error && tac_receive_stats(r).ended < ended && tac_clock_ns() < until)
        error = tac_receive_pump(r, -1, 20);
    return error;
}

/* ---- the recording side, on a thread of its own because stop waits for the receiver ---- */

struct job {
    const char *address, *token;
    size_t queue;
    uint32_t zones, pause_every;
    bool paced, endless; /* endless: zones, and more until it is enough */
    struct tac_trace_stats stats;
    int stopped;
    _Atomic int enough, done;
};

/* More waits in the ring than its helper takes at once: where it got no time, that is no loss of
 * the stream. */
static bool is_behind(void)
{
    const struct tac_trace_lane *ring = tac_trace_lane_here;
    return ring->head - atomic_load(&tac_lane_of(tac_trace_lane_here)->tail) > 2000;
}

static void *work(void *arg)
{
    struct job *j = arg;
    const char *const meta[] = {"program=test", NULL};
    struct tac_trace_config config = {.path = j->address,
                                      .token = j->token,
                                      .drain_ms = 1,
                                      .stream_bytes = j->queue,
                                      .meta = meta};
    if (tac_thread_register("worker", 0) || tac_trace_start(&config))
        abort();
    for (uint32_t i = 0; i < j->zones || (j->endless && !atomic_load(&j->enough)); i++) {
        TAC_ZONE("zone");
        TAC_PLOT("curve", "", (double)i);
        if (j->pause_every && i % j->pause_every == 0)
            do
                tac_clock_sleep_until(tac_clock_ns() + 2000000);
            while (j->paced && is_behind());
    }
    tac_clock_sleep_until(tac_clock_ns() + 5000000); /* so that all is drained and counted */
    tac_trace_get_stats(&j->stats);
    j->stopped = tac_trace_stop();
    tac_thread_unregister();
    atomic_store(&j->done, 1);
    return NULL;
}

static struct tac_capture *open_got(int i)
{
    struct tac_capture *c = NULL;
    if (i >= heard.count ||
        tac_capture_open_memory(heard.got[i].bytes, heard.got[i].size, "got", NULL, &c))
        return NULL;
    return c;
}

static uint64_t gaps_of(const struct tac_capture *c)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < c->gaps_count; i++)
        sum += c->gaps[i].dropped;
    return sum;
}

/* Everything that was emitted is there or counted. */
static void check_sums(const struct tac_capture *c, uint64_t emitted)
{
    const struct tac_capture_thread *t = &c->threads[0];
    /* a machine that stalls makes pairs of clocks that contradict, which is said, and is no loss */
    CHECK_MSG((c->problems & ~(unsigned)TAC_CAPTURE_CLOCK_POOR) == 0, "%x", c->problems);
    CHECK_MSG(t->stored + t->dropped == emitted && t->damaged == 0, "%llu + %llu is not %llu",
              (unsigned long long)t->stored, (unsigned long long)t->dropped,
              (unsigned long long)emitted);
    CHECK_MSG(gaps_of(c) == t->dropped, "gaps tell %llu of %llu", (unsigned long long)gaps_of(c),
              (unsigned long long)t->dropped);
}

/* Clock pairs before the first events: so many give a rate to judge those by. */
static int pairs_before_events(const struct got *g)
{
    struct tac_format_chunk head;
    int pairs = 0;
    for (size_t at = 0; at + sizeof head <= g->size; at += sizeof head + head.bytes) {
        memcpy(&head, g->bytes + at, sizeof head);
        pairs += head.kind == TAC_CHUNK_CLOCK;
        if (head.kind == TAC_CHUNK_RECORDS)
            return pairs;
    }
    return 0;
}

static void all_arrives_over_a_socket(void)
{
    pthread_t thread;
    struct job j = {.address = name, .zones = 20000, .pause_every = 500};
    struct tac_receive *r = receiver(name_behind, NULL);
    REQUIRE(r);
    pthread_create(&thread, NULL, work, &j);
    CHECK(pump_until_ended(r, 1) == 0);
    pthread_join(thread, NULL);
    tac_receive_close(r);
    CHECK(j.stopped == 0);
    struct tac_capture *c = open_got(0);
    REQUIRE(c && heard.count == 1);
    check_sums(c, 3ull * j.zones);
    CHECK_STR(tac_capture_meta(c, "program"), "test");
    CHECK(pairs_before_events(&heard.got[0]) >= 2);
    CHECK(heard.news[TAC_RECEIVE_CAME] == 1 && heard.news[TAC_RECEIVE_ENDED] == 1);
    tac_capture_close(c);
    forget();
}

/* ---- a proxy that cuts ---- */

struct proxy {
    struct tac_net_address front, back;
    int cuts; /* connections that are cut after some bytes */
    size_t cut_after;
    _Atomic int stop;
};

static int connect_blocking(const struct tac_net_address *a)
{
    bool done;
    int fd = tac_net_connect(a, &done);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return fd >= 0 && !done && (poll(&p, 1, 1000) != 1 || tac_net_connected(fd)) ? -1 : fd;
}

/* Carry bytes both ways until one end closes, or so many came from `a`. */
static void carry(struct proxy *x, int a, int b, size_t limit)
{
    char buffer[4096];
    struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    size_t passed = 0;
    while (passed < limit && !atomic_load(&x->stop)) {
        poll(p, 2, 20);
        for (int i = 0; i < 2; i++) {
            if (!p[i].revents)
                continue;
            size_t want = i == 0 && limit - passed < sizeof buffer ? limit - passed : sizeof buffer;
            ssize_t n = recv(p[i].fd, buffer, want, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN))
                return;
            for (ssize_t at = 0, m; n > 0 && at<n; at += m> 0 ? m : 0) {
                m = send(p[!i].fd, buffer + at, (size_t)(n - at), MSG_NOSIGNAL);
                if (m < 0 && errno != EAGAIN)
                    return;
            }
            passed += i == 0 && n > 0 ? (size_t)n : 0;
        }
    }
}

static void *cut(void *arg)
{
    struct proxy *x = arg;
    int listener = tac_net_listen(&x->front);
    if (listener < 0)
        abort();
    for (int n = 0; !atomic_load(&x->stop);) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        int a = poll(&p, 1, 20) == 1 ? tac_net_accept(listener) : -1;
        int b = a >= 0 ? connect_blocking(&x->back) : -1;
        if (b >= 0)
            carry(x, a, b, n < x->cuts ? x->cut_after + 977 * (size_t)n : SIZE_MAX);
        n += b >= 0;
        if (a >= 0)
            close(a);
        if (b >= 0)
            close(b);
    }
    close(listener);
    return NULL;
}

/* What the recorder finds at the address is a proxy that cuts five connections. */
static void record_through_cuts(const char *address, size_t cut_after)
{
    pthread_t thread, proxy_thread;
    struct proxy x = {.cuts = 5, .cut_after = cut_after};
    struct job j = {.address = address, .zones = 20000, .pause_every = 100, .paced = true};
    REQUIRE(tac_net_parse(j.address, &x.front, NULL) == 0);
    REQUIRE(tac_net_parse(name, &x.back, NULL) == 0);
    struct tac_receive *r = receiver(name_behind, NULL);
    REQUIRE(r);
    pthread_create(&proxy_thread, NULL, cut, &x);
    pthread_create(&thread, NULL, work, &j);
    CHECK(pump_until_ended(r, 1) == 0);
    pthread_join(thread, NULL);
    atomic_store(&x.stop, 1);
    pthread_join(proxy_thread, NULL);
    if (j.stopped == -ETIMEDOUT) { /* as the end of a recording may: it does not wait longer */
        tac_receive_close(r);
        forget();
        SKIP("this machine did not carry within two seconds what waited");
    }
    CHECK_MSG(j.stopped == 0 && j.stats.dropped == 0, "%d, %llu", j.stopped,
              (unsigned long long)j.stats.dropped);
    CHECK_MSG(heard.news[TAC_RECEIVE_CAME] > 5, "%d", heard.news[TAC_RECEIVE_CAME]);
    CHECK(heard.count == 1 && heard.news[TAC_RECEIVE_GARBAGE] == 0);
    tac_receive_close(r);
    struct tac_capture *c = open_got(0);
    REQUIRE(c);
    check_sums(c, 3ull * j.zones);
    tac_capture_close(c);
    forget();
}

static void cuts_lose_nothing_while_the_queue_has_room(void)
{
    record_through_cuts(proxy_name, 3001);
}

static void cuts_of_squeezed_frames_lose_nothing(void)
{
    char address[32];
    snprintf(address, sizeof address, "tcp:127.0.0.1:%d", 20000 + (int)getpid() % 20000);
    record_through_cuts(address, 1501);
}

static void a_slow_receiver_costs_counted_events_and_no_wait(void)
{
    pthread_t thread;
    struct job j = {.address = name, .queue = 256 << 10, .zones = 300000, .pause_every = 1000};
    struct tac_receive *r = receiver(name_behind, NULL);
    REQUIRE(r);
    pthread_create(&thread, NULL, work, &j);
    CHECK(tac_receive_pump(r, -1, 1000) == 0 && tac_receive_pump(r, -1, 100) == 0);
    usleep(700000); /* it reads nothing meanwhile */
    CHECK(pump_until_ended(r, 1) == 0);
    pthread_join(thread, NULL);
    tac_receive_close(r);
    struct tac_capture *c = open_got(0);
    REQUIRE(c && heard.count == 1);
    CHECK_MSG(c->threads[0].dropped > 0, "the queue never was full");
    check_sums(c, 3ull * j.zones);
    for (size_t i = 0; i < c->zones_count; i++) /* no end was given to the wrong begin */
        CHECK(c->zones[i].depth == 0);
    tac_capture_close(c);
    forget();
}

/* At most twenty seconds. */
static void pump_until_chunks(struct tac_receive *r, uint64_t chunks)
{
    uint64_t until = tac_clock_ns() + 20 * TAC_NS_PER_S;
    while (tac_receive_stats(r).chunks < chunks && tac_clock_ns() < until)
        CHECK(tac_receive_pump(r, -1, 20) == 0);
}

static void a_new_receiver_gets_a_recording_that_stands_alone(void)
{
    pthread_t thread;
    struct job j = {.address = name, .zones = 2000, .pause_every = 100, .endless = true};
    struct tac_receive *r = receiver(name_behind, NULL);
    REQUIRE(r);
    pthread_create(&thread, NULL, work, &j);
    pump_until_chunks(r, 40);
    tac_receive_close(r);
    r = receiver(name_behind, NULL);
    REQUIRE(r);
    pump_until_chunks(r, 100);
    atomic_store(&j.enough, 1);
    CHECK(pump_until_ended(r, 1) == 0);
    pthread_join(thread, NULL);
    tac_receive_close(r);
    struct tac_capture *before = open_got(0), *after = open_got(1);
    REQUIRE(before && after && heard.count == 2);
    CHECK(before->problems & TAC_CAPTURE_NOT_CLOSED);
    /* as in check_sums, the clock of a machine that stalls may be poor */
    CHECK_MSG(!(after->problems & ~(unsigned)TAC_CAPTURE_CLOCK_POOR) && after->zones_count > 100,
              "%x, %zu zones", after->problems, after->zones_count);
    CHECK_STR(after->sites[after->zones[0].site].name, "zone");
    CHECK_STR(after->threads[0].name, "worker");
    CHECK_STR(tac_capture_meta(after, "program"), "test");
    CHECK(after->threads[0].damaged == 0);
    tac_capture_close(before);
    tac_capture_close(after);
    forget();
}

static void the_token_opens(void)
{
    pthread_t thread;
    struct job wrong = {.address = name, .token = "guess", .zones = 10};
    struct job right = {.address = name, .token = "sesame", .zones = 10};
    struct tac_receive *r = receiver(name_behind, "sesame");
    REQUIRE(r);
    pthread_create(&thread, NULL, work, &wrong);
    while (!atomic_load(&wrong.done))
        CHECK(tac_receive_pump(r, -1, 20) == 0);
    pthread_join(thread, NULL);
    CHECK(wrong.stopped == -ETIMEDOUT && heard.count == 0);
    CHECK(tac_receive_stats(r).refused >= 1);
    pthread_create(&thread, NULL, work, &right);
    CHECK(pump_until_ended(r, 1) == 0);
    pthread_join(thread, NULL);
    CHECK(right.stopped == 0 && heard.count == 1);
    tac_receive_close(r);
    forget();
}

static void others_than_this_machine_need_a_token(void)
{
    struct tac_receive_config config = {.begin = begin, .chunk = chunk};
    struct tac_receive *r = NULL;
    struct tac_error err;
    struct tac_trace_config record = {.path = "listen:0.0.0.0:0"};
    REQUIRE(tac_net_parse("listen:0.0.0.0:0", &config.address, NULL) == 0);
    CHECK(tac_receive_open(&config, &err, &r) == -EACCES && strstr(err.text, "token"));
    CHECK(tac_trace_start(&record) == -EACCES);
    config.token = "x";
    CHECK(tac_receive_open(&config, &err, &r) == 0);
    tac_receive_close(r);
}

/* Each row is sent whole by a stranger, who then looks whether the other end hangs up. */
static void garbage_ends_the_connection(void)
{
    struct tac_net_address a;
    struct row {
        struct tac_wire_knock knock;
        struct tac_wire_hello hello;
        struct tac_wire_frame frame;
        struct tac_format_chunk chunk;
        char rest[64];
        char end[4];
    } row = {{TAC_WIRE_KNOCK, TAC_WIRE_VERSION, {0}},
             {TAC_WIRE_HELLO, TAC_WIRE_VERSION, 77, 0, (uint32_t)getpid(), 0},
             {sizeof row.chunk + sizeof row.rest, 0},
             {.magic = TAC_FORMAT_MAGIC, .kind = TAC_CHUNK_RECORDS, .bytes = 64},
             {0},
             {0}};
    const size_t frame_at = offsetof(struct row, frame), chunk_at = offsetof(struct row, chunk);
    struct tac_receive *r = receiver(name_behind, NULL);
    REQUIRE(r && tac_net_parse(name, &a, NULL) == 0);
    for (int i = 0; i < 7; i++) {
        unsigned char bytes[sizeof row], byte;
        memcpy(bytes, &row, sizeof row);
        if (i == 0)
            memset(bytes, 'x', sizeof bytes);
        else if (i == 1) /* a wrong HELLO */
            bytes[sizeof row.knock] ^= 1;
        else if (i == 2) /* no chunk */
            bytes[chunk_at] ^= 1;
        else if (i == 3) /* an absurd length */
            memset(bytes + chunk_at + 8, 0xff, 4);
        else if (i == 4) /* a frame of nothing */
            memset(bytes + frame_at, 0, 2);
        else if (i == 5) /* a squeezed frame that would become too much */
            memset(bytes + frame_at, 0xff, 3);
        /* i == 6: the CRC is wrong as it stands */
        int fd = connect_blocking(&a);
        REQUIRE(fd >= 0 && send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) == (ssize_t)sizeof bytes);
        uint64_t until = tac_clock_ns() + 5 * TAC_NS_PER_S;
        ssize_t n = -1;
        while (n != 0 && tac_clock_ns() < until) {
            CHECK(tac_receive_pump(r, -1, 10) == 0);
            n = recv(fd, &byte, 1, MSG_DONTWAIT);
            n = n < 0 && errno == ECONNRESET ? 0 : n;
        }
        CHECK_MSG(n == 0, "row %d", i);
        close(fd);
    }
    CHECK(tac_receive_stats(r).garbage == 7 && heard.count == 0);
    tac_receive_close(r);
    forget();
}

static void the_owners_error_ends_the_pump(void)
{
    pthread_t thread;
    struct job j = {.address = name, .zones = 1000, .pause_every = 100};
    struct tac_receive *r = receiver(name_behind, NULL);
    REQUIRE(r);
    heard.fail_after = 5; /* the disk is full */
    pthread_create(&thread, NULL, work, &j);
    CHECK(pump_until_ended(r, 1) == -ENOSPC);
    tac_receive_close(r);
    pthread_join(thread, NULL);
    CHECK(j.stopped == -ETIMEDOUT);
    CHECK(heard.got[0].size > 0);
    struct tac_capture *c = open_got(0); /* what came before is whole chunks */
    CHECK(c && !(c->problems & (TAC_CAPTURE_TRUNCATED | TAC_CAPTURE_DAMAGED)));
    tac_capture_close(c);
    forget();
}

/* Pump, or with NULL only wait, at most five seconds, until the recorder is on or off. */
static void wait_until(struct tac_receive *r, int on)
{
    uint64_t until = tac_clock_ns() + 5 * TAC_NS_PER_S;
    while (tac_trace_is_on() != on && tac_clock_ns() < until)
        if (r)
            CHECK(tac_receive_pump(r, -1, 10) == 0);
        else
            tac_clock_sleep_until(tac_clock_ns() + 1000000);
    CHECK(tac_trace_is_on() == on);
}

static void pump_until_zone(struct tac_receive *r, int i)
{
    uint64_t until = tac_clock_ns() + 5 * TAC_NS_PER_S;
    size_t zones = 0;
    while (!zones && tac_clock_ns() < until) {
        CHECK(tac_receive_pump(r, -1, 10) == 0);
        struct tac_capture *c = open_got(i);
        zones = c ? c->zones_count : 0;
        tac_capture_close(c);
    }
}

static void on_demand_nothing_is_recorded_until_somebody_asks(void)
{
    struct tac_trace_config config = {.path = name_behind, .drain_ms = 1};
    REQUIRE(tac_thread_register("worker", 0) == 0 && tac_trace_start(&config) == 0);
    CHECK(!tac_trace_is_on());
    for (int i = 0; i < 100; i++) {
        TAC_ZONE("before");
    }
    struct tac_receive *r = receiver(name, NULL);
    REQUIRE(r);
    wait_until(r, 1);
    for (int i = 0; i < 100; i++) {
        TAC_ZONE("after");
    }
    for (int i = 0; i < 20; i++)
        CHECK(tac_receive_pump(r, -1, 10) == 0);
    tac_receive_close(r);
    tac_trace_stop();
    tac_thread_unregister();
    struct tac_capture *c = open_got(0);
    REQUIRE(c);
    CHECK_MSG(c->zones_count == 100, "%zu", c->zones_count);
    CHECK_STR(c->sites[c->zones[0].site].name, "after");
    tac_capture_close(c);
    forget();
}

static void who_leaves_in_order_leaves_the_recorder_free(void)
{
    struct tac_trace_config config = {.path = name_behind, .drain_ms = 1};
    REQUIRE(tac_thread_register("worker", 0) == 0 && tac_trace_start(&config) == 0);
    for (int i = 0; i < 3; i++) {
        struct tac_receive *r = receiver(name, NULL);
        REQUIRE(r);
        wait_until(r, 1);
        {
            TAC_ZONE("zone");
        }
        pump_until_zone(r, i);
        tac_receive_close(r);
        wait_until(NULL, 0);
    }
    CHECK(tac_trace_stop() == 0);
    tac_thread_unregister();
    CHECK(heard.count == 3 && heard.news[TAC_RECEIVE_CAME] == 3);
    CHECK(heard.news[TAC_RECEIVE_LEFT] == 0);
    for (int i = 0; i < heard.count; i++) {
        struct tac_capture *c = open_got(i);
        CHECK(c && c->zones_count == 1);
        tac_capture_close(c);
    }
    forget();
}

/* Eight who connect and say nothing are as many as are heard at a time. */
static void silent_strangers_keep_nobody_out(void)
{
    enum { STRANGERS = 12 };
    struct tac_trace_config config = {.path = name_behind, .drain_ms = 1};
    struct tac_net_address a;
    int stranger[STRANGERS];
    REQUIRE(tac_thread_register("worker", 0) == 0 && tac_trace_start(&config) == 0);
    REQUIRE(tac_net_parse(name, &a, NULL) == 0);
    for (int i = 0; i < STRANGERS; i++) {
        stranger[i] = connect_blocking(&a);
        REQUIRE(stranger[i] >= 0);
    }
    struct tac_receive *r = receiver(name, NULL);
    REQUIRE(r);
    uint64_t until = tac_clock_ns() + 20 * TAC_NS_PER_S;
    while (!tac_trace_is_on() && tac_clock_ns() < until)
        CHECK(tac_receive_pump(r, -1, 10) == 0);
    CHECK(tac_trace_is_on());
    tac_receive_close(r);
    tac_trace_stop();
    tac_thread_unregister();
    for (int i = 0; i < STRANGERS; i++)
        close(stranger[i]);
    forget();
}

/* More than the queue of the stream holds: it goes as the other end takes it, and nothing is lost.
 */
static void what_a_flight_recorder_keeps_waits_for_room(void)
{
    enum { ZONES = 200000, AT_ONCE = 2000 };
    struct tac_trace_config config = {
        .path = name, .drain_ms = 1, .flight_s = 60, .stream_bytes = 256 << 10};
    struct tac_receive *r = receiver(name_behind, NULL);
    REQUIRE(r && tac_thread_register("worker", 1 << 14) == 0 && tac_trace_start(&config) == 0);
    for (int i = 0; i < ZONES; i++) {
        TAC_ZONE("zone");
        TAC_PLOT("curve", "", (double)i * 0.37);
        if (i % AT_ONCE == 0) {
            CHECK(tac_receive_pump(r, -1, 3) == 0);
            tac_clock_sleep_until(tac_clock_ns() + 2000000);
        }
    }
    tac_trace_keep();
    struct tac_trace_stats stats;
    uint64_t until = tac_clock_ns() + 30 * TAC_NS_PER_S, stored = 0;
    do {
        for (int i = 0; i < 20; i++)
            CHECK(tac_receive_pump(r, -1, 10) == 0);
        tac_trace_get_stats(&stats);
        struct tac_capture *c = open_got(0);
        stored = c && c->threads_count ? c->threads[0].stored : 0;
        tac_capture_close(c);
    } while (stored != stats.stored && tac_clock_ns() < until);
    tac_receive_close(r);
    tac_trace_stop();
    tac_thread_unregister();
    CHECK_MSG(stored == stats.stored, "%llu of %llu", (unsigned long long)stored,
              (unsigned long long)stats.stored);
    REQUIRE(heard.count == 1);
    CHECK(heard.got[0].size > config.stream_bytes);
    forget();
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(name, sizeof name, "unix:@tactus-test-stream-%d", (int)getpid());
    snprintf(proxy_name, sizeof proxy_name, "unix:@tactus-test-proxy-%d", (int)getpid());
    snprintf(name_behind, sizeof name_behind, "listen:%s", name);
    TEST(all_arrives_over_a_socket);
    TEST(cuts_lose_nothing_while_the_queue_has_room);
    TEST(cuts_of_squeezed_frames_lose_nothing);
    TEST(a_slow_receiver_costs_counted_events_and_no_wait);
    TEST(a_new_receiver_gets_a_recording_that_stands_alone);
    TEST(the_token_opens);
    TEST(others_than_this_machine_need_a_token);
    TEST(garbage_ends_the_connection);
    TEST(the_owners_error_ends_the_pump);
    TEST(on_demand_nothing_is_recorded_until_somebody_asks);
    TEST(who_leaves_in_order_leaves_the_recorder_free);
    TEST(silent_strangers_keep_nobody_out);
    TEST(what_a_flight_recorder_keeps_waits_for_room);
    return test_end();
}
