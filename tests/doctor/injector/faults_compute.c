/* SPDX-License-Identifier: MIT
 * faults_compute.c - the cycle's own work takes longer: plain, in a zone, on denormals, in a signal
 * handler, or so that the recorder loses events. */
#include "injector.h"

#include "tactus/trace.h"

#include <pthread.h>
#include <signal.h>

static volatile float sink;

static void strike_compute(uint64_t want_ns)
{
    spin(want_ns);
}

static void strike_zone(uint64_t want_ns)
{
    TAC_ZONE("reverb");
    spin(want_ns);
}

static void strike_denormal(uint64_t want_ns)
{
    volatile float x = 1e-39f, y = 0;
    for (uint64_t end = now() + want_ns; now() < end;)
        for (int i = 0; i < 200; i++)
            y = x * 0.999f + y * 0.5f;
    sink = y;
}

/* ---- a signal handler that takes its time ---- */

static pthread_t target;
static volatile uint64_t handler_ns;

static void handle(int number)
{
    (void)number;
    spin(handler_ns);
}

static void prepare_signal(void)
{
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
}

static void strike_signal(uint64_t want_ns)
{
    target = pthread_self();
    handler_ns = want_ns;
    pthread_kill(target, SIGUSR1);
}

/* ---- more events than the ring takes ---- */

static void strike_flood(uint64_t want_ns)
{
    for (uint64_t end = now() + want_ns; now() < end;)
        for (int i = 0; i < 500; i++)
            TAC_MESSAGE("flood", (uint64_t)i);
}

const struct fault faults_compute[] = {
    {"compute", NULL, strike_compute, NULL, FAULT_CPU},
    {"zone", NULL, strike_zone, NULL, FAULT_CPU},
    {"denormal", NULL, strike_denormal, NULL, FAULT_CPU},
    {"signal", prepare_signal, strike_signal, NULL, FAULT_CPU},
    {"flood", NULL, strike_flood, NULL, FAULT_CPU | FAULT_SMALL_RING},
    {0},
};
