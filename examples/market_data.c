/* SPDX-License-Identifier: MIT
 * market_data.c - a deadline that is not audio: each message has to be handled in time.
 *
 * usage: market_data [MISTAKE [MESSAGES [RECORDING]]]
 *
 * A feed sends price updates by UDP over the loopback, one a millisecond. The handler takes each
 * into its order book within a millisecond of its sending: that is a cycle, opened when the message
 * is read and closed when the book is up to date. Its source has the time that a message may take
 * as period, so the doctor knows that the cycle could have begun when the message was sent, and a
 * handler that wakes up late is late, too.
 *
 * MISTAKE is one that such handlers make, and that the doctor names:
 *   none   nothing: all in time, but for what the machine does
 *   sort   every 50th message sorts the whole book              its own computation
 *   lock   a risk report holds the book's lock for 4 ms         waiting for a lock
 *   log    every 50th message is logged and synced to the disk  a call that blocks
 *   heap   every 50th message builds a list node by node        work inside malloc and free
 *
 *   cc market_data.c $(pkg-config --cflags --libs tactus-trace) -pthread
 *   tactus doctor -- ./market_data lock */
#include "tactus/cycle.h"
#include "tactus/trace.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LEVELS = 1 << 15, EVERY = 50, BUDGET_NS = 1000000, HOLD_NS = 4000000 };

struct message {
    uint64_t sent_ns; /* CLOCK_MONOTONIC */
    uint32_t number, level;
    double price;
};

static struct {
    pthread_mutex_t lock;
    double price[LEVELS];
} book = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *mistake = "none";
static uint32_t messages = 2000;
static int feed = -1, handler = -1, log_fd = -1;
static volatile int done;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void wait_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

/* ---- the mistakes ---- */

static int compare_prices(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort_all(void)
{
    static double sorted[LEVELS];
    TAC_ZONE("sort the book");
    memcpy(sorted, book.price, sizeof sorted);
    qsort(sorted, LEVELS, sizeof *sorted, compare_prices);
}

static void log_message(const struct message *m)
{
    char line[96];
    int n = snprintf(line, sizeof line, "%u %u %.4f\n", m->number, m->level, m->price);
    for (int i = 0; i < 12; i++) /* a trade, its legs, and what compliance wants */
        if (write(log_fd, line, (size_t)n) < 0 || fdatasync(log_fd))
            return;
}

static void build_list(void)
{
    struct node {
        struct node *next;
        double price;
    } *first = NULL;
    for (int i = 0; i < 60000; i++) {
        struct node *node = malloc(sizeof *node);
        if (!node)
            break;
        *node = (struct node){first, book.price[i % LEVELS]};
        first = node;
    }
    while (first) {
        struct node *next = first->next;
        free(first);
        first = next;
    }
}

/* Another thread, which reports on the book and keeps it locked while it reckons. */
static void *report_risk(void *unused)
{
    while (!done) {
        pthread_mutex_lock(&book.lock);
        double sum = 0;
        for (uint64_t end = now() + HOLD_NS; now() < end;)
            for (int i = 0; i < LEVELS; i++)
                sum += book.price[i];
        pthread_mutex_unlock(&book.lock);
        wait_until(now() + 12 * HOLD_NS + (sum < 0));
    }
    return unused;
}

/* ---- the feed and the handler ---- */

static void *send_feed(void *unused)
{
    uint64_t at = now() + 20000000;
    for (uint32_t i = 0; i < messages; i++, at += 1000000) {
        wait_until(at);
        struct message m = {now(), i, i * 7919u % LEVELS, 100 + (double)(i % 97) / 10};
        if (send(feed, &m, sizeof m, 0) < 0)
            abort();
    }
    struct message last = {now(), messages, 0, 0};
    if (send(feed, &last, sizeof last, 0) < 0)
        abort();
    return unused;
}

static void handle(const struct message *m)
{
    pthread_mutex_lock(&book.lock);
    book.price[m->level] = m->price;
    pthread_mutex_unlock(&book.lock);
    if (m->number % EVERY != EVERY - 1)
        return;
    if (!strcmp(mistake, "sort"))
        sort_all();
    else if (!strcmp(mistake, "log"))
        log_message(m);
    else if (!strcmp(mistake, "heap"))
        build_list();
}

static void *handle_feed(void *unused)
{
    struct sched_param param = {.sched_priority = 60};
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &param); /* where it is permitted */
    if (tac_thread_register("handler", 1 << 19))
        abort();
    int source = tac_cycle_source_open("messages", BUDGET_NS);
    struct message m;
    while (recv(handler, &m, sizeof m, 0) == sizeof m && m.number < messages) {
        tac_cycle_begin(source, m.sent_ns + BUDGET_NS, 1);
        handle(&m);
        tac_cycle_end(source);
    }
    return unused;
}

/* The prices of a market that is open: a book of zeros would be sorted in no time. */
static void fill_book(void)
{
    for (uint32_t i = 0; i < LEVELS; i++)
        book.price[i] = 100 + (double)(i * 40503u % LEVELS) / LEVELS;
}

static void open_sockets(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    handler = socket(AF_INET, SOCK_DGRAM, 0);
    feed = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(handler, (struct sockaddr *)&address, sizeof address) ||
        getsockname(handler, (struct sockaddr *)&address, &length) ||
        connect(feed, (struct sockaddr *)&address, sizeof address)) {
        perror("market_data");
        exit(3);
    }
}

int main(int argc, char **argv)
{
    mistake = argc > 1 ? argv[1] : mistake;
    messages = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : messages;
    char log[] = "/var/tmp/market-data-XXXXXX";
    log_fd = mkstemp(log);
    unlink(log);
    fill_book();
    open_sockets();
    struct tac_trace_config config = {.path = argc > 3 ? argv[3] : "market_data.tac",
                                      .evidence = TAC_EVIDENCE_CLOCK | TAC_EVIDENCE_PERF};
    int r = tac_trace_start(&config);
    if (r < 0) {
        fprintf(stderr, "market_data: %s\n", tac_error_sentence(r));
        return 3;
    }
    pthread_t threads[3];
    void *(*const start[3])(void *) = {handle_feed, send_feed, report_risk};
    int count = strcmp(mistake, "lock") ? 2 : 3;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, start[i], NULL))
            return 3;
    pthread_join(threads[0], NULL);
    done = 1;
    for (int i = 1; i < count; i++)
        pthread_join(threads[i], NULL);
    return tac_trace_stop() < 0 ? 3 : 0;
}
