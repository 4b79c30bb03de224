/* SPDX-License-Identifier: MIT
 * keeper.h - a thread that brings a lost server back, and the count of losses.
 *
 * How     It sleeps until somebody says that the server is lost, or until the pulse of a server
 *         that should beat has stood still for TAC_KEEPER_STILL_MS; then it makes an attempt to
 *         reach it again every TAC_KEEPER_MS, until one succeeds, one gives up, or the keeper is
 *         stopped.
 *         Whether the server is there and how often it was lost stand in one word, so a loss and
 *         its count are one step: JACK's library cancels its threads wherever they are when a
 *         client is closed, also the one that has just told us and so set the closing off.
 * Invariant  I1 the count grows exactly when a server that was there is gone: once for all who say
 *         so, and once for a server that an attempt reached and that left before the attempt ended.
 * Threads init, start, stop, fini: control. lost: any, also a real-time one or a signal handler: it
 *         posts a semaphore. attempt, pulse: the keeper's own thread, at normal priority. */
#ifndef TAC_BACKEND_KEEPER_H
#define TAC_BACKEND_KEEPER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

enum { TAC_KEEPER_MS = 500, TAC_KEEPER_STILL_MS = 3000 };

struct tac_keeper {
    pthread_t thread;
    sem_t wake;
    bool running;
    _Atomic bool stop;
    _Atomic uint32_t word;         /* state, and the losses above it */
    int (*attempt)(void *user);    /* 0: it is back; 1: stop trying; negative: try again later */
    uint64_t (*pulse)(void *user); /* changes while the server is well; NULL: nobody can tell */
    void *user;
};

/* From here on losses are taken note of. */
void tac_keeper_init(struct tac_keeper *keeper, int (*attempt)(void *user),
                     uint64_t (*pulse)(void *user), void *user);

/* A loss that was told since init is acted on now. 0 or a negative errno. */
int tac_keeper_start(struct tac_keeper *keeper);

/* Returns when no attempt is being made any more. A keeper that was not started is fine. */
void tac_keeper_stop(struct tac_keeper *keeper);

/* Also stops. A keeper that was not initialised (all bytes 0) is fine. */
void tac_keeper_fini(struct tac_keeper *keeper);

/* The server is gone; said twice it counts once. */
void tac_keeper_lost(struct tac_keeper *keeper);

/* For attempt: what was said so far is known; called when the old connection is closed, which may
 * say it once more. */
void tac_keeper_forget(struct tac_keeper *keeper);

/* True from a loss until an attempt succeeds. */
bool tac_keeper_is_lost(const struct tac_keeper *keeper);

/* How often the server was lost. */
uint32_t tac_keeper_losses(const struct tac_keeper *keeper);

#endif
