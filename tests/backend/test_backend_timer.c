/* SPDX-License-Identifier: MIT
 * test_backend_timer.c - cycles come one after the other with the right times, and stop. */
#include "backend/backend.h"

#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

struct seen {
    _Atomic uint64_t cycles, wrong;
    uint64_t next, deadline;
    unsigned entered;
    pthread_t thread;
};

/* It may wait: the first cycle is due after that. */
static void enter(void *user)
{
    struct seen *s = user;
    s->entered++;
    s->thread = pthread_self();
    usleep(20000);
}

static void note(void *user, const struct tac_cycle *c)
{
    struct seen *s = user;
    int good = c->index == s->next && c->frames == 64 && c->outputs == 3 && c->inputs == 1 &&
               c->begin_ns >= c->due_ns && c->deadline_ns > c->due_ns && c->in[0][63] == 0 &&
               c->due_ns >= s->deadline && s->entered == 1 &&
               pthread_equal(s->thread, pthread_self());
    s->next++;
    s->deadline = c->deadline_ns;
    c->out[2][63] = 1;
    s->wrong += !good;
    s->cycles++;
}

static void cycles_are_in_order_and_on_the_grid(void)
{
    struct rlimit limit = {100000, 200000}; /* a spinning thread must not take the machine */
    setrlimit(RLIMIT_RTTIME, &limit);
    struct seen seen = {0};
    struct tac_backend_config config = {.rate_hz = 48000,
                                        .frames = 64,
                                        .inputs = 1,
                                        .outputs = 3,
                                        .process = note,
                                        .enter = enter,
                                        .user = &seen};
    struct tac_backend_stream *stream;
    struct tac_error err = {0};
    const struct tac_backend *timer = tac_backend_find("timer");
    REQUIRE(timer && timer->open(&config, &stream, &err) == 0);
    REQUIRE(timer->start(stream, &err) == 0);
    for (int i = 0; i < 3000 && seen.cycles < 100; i++)
        usleep(1000);
    CHECK(timer->stop(stream) == 0);
    uint64_t cycles = seen.cycles;
    struct tac_backend_stats stats;
    timer->stats(stream, &stats);
    CHECK(cycles >= 100 && seen.wrong == 0);
    CHECK(stats.cycles == cycles && stats.frames == cycles * 64);
    CHECK(stats.realtime || stream->notice[0]);
    usleep(5000);
    CHECK(seen.cycles == cycles);
    timer->close(stream);
    timer->close(NULL);
}

static void count(void *user, const struct tac_cycle *c)
{
    struct seen *s = user;
    (void)c;
    s->cycles++;
}

/* 5 us each: none would begin in time, as no thread wakes so soon. */
static void cycles_shorter_than_a_wake_are_played(void)
{
    struct seen seen = {0};
    struct tac_backend_config config = {.rate_hz = 192000,
                                        .frames = 1,
                                        .outputs = 1,
                                        .process = count,
                                        .user = &seen,
                                        .priority = -1};
    struct tac_backend_stream *stream;
    struct tac_error err = {0};
    const struct tac_backend *timer = tac_backend_find("timer");
    REQUIRE(timer && timer->open(&config, &stream, &err) == 0);
    REQUIRE(timer->start(stream, &err) == 0);
    for (int i = 0; i < 3000 && seen.cycles < 1000; i++)
        usleep(1000);
    timer->close(stream);
    CHECK_MSG(seen.cycles >= 1000, "%llu cycles", (unsigned long long)seen.cycles);
}

static void nonsense_is_refused_in_one_line(void)
{
    static const struct tac_backend_config bad[] = {
        {.rate_hz = 10, .frames = 64},
        {.rate_hz = 48000, .frames = 0},
        {.rate_hz = 48000, .frames = 5000},
        {.rate_hz = 48000, .frames = 64, .outputs = 65},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tac_backend_stream *stream = NULL;
        struct tac_error err = {0};
        CHECK(tac_backend_find("timer")->open(&bad[i], &stream, &err) < 0);
        CHECK(!stream && err.text[0]);
    }
    CHECK(!tac_backend_find("gramophone"));
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(cycles_are_in_order_and_on_the_grid);
    TEST(cycles_shorter_than_a_wake_are_played);
    TEST(nonsense_is_refused_in_one_line);
    return test_end();
}
