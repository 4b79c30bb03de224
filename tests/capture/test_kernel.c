/* SPDX-License-Identifier: MIT
 * test_kernel.c - kernel events of the whole machine: a thread's sleeps are found as switches with
 * the right state, inside the thread's own zones on one clock; and nothing is left behind. */
#include "capture/capture.h"
#include "capture/ftrace.h"
#include "capture/kernel.h"
#include "capture/tracefs.h"
#include "tactus/trace.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char path[64];

static int instance_exists(pid_t pid)
{
    char name[64];
    int root = tac_tracefs_open();
    snprintf(name, sizeof name, "instances/tactus-%d", (int)pid);
    int there = root >= 0 && faccessat(root, name, F_OK, 0) == 0;
    if (root >= 0)
        close(root);
    return there;
}

static void nap(void)
{
    TAC_ZONE("nap");
    struct timespec t = {0, 2000000};
    nanosleep(&t, NULL);
}

static void sleeps_are_switches_inside_the_zones(void)
{
    struct tac_error err;
    struct tac_kernel *kernel;
    struct tac_kernel_stats stats;
    REQUIRE(tac_trace_start(&(struct tac_trace_config){.path = path}) == 0);
    int error = tac_kernel_start(&(struct tac_kernel_config){.path = path}, &err, &kernel);
    if (error) {
        (void)!tac_trace_stop();
        SKIP("no tracefs with privilege here");
    }
    REQUIRE(tac_thread_register("napper", 0) == 0);
    CHECK(instance_exists(getpid()));
    for (int i = 0; i < 20; i++)
        nap();
    REQUIRE(tac_kernel_stop(kernel, &stats) == 0);
    REQUIRE(tac_trace_stop() == 0);
    CHECK(!instance_exists(getpid()));
    struct tac_capture *c;
    REQUIRE(tac_capture_open(path, NULL, &c) == 0);
    CHECK_MSG(stats.events > 40 && stats.kinds >= 5, "%llu events, %u kinds",
              (unsigned long long)stats.events, stats.kinds);
    CHECK(c->problems == 0);
    uint32_t tid = (uint32_t)syscall(SYS_gettid), found = 0;
    for (size_t i = 0; i < c->zones_count; i++)
        for (size_t k = 0; k < c->kernel_count; k++) {
            const struct tac_capture_kernel *e = &c->kernel[k];
            found += e->type == TAC_KERNEL_SWITCH && e->tid == tid && (e->b >> 32 & 1) &&
                     e->ns >= c->zones[i].begin_ns && e->ns <= c->zones[i].end_ns;
        }
    CHECK_MSG(found == 20 || c->gaps_count, "%u", found);
    tac_capture_close(c);
}

static void a_killed_capture_leaves_nothing(void)
{
    int ready[2];
    char byte = 0;
    REQUIRE(pipe(ready) == 0);
    pid_t child = fork();
    if (!child) {
        struct tac_kernel *kernel;
        byte =
            tac_kernel_start(&(struct tac_kernel_config){.path = path}, NULL, &kernel) ? 'n' : 'y';
        (void)!write(ready[1], &byte, 1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    REQUIRE(read(ready[0], &byte, 1) == 1);
    int was_there = instance_exists(child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    if (byte == 'n')
        SKIP("no tracefs with privilege here");
    CHECK(was_there);
    for (int i = 0; i < 200 && instance_exists(child); i++)
        usleep(10000);
    CHECK(!instance_exists(child));
}

static const char FORMAT[] = "name: sched_stat_runtime\nID: 77\nformat:\n"
                             "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
                             "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
                             "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
                             "\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;\n"
                             "\tfield:u64 runtime;\toffset:16;\tsize:8;\tsigned:0;\n";
static const char PAGE[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
                           "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
                           "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

static struct tac_ftrace ftrace;

static void put32(unsigned char *page, size_t at, uint32_t value)
{
    memcpy(page + at, &value, 4);
}

static void pages_are_decoded_by_the_kernels_format(void)
{
    unsigned char page[4096] = {0};
    struct tac_format_kernel out[4];
    uint64_t lost = 0, start = 1000000;
    uint32_t kind = 0;
    while (strcmp(tac_ftrace_kinds[kind].path, "sched/sched_stat_runtime") != 0)
        kind++;
    REQUIRE(tac_ftrace_learn_page(&ftrace, PAGE) == 0);
    REQUIRE(tac_ftrace_learn_event(&ftrace, kind, FORMAT) == 0);
    memcpy(page, &start, 8);
    put32(page, 16, 30 | 5 << 5); /* time extend by 5 + (2 << 27) */
    put32(page, 20, 2);
    put32(page, 24, 6 | 7 << 5); /* 24 bytes of data, 7 ns later */
    put32(page, 28, 77);
    put32(page, 32, 1234);
    put32(page, 40, 4321);
    put32(page, 44, 999);
    put32(page, 8, 36 | 1u << 31 | 1u << 30);
    put32(page, 52, 55); /* lost, behind the data */
    REQUIRE(tac_ftrace_decode(&ftrace, page, sizeof page, 3, out, 4, &lost) == 2);
    CHECK(out[0].type == TAC_KERNEL_LOST && out[0].a == 55 && lost == 55);
    CHECK(out[1].type == TAC_KERNEL_RUNTIME && out[1].tid == 4321 && out[1].a == 999);
    CHECK(out[1].ns == 1000000 + 5 + (2ull << 27) + 7 && out[1].cpu == 3);
    for (size_t n = 0; n < 80; n++) /* never beyond what is there */
        CHECK(tac_ftrace_decode(&ftrace, page, n, 0, out, 4, &lost) <= 2);
    for (uint32_t bit = 0; bit < 64 * 8; bit++) {
        page[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK(tac_ftrace_decode(&ftrace, page, sizeof page, 0, out, 4, &lost) <= 4);
        page[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK(tac_ftrace_learn_event(&ftrace, kind, "ID: x") == -TAC_E_VERSION);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-kernel-%d", (int)getpid());
    TEST(pages_are_decoded_by_the_kernels_format);
    TEST(sleeps_are_switches_inside_the_zones);
    TEST(a_killed_capture_leaves_nothing);
    unlink(path);
    return test_end();
}
