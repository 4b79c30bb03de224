/* SPDX-License-Identifier: MIT
 * slow_plugin.c - a library whose constructor takes its time, under the loader's lock. */
#include <time.h>

static __attribute__((constructor)) void take_time(void)
{
    struct timespec t = {0, 5000000};
    nanosleep(&t, NULL);
}
