/* SPDX-License-Identifier: MIT
 * test_leave.c - how a recording is left: by a fork, whose child must neither keep the other end
 * waiting nor take the parent's events; by a stop while nobody reads, which must not hold up other
 * threads; and without memory, which must leave nothing behind. */
#include "base/clock.h"
#include "base/net.h"
#include "capture/capture.h"
#include "tactus/cycle.h"

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char name[64], dir[64], path[96], child_path[96];

/* ---- an allocator that fails ---- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);

static _Atomic long allocations_left = -1; /* < 0: as many as are wanted */

static bool may_allocate(void)
{
    long left = atomic_load(&allocations_left);
    if (left > 0)
        atomic_store(&allocations_left, left - 1);
    return left != 0;
}

void *__wrap_malloc(size_t bytes)
{
    return may_allocate() ? __real_malloc(bytes) : NULL;
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return may_allocate() ? __real_calloc(n, bytes) : NULL;
}

void *__wrap_realloc(void *block, size_t bytes)
{
    return may_allocate() ? __real_realloc(block, bytes) : NULL;
}

static int open_files(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

/* A start with each allocation failing in turn, until it succeeds. */
static void start_again_and_again(const struct tac_trace_config *config)
{
    int error = 0, files = open_files();
    for (long n = 0; n < 100; n++) {
        atomic_store(&allocations_left, n);
        error = tac_trace_start(config);
        atomic_store(&allocations_left, -1);
        if (!error)
            break;
        CHECK_MSG(error == -ENOMEM || error == -EAGAIN, "%d after %ld", error, n);
        CHECK(!tac_trace_is_on() && tac_trace_stop() == -ENOENT);
        CHECK_MSG(open_files() == files, "%d files, %d before", open_files(), files);
    }
    CHECK(error == 0 && tac_trace_stop() == 0);
    CHECK_MSG(open_files() == files, "%d files, %d before", open_files(), files);
}

static void a_start_without_memory_leaves_nothing(void)
{
    REQUIRE(tac_thread_register("test", 0) == 0);
    start_again_and_again(
        &(struct tac_trace_config){.path = path, .flight_s = 1, .evidence = TAC_EVIDENCE_PERF});
    tac_thread_unregister();
}

static void a_stream_without_memory_leaves_nothing(void)
{
    char address[80];
    snprintf(address, sizeof address, "listen:%s", name);
    start_again_and_again(&(struct tac_trace_config){.path = address});
}

/* ---- fork ---- */

static int listen_here(void)
{
    struct tac_net_address a;
    return tac_net_parse(name, &a, NULL) ? -1 : tac_net_listen(&a);
}

static int accept_one(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    return poll(&p, 1, 10000) == 1 ? tac_net_accept(listener) : -1;
}

/* Records to this test, forks a child that lives until the pipe is closed, and is gone without a
 * stop. */
static void record_fork_and_vanish(const int ends[2])
{
    char byte;
    struct tac_trace_config config = {.path = name, .drain_ms = 1};
    if (tac_thread_register("gone", 0) || tac_trace_start(&config))
        _exit(1);
    tac_clock_sleep_until(tac_clock_ns() + 50000000); /* until it is connected */
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
            continue;
    }
    _exit(child < 0);
}

