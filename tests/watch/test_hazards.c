/* SPDX-License-Identifier: MIT
 * test_hazards.c - what has broken preload libraries, each in a program that does it: the program
 * must not notice us, and its recording must be whole. */
#include "host.h"
#include "test.h"

/* Runs a scenario of hazards.c under record, with the heap; opens what it recorded. */
static int run(const char *scenario, const char *heap, char *path, struct tac_capture **ret_capture)
{
    char words[256];
    host_path(path, 128, scenario);
    snprintf(words, sizeof words, "heap=%s,record=%s", heap, path);
    char *argv[] = {(char *)(uintptr_t)WATCH_HAZARDS, (char *)(uintptr_t)scenario, NULL};
    int status = host_run(words, argv);
    *ret_capture = access(path, R_OK) ? NULL : host_open(path);
    return status;
}

static void check_on_both_heaps(const char *scenario, size_t cycles)
{
    static const char *const heap[] = {"system", "tactus"};
    char path[128];
    for (int i = 0; i < 2; i++) {
        struct tac_capture *c;
        int status = run(scenario, heap[i], path, &c);
        CHECK_MSG(status == 0, "%s on %s: %d", scenario, heap[i], status);
        REQUIRE(c);
        CHECK_MSG(c->cycles_count == cycles && c->problems == 0, "%s: %zu cycles, problems %u",
                  scenario, c->cycles_count, (unsigned)c->problems);
        tac_capture_close(c);
    }
}

/* The recording beside the one at path, of a further process or of a failed exec; in its place. */
static struct tac_capture *open_second(const char *path)
{
    char command[300];
    snprintf(command, sizeof command, "mv %s.[0-9]* %s", path, path);
    return system(command) == 0 ? host_open(path) : NULL;
}

static void a_child_of_fork_has_its_own_recording(void)
{
    char path[128];
    struct tac_capture *c;
    CHECK(run("fork-records", "system", path, &c) == 0);
    REQUIRE(c);
    CHECK(c->cycles_count == 10 && c->problems == 0);
    tac_capture_close(c);
    c = open_second(path);
    REQUIRE(c);
    CHECK_MSG(c->cycles_count == 10 && c->problems == 0, "%zu cycles", c->cycles_count);
    CHECK(c->threads_count >= 1 && host_allocations(c, 111) == 10);
    tac_capture_close(c);
}

static void a_program_that_becomes_another_leaves_both_recordings(void)
{
    char path[128];
    struct tac_capture *c;
    CHECK(run("becomes-another", "system", path, &c) == 0);
    REQUIRE(c);
    CHECK(c->cycles_count == 10 && !(c->problems & TAC_CAPTURE_NOT_CLOSED));
    tac_capture_close(c);
    c = open_second(path);
    REQUIRE(c);
    CHECK(c->cycles_count == 10 && c->problems == 0);
    tac_capture_close(c);
}

static void a_program_that_fails_to_become_another_is_recorded_on(void)
{
    char path[128];
    struct tac_capture *c;
    CHECK(run("stays-itself", "system", path, &c) == 0);
    REQUIRE(c);
    CHECK_MSG(c->cycles_count == 10 && c->problems == 0, "%zu cycles", c->cycles_count);
    CHECK(host_zones(c, "execvp") == 1);
    tac_capture_close(c);
    c = open_second(path);
    REQUIRE(c);
    CHECK_MSG(c->cycles_count == 10 && c->problems == 0, "%zu cycles", c->cycles_count);
    tac_capture_close(c);
}

static void other_processes_are_started_in_every_way(void)
{
    check_on_both_heaps("starts-others", 10);
}

static void signal_handlers_tear_nothing(void)
{
    check_on_both_heaps("signal-storm", 200);
}

static void small_and_deep_stacks_suffice(void)
{
    check_on_both_heaps("tiny-stack", 10);
    check_on_both_heaps("deep-stack", 1);
}

static void threads_may_end_inside_a_cycle(void)
{
    check_on_both_heaps("thread-ends", 30);
}

static void libraries_that_bind_deeply_share_the_heap(void)
{
    setenv("HAZARD_PLUGIN", WATCH_HAZARD_PLUGIN, 1);
    check_on_both_heaps("deep-bind", 2);
}

static void the_loaders_lock_is_not_waited_for(void)
{
    setenv("HAZARD_PLUGIN", WATCH_HAZARD_PLUGIN, 1);
    check_on_both_heaps("waiting-constructor", 2);
}

