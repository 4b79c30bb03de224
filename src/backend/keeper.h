/* SPDX-License-Identifier: MIT
 * keeper.h - a thread that brings a lost server back.
 *
 * How     It sleeps until somebody says that the server is lost, then makes an attempt to reach it
 *         again every TAC_KEEPER_MS, until one succeeds, one gives up, or the keeper is stopped.
 * Threads start, stop: control. lost: any, also a real-time one or a signal handler: it posts a
 *         semaphore. attempt: the keeper's own thread, at normal priority. */
#ifndef TAC_BACKEND_KEEPER_H
#define TAC_BACKEND_KEEPER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

enum { TAC_KEEPER_MS = 500 };

struct tac_keeper {
    pthread_t thread;
    sem_t wake;
    bool running;
    _Atomic bool stop, lost, trying;
    int (*attempt)(void *user); /* 0: it is back; 1: stop trying; negative: try again later */
    void *user;
};

/* 0 or a negative errno. */
int tac_keeper_start(struct tac_keeper *keeper, int (*attempt)(void *user), void *user);

/* Returns when no attempt is being made any more. A keeper that was not started is fine. */
void tac_keeper_stop(struct tac_keeper *keeper);

/* The server is gone; said twice it counts once. Returns true the first time. */
bool tac_keeper_lost(struct tac_keeper *keeper);

/* For attempt: what was said so far is known; called when the old connection is closed, which may
 * say it once more. */
void tac_keeper_forget(struct tac_keeper *keeper);

/* True from then until an attempt succeeds. */
bool tac_keeper_is_lost(const struct tac_keeper *keeper);

#endif
