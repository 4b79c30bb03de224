/* SPDX-License-Identifier: MIT
 * peer_tracy.cpp - Tracy's zone in the loops of zone_loops.h. Not built here: it wants Tracy's
 * client, which is nobody's package in Debian 12. With a checkout of Tracy beside it:
 *
 *   g++ -O2 -DTRACY_ENABLE -I TRACY/public bench/trace/peer_tracy.cpp TRACY/public/TracyClient.cpp
 * \ -o bench_tracy -lpthread -ldl bench/trace/zones build --tracy ./bench_tracy TRACY-CAPTURE
 *
 * usage: bench_tracy unconnected|connected. Connected: waits for tracy-capture at TRACY_PORT. */
#include "tracy/Tracy.hpp"

#define BENCH_ZONE ZoneScopedN("bench")
#include "zone_loops.h"

#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "unconnected";
    bool connected = !strcmp(name, "connected");
    zone_calibrate();
    for (int i = 0; connected && i < 200 && !TracyIsConnected; i++)
        zone_sleep_ms(50);
    if (connected && !TracyIsConnected)
        return 1;
    zone_pin();
    zone_first(name);
    zone_batches(name, "burst", BURST, 20);
    if (connected) {
        zone_batches(name, "flat", FLAT, 50);
        zone_single(name);
    }
    _exit(0); /* unconnected it would wait for somebody */
}
