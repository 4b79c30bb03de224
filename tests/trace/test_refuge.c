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
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
    int cpu, policy, error;
    sem_t started, seen;
};

/* Sleeps all the time that it is real-time and the helper runs. */
static void *run_bound(void *argument)
{
    struct bound *b = argument;
    struct sched_param p = {.sched_priority = 1};
    struct tac_trace_config config = {.path = path};
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(b->cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) || sched_setscheduler(0, b->policy, &p))
        b->error = errno;
    else
        b->error = tac_thread_register("bound", 0) || tac_trace_start(&config) ? EINVAL : 0;
    sem_post(&b->started);
    while (!b->error && sem_wait(&b->seen))
        ;
    return NULL;
}

/* -1: there is no other. */
static int last_cpu(void)
{
    cpu_set_t all;
    int cpu = CPU_SETSIZE;
    if (sched_getaffinity(0, sizeof all, &all))
        return -1;
    while (cpu > 0 && !CPU_ISSET(cpu - 1, &all))
        cpu--;
    return CPU_COUNT(&all) < 2 ? -1 : cpu - 1;
}

/* Returns when it has left, or never. */
static void check_that_the_helper_leaves(int policy)
{
    pthread_t thread;
    struct rlimit limit = {100000, 200000}; /* a spinning thread must not take the machine */
    struct bound b = {.cpu = last_cpu(), .policy = policy};
    if (b.cpu < 0 || test_emulated())
        SKIP("one CPU, or an emulated one");
    setrlimit(RLIMIT_RTTIME, &limit);
    sem_init(&b.started, 0, 0);
    sem_init(&b.seen, 0, 0);
    REQUIRE(pthread_create(&thread, NULL, run_bound, &b) == 0);
    while (sem_wait(&b.started))
        ;
    while (!b.error && !is_off(b.cpu))
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    sem_post(&b.seen);
    pthread_join(thread, NULL);
    if (b.error == EPERM)
        SKIP("no real-time priority here");
    CHECK(b.error == 0);
    tac_trace_stop();
    unlink(path);
}

static void the_helper_leaves_the_cpu_of_a_bound_thread(void)
{
    check_that_the_helper_leaves(SCHED_FIFO);
}

/* The kernel tells the flag together with the policy. */
static void also_of_one_whose_children_are_not_real_time(void)
{
    check_that_the_helper_leaves(SCHED_RR | SCHED_RESET_ON_FORK);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_helper_leaves_the_cpu_of_a_bound_thread);
    TEST(also_of_one_whose_children_are_not_real_time);
    return test_end();
}
