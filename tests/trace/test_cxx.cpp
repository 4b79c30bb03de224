// SPDX-License-Identifier: MIT
// test_cxx.cpp - the recorder from C++: zones end with their scope also when an exception leaves it,
// the mutex is a Lockable. Prints TAP by itself, because test.h is C.
#include "tactus/cycle.h"
#include "tactus/lock.h"
#include "tactus/trace_heap.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unistd.h>

static void throws()
{
    TAC_ZONE("leaves by exception");
    TAC_ZONE_VALUE(3);
    throw std::runtime_error("out");
}

// Events stored: zone 2 + value 1 = 3, outer zone 2, plot 1, cycle 2, lock taken and given 2, text 1.
static unsigned run()
{
    tactus::mutex mutex;
    int source = tac_cycle_source_open("c++", 0);
    TAC_CYCLE_BEGIN(source, 0, 0);
    {
        TAC_ZONE_NAMED(outer, TAC_CAT_APP, 1, "outer");
        TAC_ZONE_VALUE_OF(outer, 1);
        try {
            throws();
        } catch (const std::exception &) {
            std::lock_guard<tactus::mutex> guard(mutex);
            TAC_PLOT("caught", "", 1.0);
        }
    }
    TAC_CYCLE_END(source);
    return 11;
}

int main()
{
    std::string path = "/tmp/tactus-test-cxx-" + std::to_string(getpid());
    tac_trace_config config = {};
    config.path = path.c_str();
    bool good = tac_thread_register("c++", 0) == 0 && tac_trace_start(&config) == 0;
    unsigned want = good ? run() : 0;
    tac_trace_stats stats = {};
    for (int i = 0; good && i < 2000 && stats.stored < want; i++) {
        usleep(1000);
        tac_trace_get_stats(&stats);
    }
    bool stopped = tac_trace_stop() == 0;
    std::printf("%s 1 - zones_end_when_an_exception_leaves_them\n",
                good && stopped && stats.stored == want && !stats.dropped ? "ok" : "not ok");
    std::printf("# stored %llu of %u\n1..1\n", (unsigned long long)stats.stored, want);
    unlink(path.c_str());
    return 0;
}