static void a_child_does_not_keep_the_other_end_waiting(void)
{
    int ends[2], listener = listen_here(), status;
    char bytes[4096];
    REQUIRE(listener >= 0 && pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(listener);
        record_fork_and_vanish(ends);
    }
    int fd = accept_one(listener);
    REQUIRE(fd >= 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = 1;
    while (n > 0 && poll(&p, 1, 10000) == 1)
        n = read(fd, bytes, sizeof bytes);
    CHECK_MSG(n == 0, "the connection is still open");
    close(ends[0]);
    close(ends[1]);
    close(fd);
    close(listener);
}

static void touch_pages(int n)
{
    char *pages =
        mmap(NULL, 4096 * (size_t)n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < n; i++)
        ((volatile char *)pages)[4096 * i] = 1;
    munmap(pages, 4096 * (size_t)n);
}

/* Where the kernel's rings were, a child may have something of its own by the time that the
 * recorder leaves them. */
enum { HOLES = 64, HOLE_BYTES = 17 * 4096 }; /* a ring's */

static unsigned char *hole[HOLES];

static void fill_holes(void)
{
    for (int i = 0; i < HOLES; i++)
        hole[i] = mmap(NULL, HOLE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool holes_are_there(void)
{
    unsigned char pages[HOLE_BYTES / 4096 + 1];
    for (int i = 0; i < HOLES; i++)
        if (hole[i] == MAP_FAILED || mincore(hole[i], HOLE_BYTES, pages))
            return false;
    return true;
}

static int record_in_child(void)
{
    struct tac_trace_config config = {
        .path = child_path, .drain_ms = 1, .evidence = TAC_EVIDENCE_PERF};
    if (!holes_are_there())
        return 3;
    if (tac_trace_is_on() || tac_trace_stop() != -ENOENT || tac_trace_start(&config))
        return 1;
    {
        TAC_ZONE("of the child");
    }
    tac_clock_sleep_until(tac_clock_ns() + 20000000);
    return tac_trace_stop() ? 2 : 0;
}

static size_t count_faults(const struct tac_capture *c, uint32_t tid)
{
    size_t n = 0;
    for (size_t i = 0; i < c->kernel_count; i++)
        n += c->kernel[i].type == TAC_KERNEL_FAULT_MINOR && c->kernel[i].tid == tid;
    return n;
}

static void a_child_records_itself_and_nothing_of_its_parent(void)
{
    enum { PAGES = 100 };
    struct tac_trace_config config = {
        .path = path, .drain_ms = 1000, .evidence = TAC_EVIDENCE_PERF};
    struct tac_capture *mine = NULL, *childs = NULL;
    int status;
#if defined(__SANITIZE_THREAD__)
    SKIP("TSan allows no threads in the child of a fork");
#endif
    REQUIRE(tac_thread_register("test", 0) == 0 && tac_trace_start(&config) == 0);
    touch_pages(PAGES); /* in the kernel's ring while the child runs */
    pid_t pid = fork();
    if (pid == 0)
        _exit(record_in_child());
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CHECK_MSG(WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
    {
        TAC_ZONE("of the parent");
    }
    CHECK(tac_trace_stop() == 0);
    tac_thread_unregister();
    REQUIRE(tac_capture_open(path, NULL, &mine) == 0);
    REQUIRE(tac_capture_open(child_path, NULL, &childs) == 0);
    CHECK(mine->zones_count == 1 && childs->zones_count == 1 && childs->threads_count == 1);
    CHECK_MSG(childs->threads[0].tid == (uint32_t)pid, "%u", childs->threads[0].tid);
    CHECK(childs->problems == 0 && mine->problems == 0);
    const char *perf = tac_capture_meta(mine, "evidence.perf");
    if (perf && !strcmp(perf, "yes")) {
        CHECK(count_faults(mine, (uint32_t)getpid()) >= PAGES);
        CHECK(count_faults(childs, (uint32_t)getpid()) == 0);
    }
    tac_capture_close(mine);
    tac_capture_close(childs);
}

/* ---- a stop that has to wait ---- */

static _Atomic int stopped;

static void *stop(void *arg)
{
    *(int *)arg = tac_trace_stop();
    atomic_store(&stopped, 1);
    return NULL;
}

/* More was kept than the queue holds, and the other end reads nothing. */
static void fill_kept(void)
{
    for (int i = 0; i < 100000; i++) {
        TAC_ZONE("zone");
        TAC_PLOT("curve", "", (double)i * 0.37);
        if (i % 2000 == 0)
            tac_clock_sleep_until(tac_clock_ns() + 2000000);
    }
    tac_trace_keep();
    tac_clock_sleep_until(tac_clock_ns() + 20000000);
}

static void other_threads_register_while_a_stop_waits(void)
{
    struct tac_trace_config config = {
        .path = name, .drain_ms = 1, .flight_s = 60, .stream_bytes = 256 << 10};
    int listener = listen_here(), result = 0;
    pthread_t thread;
    REQUIRE(listener >= 0 && tac_thread_register("test", 1 << 14) == 0);
    REQUIRE(tac_trace_start(&config) == 0);
    int fd = accept_one(listener);
    REQUIRE(fd >= 0);
    fill_kept();
    REQUIRE(pthread_create(&thread, NULL, stop, &result) == 0);
    while (tac_trace_is_on())
        tac_clock_sleep_until(tac_clock_ns() + 1000000);
    struct tac_trace_stats stats;
    for (int i = 0; i < 5; i++) { /* the helper's end may lie before the first */
        tac_thread_unregister();
        CHECK(tac_thread_register("test", 0) == 0);
        tac_clock_sleep_until(tac_clock_ns() + 20000000);
        tac_trace_get_stats(&stats);
        CHECK_MSG(stats.stored > 0, "the recording was closed before a thread could register");
    }
    CHECK(!atomic_load(&stopped));
    pthread_join(thread, NULL);
    CHECK(result == -ETIMEDOUT);
    tac_thread_unregister();
    close(fd);
    close(listener);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    pthread_atfork(NULL, NULL, fill_holes); /* before the recorder's */
    snprintf(name, sizeof name, "unix:@tactus-test-leave-%d", (int)getpid());
    strcpy(dir, "/tmp/tactus-leave-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/a.tac", dir);
    snprintf(child_path, sizeof child_path, "%s/b.tac", dir);
    TEST(a_start_without_memory_leaves_nothing);
    TEST(a_stream_without_memory_leaves_nothing);
    TEST(a_child_does_not_keep_the_other_end_waiting);
    TEST(a_child_records_itself_and_nothing_of_its_parent);
    TEST(other_threads_register_while_a_stop_waits);
    unlink(path);
    unlink(child_path);
    rmdir(dir);
    return test_end();
}
