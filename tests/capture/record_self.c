/* SPDX-License-Identifier: MIT
 * record_self.c - a small program that records itself, for capture_command.sh: cycles of 2 ms with
 * a zone each. usage: record_self FILE */
#include "tactus/cycle.h"

#include <time.h>

int main(int argc, char **argv)
{
    struct tac_trace_config config = {.path = argc > 1 ? argv[1] : "record_self.tac"};
    struct timespec nap = {0, 2000000};
    if (tac_trace_start(&config) || tac_thread_register("audio", 0))
        return 1;
    int source = tac_cycle_source_open("callback", 2000000);
    for (int i = 0; i < 50; i++) {
        nanosleep(&nap, NULL);
        tac_cycle_begin(source, 0, 64);
        {
            TAC_ZONE("work");
        }
        tac_cycle_end(source);
    }
    return tac_trace_stop() ? 1 : 0;
}
