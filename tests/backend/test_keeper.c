/* SPDX-License-Identifier: MIT
 * test_keeper.c - a lost server is looked for, and each loss is counted once, whenever it is told.
 */
#include "backend/keeper.h"
#include "test.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum { TELLERS = 4 };

/* What the next attempts do, and how many were made. */
struct server {
    struct tac_keeper keeper;
    _Atomic int attempts, failures;
    void (*during)(struct server *server);
    sem_t done;         /* an attempt ended */
    bool beats;         /* it has a pulse */
    _Atomic bool still; /* which has stopped */
    _Atomic uint64_t beat;
};

static uint64_t pulse(void *user)
{
    struct server *s = user;
    return atomic_load(&s->still) ? atomic_load(&s->beat) : atomic_fetch_add(&s->beat, 1);
}

static int attempt(void *user)
{
    struct server *s = user;
    tac_keeper_forget(&s->keeper);
    atomic_fetch_add(&s->attempts, 1);
    if (s->during)
        s->during(s);
    int code = atomic_load(&s->failures) > 0 ? -1 : 0;
    atomic_fetch_sub(&s->failures, code < 0);
    sem_post(&s->done);
    return code;
}

static void setup(struct server *s)
{
    *s = (struct server){.beats = s->beats};
    sem_init(&s->done, 0, 0);
    tac_keeper_init(&s->keeper, attempt, s->beats ? pulse : NULL, s);
}

static void wait_until_back(struct server *s)
{
    while (tac_keeper_is_lost(&s->keeper))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void teardown(struct server *s)
{
    tac_keeper_fini(&s->keeper);
    sem_destroy(&s->done);
}

static void a_loss_is_counted_and_mended(void)
{
    struct server s = {.beats = false};
    setup(&s);
    CHECK(tac_keeper_start(&s.keeper) == 0);
    CHECK(!tac_keeper_is_lost(&s.keeper));
    atomic_store(&s.failures, 2);
    tac_keeper_lost(&s.keeper);
    CHECK(tac_keeper_losses(&s.keeper) == 1);
    wait_until_back(&s);
    CHECK(atomic_load(&s.attempts) == 3);
    CHECK(tac_keeper_losses(&s.keeper) == 1);
    teardown(&s);
}

static void *tell(void *user)
{
    struct server *s = user;
    tac_keeper_lost(&s->keeper);
    return NULL;
}

/* The keeper does not run yet, so all tell of the same loss. */
static void many_tell_of_one_loss(void)
{
    struct server s = {.beats = false};
    pthread_t teller[TELLERS];
    setup(&s);
    for (int i = 0; i < TELLERS; i++)
        CHECK(pthread_create(&teller[i], NULL, tell, &s) == 0);
    for (int i = 0; i < TELLERS; i++)
        pthread_join(teller[i], NULL);
    CHECK(tac_keeper_losses(&s.keeper) == 1);
    CHECK(tac_keeper_is_lost(&s.keeper));
    CHECK(atomic_load(&s.attempts) == 0);
    CHECK(tac_keeper_start(&s.keeper) == 0); // acts on what was told before
    wait_until_back(&s);
    CHECK(atomic_load(&s.attempts) == 1);
    teardown(&s);
}

/* The connection that an attempt closes tells of the loss again, from a thread of its own. */
static void close_the_old_one(struct server *s)
{
    pthread_t teller;
    CHECK(pthread_create(&teller, NULL, tell, s) == 0);
    pthread_join(teller, NULL);
    CHECK(tac_keeper_is_lost(&s->keeper));
    tac_keeper_forget(&s->keeper);
}

static void a_closed_connection_is_no_second_loss(void)
{
    struct server s = {.beats = false};
    setup(&s);
    s.during = close_the_old_one;
    CHECK(tac_keeper_start(&s.keeper) == 0);
    tac_keeper_lost(&s.keeper);
    wait_until_back(&s);
    CHECK(tac_keeper_losses(&s.keeper) == 1);
    CHECK(atomic_load(&s.attempts) == 1);
    teardown(&s);
}

static void lose_the_new_one_once(struct server *s)
{
    if (atomic_load(&s->attempts) == 1)
        tac_keeper_lost(&s->keeper);
}

static void a_server_that_leaves_during_the_attempt_is_a_loss(void)
{
    struct server s = {.beats = false};
    setup(&s);
    s.during = lose_the_new_one_once;
    CHECK(tac_keeper_start(&s.keeper) == 0);
    tac_keeper_lost(&s.keeper);
    sem_wait(&s.done);
    sem_wait(&s.done); // it was looked for again
    wait_until_back(&s);
    CHECK(tac_keeper_losses(&s.keeper) == 2);
    CHECK(atomic_load(&s.attempts) == 2);
    teardown(&s);
}

static void a_server_that_never_came_is_no_second_loss(void)
{
    struct server s = {.beats = false};
    setup(&s);
    s.during = lose_the_new_one_once;
    atomic_store(&s.failures, 1);
    CHECK(tac_keeper_start(&s.keeper) == 0);
    tac_keeper_lost(&s.keeper);
    sem_wait(&s.done);
    sem_wait(&s.done);
    wait_until_back(&s);
    CHECK(tac_keeper_losses(&s.keeper) == 1);
    teardown(&s);
}

/* As JACK's library does it: whoever told is cancelled, wherever it is, as soon as it was heard. */
static void *tell_and_be_cancelled(void *user)
{
    struct server *s = user;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    tac_keeper_lost(&s->keeper);
    while (s)
        sched_yield();
    return NULL;
}

static pthread_t victim;

static void cancel_the_teller(struct server *s)
{
    (void)s;
    pthread_cancel(victim);
    pthread_join(victim, NULL);
}

static void a_cancelled_teller_has_counted(void)
{
    struct server s = {.beats = false};
    setup(&s);
    s.during = cancel_the_teller;
    for (uint32_t i = 1; i <= 200; i++) {
        CHECK(pthread_create(&victim, NULL, tell_and_be_cancelled, &s) == 0);
        if (i == 1)
            CHECK(tac_keeper_start(&s.keeper) == 0);
        sem_wait(&s.done);
        wait_until_back(&s);
        if (!CHECK(tac_keeper_losses(&s.keeper) == i))
            break;
    }
    teardown(&s);
}

static void a_pulse_that_stands_still_is_a_loss(void)
{
    struct server s = {.beats = true};
    setup(&s);
    CHECK(tac_keeper_start(&s.keeper) == 0);
    nanosleep(&(struct timespec){.tv_nsec = 900000000}, NULL);
    CHECK(tac_keeper_losses(&s.keeper) == 0);
    atomic_store(&s.still, true);
    sem_wait(&s.done);
    atomic_store(&s.still, false);
    wait_until_back(&s);
    CHECK(tac_keeper_losses(&s.keeper) == 1);
    teardown(&s);
}

static void one_that_was_not_initialised_may_be_ended(void)
{
    struct tac_keeper none = {.running = false};
    tac_keeper_stop(&none);
    tac_keeper_fini(&none);
    CHECK(!none.running);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_loss_is_counted_and_mended);
    TEST(many_tell_of_one_loss);
    TEST(a_closed_connection_is_no_second_loss);
    TEST(a_server_that_leaves_during_the_attempt_is_a_loss);
    TEST(a_server_that_never_came_is_no_second_loss);
    TEST(a_cancelled_teller_has_counted);
    TEST(a_pulse_that_stands_still_is_a_loss);
    TEST(one_that_was_not_initialised_may_be_ended);
    return test_end();
}
