/* SPDX-License-Identifier: MIT
 * keeper.c - waits for a loss, then tries until the server is back; see keeper.h.
 *
 * States  THERE -lost-> LOST -thread-> TRYING -attempt-> THERE or LOST. A loss that is told during
 *         an attempt makes it TRYING_LOST: the old connection's, which forget takes back, or the
 *         new one's. The thread alone leaves LOST and the two after it. */
#include "backend/keeper.h"

#include <stdatomic.h>
#include <time.h>

enum { THERE, LOST, TRYING, TRYING_LOST, STATES };

static uint32_t state_of(uint32_t word)
{
    return word % STATES;
}

static uint32_t with_state(uint32_t word, uint32_t state)
{
    return word - state_of(word) + state;
}

/* What becomes of the word by each of the things that happen; all of them are one atomic step. */
static uint32_t after_loss(uint32_t word)
{
    if (state_of(word) == THERE)
        return with_state(word, LOST) + STATES;
    return state_of(word) == TRYING ? with_state(word, TRYING_LOST) : word;
}

static uint32_t after_forgetting(uint32_t word)
{
    return state_of(word) == TRYING_LOST ? with_state(word, TRYING) : word;
}

static uint32_t after_success(uint32_t word)
{
    return state_of(word) == TRYING ? with_state(word, THERE) : with_state(word, LOST) + STATES;
}

static uint32_t after_failure(uint32_t word)
{
    return with_state(word, LOST);
}

/* Returns the word that the step began at. */
static uint32_t step(struct tac_keeper *k, uint32_t (*after)(uint32_t word))
{
    uint32_t word = atomic_load(&k->word);
    while (!atomic_compare_exchange_weak(&k->word, &word, after(word)))
        continue;
    return word;
}

/* How many looks at the pulse have found the same. */
struct stillness {
    uint64_t pulse;
    uint32_t looks;
};

static void sleep_between(struct tac_keeper *k)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); // whoever sets the time must not hold us up
    until.tv_nsec += TAC_KEEPER_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000l;
    until.tv_nsec %= 1000000000l;
    sem_clockwait(&k->wake, CLOCK_MONOTONIC, &until);
}

/* Until a loss, or the end of one look at the pulse. A signal or an old post leads to one more. */
static void watch(struct tac_keeper *k, struct stillness *s)
{
    if (!k->pulse) {
        sem_wait(&k->wake);
        return;
    }
    sleep_between(k);
    uint64_t pulse = k->pulse(k->user);
    s->looks = pulse == s->pulse ? s->looks + 1 : 0;
    s->pulse = pulse;
    if (s->looks > TAC_KEEPER_STILL_MS / TAC_KEEPER_MS) {
        step(k, after_loss);
        s->looks = 0;
    }
}

static void *keep(void *user)
{
    struct tac_keeper *k = user;
    struct stillness still = {0, 0};
    while (!atomic_load(&k->stop)) {
        uint32_t word = atomic_load(&k->word);
        if (state_of(word) == THERE) {
            watch(k, &still);
            continue;
        }
        atomic_store(&k->word, with_state(word, TRYING)); // nobody else changes LOST
        int code = k->attempt(k->user);
        step(k, code == 0 ? after_success : after_failure);
        if (code > 0)
            break;
        if (code < 0)
            sleep_between(k);
    }
    return NULL;
}

void tac_keeper_init(struct tac_keeper *k, int (*attempt)(void *user),
                     uint64_t (*pulse)(void *user), void *user)
{
    k->attempt = attempt;
    k->pulse = pulse;
    k->user = user;
    atomic_store(&k->word, THERE);
    sem_init(&k->wake, 0, 0); // cannot fail for a semaphore of one process that starts at 0
}

int tac_keeper_start(struct tac_keeper *k)
{
    atomic_store(&k->stop, false);
    int code = pthread_create(&k->thread, NULL, keep, k);
    k->running = code == 0;
    return -code;
}

void tac_keeper_stop(struct tac_keeper *k)
{
    if (!k->running)
        return;
    atomic_store(&k->stop, true);
    sem_post(&k->wake);
    pthread_join(k->thread, NULL);
    k->running = false;
}

void tac_keeper_fini(struct tac_keeper *k)
{
    tac_keeper_stop(k);
    if (k->attempt)
        sem_destroy(&k->wake);
    k->attempt = NULL;
}

void tac_keeper_lost(struct tac_keeper *k)
{
    if (state_of(step(k, after_loss)) == THERE)
        sem_post(&k->wake);
}

void tac_keeper_forget(struct tac_keeper *k)
{
    step(k, after_forgetting);
}

bool tac_keeper_is_lost(const struct tac_keeper *k)
{
    return state_of(atomic_load(&k->word)) != THERE;
}

uint32_t tac_keeper_losses(const struct tac_keeper *k)
{
    return atomic_load(&k->word) / STATES;
}
