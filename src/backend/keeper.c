/* SPDX-License-Identifier: MIT
 * keeper.c - waits for a loss, then tries until the server is back; see keeper.h. */
#include "backend/keeper.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

static void sleep_between(struct tac_keeper *k)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); // whoever sets the time must not hold us up
    until.tv_nsec += TAC_KEEPER_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000l;
    until.tv_nsec %= 1000000000l;
    sem_clockwait(&k->wake, CLOCK_MONOTONIC, &until);
}

static void *keep(void *user)
{
    struct tac_keeper *k = user;
    while (!atomic_load(&k->stop)) {
        if (!atomic_load(&k->lost)) {
            sem_wait(&k->wake); // a signal or an old post leads to one more look
            continue;
        }
        atomic_store(&k->trying, true);
        int code = k->attempt(k->user);
        if (code < 0)
            atomic_store(&k->lost, true);
        atomic_store(&k->trying, false);
        if (code > 0)
            break;
        if (code < 0)
            sleep_between(k);
    }
    return NULL;
}

int tac_keeper_start(struct tac_keeper *k, int (*attempt)(void *user), void *user)
{
    k->attempt = attempt;
    k->user = user;
    atomic_store(&k->stop, false);
    atomic_store(&k->lost, false);
    if (sem_init(&k->wake, 0, 0) < 0)
        return -errno;
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
    sem_destroy(&k->wake);
    k->running = false;
}

bool tac_keeper_lost(struct tac_keeper *k)
{
    bool first = !atomic_load(&k->trying) && !atomic_load(&k->lost);
    if (!atomic_exchange(&k->lost, true))
        sem_post(&k->wake);
    return first;
}

void tac_keeper_forget(struct tac_keeper *k)
{
    atomic_store(&k->lost, false);
}

bool tac_keeper_is_lost(const struct tac_keeper *k)
{
    return atomic_load(&k->trying) || atomic_load(&k->lost);
}
