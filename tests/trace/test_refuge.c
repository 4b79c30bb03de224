/* SPDX-License-Identifier: MIT
 * test_refuge.c - the helper keeps off the CPU of a bound real-time thread, also of one that made
 * it.
 */
#include "tactus/trace.h"

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char path[] = "refuge.tac";

/* The helper's tid by its name, or 0. */
static pid_t find_helper(void)
{
    DIR *folder = opendir("/proc/self/task");
    pid_t found = 0;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        char file[300], name[32] = "";
        snprintf(file, sizeof file, "/proc/self/task/%s/comm", entry->d_name);
        FILE *f = fopen(file, "re");
        if (f && fgets(name, sizeof name, f) && !strcmp(name, "tactus-trace\n"))
            found = (pid_t)atoi(entry->d_name);
        if (f)
            fclose(f);
    }
    if (folder)
        closedir(folder);
    return found;
}

static bool is_off(int cpu)
{
    cpu_set_t set;
    pid_t helper = find_helper();
    return helper && !sched_getaffinity(helper, sizeof set, &set) && !CPU_ISSET(cpu, &set);
}

struct bound {
    int cpu, error;
    bool is_off;
};

/* Sleeps all the time that it is real-time. */
static void *run_bound(void *argument)
{
    struct bound *b = argument;
    struct sched_param p = {.sched_priority = 1};
    struct tac_trace_config config = {.path = path};
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(b->cpu, &set);
    b->error = sched_setaffinity(0, sizeof set, &set)
                   ? errno
                   : pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
    if (b->error)
        return NULL;
    b->error = tac_thread_register("bound", 0) || tac_trace_start(&config) ? EINVAL : 0;
    for (int i = 0; i < 200 && !b->error && !b->is_off; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        b->is_off = is_off(b->cpu);
    }
    return NULL;
}

static void the_helper_leaves_the_cpu_of_a_bound_thread(void)
{
    cpu_set_t all;
    pthread_t thread;
    struct bound b = {.cpu = CPU_SETSIZE};
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    while (b.cpu > 0 && !CPU_ISSET(b.cpu - 1, &all))
        b.cpu--;
    b.cpu--;
    if (CPU_COUNT(&all) < 2 || test_emulated())
        SKIP("one CPU, or an emulated one");
    REQUIRE(pthread_create(&thread, NULL, run_bound, &b) == 0);
    pthread_join(thread, NULL);
    if (b.error == EPERM)
        SKIP("no real-time priority here");
    CHECK(b.error == 0 && b.is_off);
    tac_trace_stop();
    unlink(path);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_helper_leaves_the_cpu_of_a_bound_thread);
    return test_end();
}