static void versioned_and_checked_functions_are_the_right_ones(void)
{
    char path[128];
    struct tac_capture *c;
    CHECK(run("versions", "system", path, &c) == 0);
    REQUIRE(c);
    CHECK(host_zones(c, "pthread_cond_timedwait") == 1 && host_zones(c, "printf") == 1);
    CHECK(host_zones(c, "poll") == 1 && host_zones(c, "ppoll") == 1);
    CHECK(host_zones(c, "recvfrom") == 1 && host_zones(c, "openat") == 1);
    tac_capture_close(c);
}

static void operator_new_is_seen(void)
{
    char path[128];
    struct tac_capture *c;
    int status = run("operator-new", "system", path, &c);
    if (status == 77) {
        tac_capture_close(c);
        SKIP("there is no libstdc++.so.6 with operator new of this name");
    }
    CHECK(status == 0);
    REQUIRE(c);
    CHECK(host_allocations(c, 4444) == 1);
    tac_capture_close(c);
}

static void a_daemon_does_not_close_the_recording(void)
{
    check_on_both_heaps("closes-all", 10);
}

static void functions_looked_up_by_name_are_ours(void)
{
    char path[128];
    struct tac_capture *c;
    setenv("HAZARD_PLAYER", WATCH_PLAYER, 1);
    setenv("HAZARD_JACK", WATCH_JACK, 1);
    CHECK(run("dlsym", "system", path, &c) == 0);
    REQUIRE(c);
    CHECK(c->cycles_count == 20 && host_allocations(c, 5432) == 20);
    REQUIRE(c->sources_count >= 1);
    CHECK_STR(c->sources[0].name, "jack:player");
    tac_capture_close(c);
}

static void callbacks_of_rtaudio_are_cycles(void)
{
    char path[128];
    struct tac_capture *c;
    CHECK(run("rtaudio", "system", path, &c) == 0);
    REQUIRE(c);
    CHECK(c->cycles_count == 15 && host_allocations(c, 6543) == 15);
    REQUIRE(c->sources_count >= 1);
    CHECK_STR(c->sources[0].name, "rtaudio:callback");
    CHECK(c->sources[0].period_ns / 1000 == 2666);
    tac_capture_close(c);
}

static void check_rest(const char *scenario, const char *source)
{
    char path[128];
    struct tac_capture *c;
    CHECK(run(scenario, "system", path, &c) == 0);
    REQUIRE(c);
    REQUIRE(c->sources_count >= 1);
    CHECK_STR(c->sources[0].name, source);
    CHECK_MSG(c->cycles_count == 4 && c->problems == 0, "%zu cycles", c->cycles_count);
    CHECK(host_allocations(c, 2345) == 4 && host_zones(c, "nanosleep") == 0);
    for (size_t i = 0; i < c->cycles_count; i++)
        CHECK(c->cycles[i].end_ns != TAC_CAPTURE_OPEN);
    tac_capture_close(c);
}

static void a_stream_that_rests_has_no_cycle(void)
{
    check_rest("pauses-alsa", "alsa:stand-in");
    check_rest("pauses-portaudio", "portaudio:blocking");
}

static void an_abort_loses_little(void)
{
    char path[128];
    struct tac_capture *c;
    CHECK(run("aborts", "system", path, &c) == 128 + SIGABRT);
    REQUIRE(c);
    CHECK(c->cycles_count == 10 && c->problems & TAC_CAPTURE_NOT_CLOSED);
    tac_capture_close(c);
}

static void an_allocator_of_the_programs_own_stays_in_charge(void)
{
    char path[128], words[256];
    char *argv[] = {(char *)(uintptr_t)WATCH_HAZARD_HEAP, NULL};
    host_record_words(words, sizeof words, host_path(path, sizeof path, "own-heap"));
    CHECK(host_run(words, argv) == 0);
    struct tac_capture *c = host_open(path);
    REQUIRE(c);
    CHECK(c->cycles_count == 1 && host_allocations(c, 1111) == 1);
    tac_capture_close(c);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_child_of_fork_has_its_own_recording);
    TEST(a_program_that_becomes_another_leaves_both_recordings);
    TEST(a_program_that_fails_to_become_another_is_recorded_on);
    TEST(other_processes_are_started_in_every_way);
    TEST(signal_handlers_tear_nothing);
    TEST(small_and_deep_stacks_suffice);
    TEST(threads_may_end_inside_a_cycle);
    TEST(libraries_that_bind_deeply_share_the_heap);
    TEST(the_loaders_lock_is_not_waited_for);
    TEST(versioned_and_checked_functions_are_the_right_ones);
    TEST(operator_new_is_seen);
    TEST(a_daemon_does_not_close_the_recording);
    TEST(functions_looked_up_by_name_are_ours);
    TEST(callbacks_of_rtaudio_are_cycles);
    TEST(a_stream_that_rests_has_no_cycle);
    TEST(an_abort_loses_little);
    TEST(an_allocator_of_the_programs_own_stays_in_charge);
    return test_end();
}
