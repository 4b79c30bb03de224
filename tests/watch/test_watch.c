/* SPDX-License-Identifier: MIT
 * test_watch.c - the preload library in front of a small program: both heaps answer the whole
 * family, cycles and what happens in them are recorded, whoever started the recorder, however the
 * process ends. */
#include "fake_jack.h"
#include "host.h"
#include "test.h"
#include "watch/pace.h"

#include <inttypes.h>
#include <stdbool.h>

static void both_heaps_answer_the_whole_family(void)
{
    CHECK(host_guest("heap=system", "family") == 0);
    CHECK(host_guest("heap=tactus", "family") == 0);
    CHECK(host_guest("", "family") == 0);
}

static void threads_come_and_go(void)
{
    CHECK(host_guest("heap=system", "threads") == 0);
    CHECK(host_guest("heap=tactus", "threads") == 0);
}

static void children_of_fork_allocate(void)
{
    CHECK(host_guest("heap=system", "forks") == 0);
    CHECK(host_guest("heap=tactus", "forks") == 0);
}

static bool is_in_cycle(const struct tac_capture *c, const struct tac_capture_stack *stack)
{
    for (size_t i = 0; i < c->cycles_count; i++)
        if (stack->thread == c->cycles[i].thread && stack->ns >= c->cycles[i].begin_ns &&
            stack->ns <= c->cycles[i].end_ns)
            return true;
    return false;
}

static void check_cycles(const char *path)
{
    struct tac_capture *c = host_open(path);
    REQUIRE(c);
    CHECK(c->cycles_count == 10);
    CHECK(host_allocations(c, 111) == 10 && host_allocations(c, 222) == 10);
    CHECK(host_allocations(c, 333) == 10);
    enum { FIRST = 3 }; /* of one place, before they are thinned out */
    size_t in_cycles = 0;
    for (size_t i = 0; i < c->stacks_count; i++) {
        if (!is_in_cycle(c, &c->stacks[i]))
            continue;
        const struct tac_capture_module *m = tac_capture_module_of(c, c->stacks[i].pc[0]);
        CHECK(m && strstr(m->path, "guest"));
        size_t same = 0;
        for (size_t k = 0; k < c->stacks_count; k++)
            same += is_in_cycle(c, &c->stacks[k]) && c->stacks[k].pc[0] == c->stacks[i].pc[0];
        CHECK_MSG(same <= FIRST, "%zu stacks of one place in ten cycles", same);
        in_cycles++;
    }
    CHECK(in_cycles > 0);
    tac_capture_close(c);
}

static void unmodified_cycles_are_recorded(void)
{
    char path[128], words[256];
    host_record_words(words, sizeof words, host_path(path, sizeof path, "cycles"));
    REQUIRE(host_guest(words, "cycles") == 0);
    struct tac_capture *c = NULL;
    REQUIRE(tac_capture_open(path, NULL, &c) == 0);
    CHECK_STR(tac_capture_meta(c, "heap"), "system");
    CHECK(strstr(tac_capture_meta(c, "program"), "guest"));
    CHECK(strstr(tac_capture_meta(c, "command"), "cycles"));
    CHECK(tac_capture_meta(c, "heap.calls") && atoi(tac_capture_meta(c, "heap.calls")) >= 60);
    CHECK(!(c->problems & TAC_CAPTURE_NOT_CLOSED));
    tac_capture_close(c);
    check_cycles(path);
}

static void no_place_takes_all_stacks(void)
{
    enum { PLACES = 4, MOST = 40 };
    char path[128], words[256];
    uint64_t place[PLACES + 1] = {0};
    size_t places = 0, stacks = 0;
    host_record_words(words, sizeof words, host_path(path, sizeof path, "busy"));
    REQUIRE(host_guest(words, "busy-cycles") == 0);
    struct tac_capture *c = host_open(path);
    REQUIRE(c && c->cycles_count == 40);
    for (size_t i = 0; i < c->stacks_count; i++) {
        if (!is_in_cycle(c, &c->stacks[i]))
            continue;
        size_t k = 0;
        while (k < places && place[k] != c->stacks[i].pc[0])
            k++;
        if (k == places && places <= PLACES)
            place[places++] = c->stacks[i].pc[0];
        stacks++;
    }
    CHECK_MSG(places == PLACES, "%zu places have stacks", places);
    CHECK_MSG(stacks <= MOST, "%zu stacks", stacks);
    tac_capture_close(c);
}

static void a_program_that_records_itself_is_helped(void)
{
    char path[128];
    host_path(path, sizeof path, "itself");
    setenv("GUEST_RECORDING", path, 1);
    REQUIRE(host_guest("heap=tactus", "records-itself") == 0);
    struct tac_capture *c = NULL;
    REQUIRE(tac_capture_open(path, NULL, &c) == 0);
    CHECK_STR(tac_capture_meta(c, "heap"), "tactus");
    CHECK(tac_capture_meta(c, "heap.most taken"));
    tac_capture_close(c);
    check_cycles(path);
}

static void the_users_file_wins_over_the_programs(void)
{
    char path[128], other[128], words[256];
    host_path(other, sizeof other, "theirs");
    setenv("GUEST_RECORDING", other, 1);
    host_record_words(words, sizeof words, host_path(path, sizeof path, "ours"));
    REQUIRE(host_guest(words, "records-itself") == 0);
    CHECK(access(other, F_OK) != 0);
    struct tac_capture *c = host_open(path);
    REQUIRE(c);
    CHECK(c->cycles_count == 10);
    tac_capture_close(c);
}

static void nothing_is_lost_by_exit_and_little_by_a_signal(void)
{
    char path[128], words[256];
    host_record_words(words, sizeof words, host_path(path, sizeof path, "exit"));
    REQUIRE(host_guest(words, "exit") == 0);
    struct tac_capture *c = host_open(path);
    REQUIRE(c);
    CHECK(c->cycles_count == 10);
    CHECK(!(c->problems & TAC_CAPTURE_NOT_CLOSED));
    tac_capture_close(c);
    host_record_words(words, sizeof words, host_path(path, sizeof path, "signal"));
    REQUIRE(host_guest(words, "signal") == 128 + SIGKILL);
    c = host_open(path);
    REQUIRE(c);
    CHECK(c->cycles_count == 10);
    CHECK(c->problems & TAC_CAPTURE_NOT_CLOSED);
    tac_capture_close(c);
}

static void programs_without_streams_leave_no_recording(void)
{
    char path[128], words[256];
    host_record_words(words, sizeof words, host_path(path, sizeof path, "none"));
    CHECK(host_guest(words, "family") == 0);
    CHECK(access(path, F_OK) != 0);
}

static int guest_recorded(const char *scenario, struct tac_capture **ret_capture)
{
    char path[128], words[256];
    host_record_words(words, sizeof words, host_path(path, sizeof path, scenario));
    int status = host_guest(words, scenario);
    *ret_capture = status == 0 ? host_open(path) : NULL;
    return status;
}

static void calls_in_cycles_are_recorded_and_done(void)
{
    struct tac_capture *c;
    CHECK(guest_recorded("calls", &c) == 0);
    REQUIRE(c);
    static const char *const once[] = {"write",     "pread", "open",   "close", "printf",
                                       "nanosleep", "mmap",  "munmap", "fork"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        CHECK_MSG(host_zones(c, once[i]) == 1, "%s: %d", once[i], host_zones(c, once[i]));
    tac_capture_close(c);
}

static void rarer_calls_are_recorded_and_done(void)
{
    struct tac_capture *c;
    CHECK(guest_recorded("rare-calls", &c) == 0);
    REQUIRE(c);
    static const char *const once[] = {
        "pwritev",    "preadv",       "posix_fallocate", "eventfd_write", "lockf",
        "fstatat",    "statx",        "renameat",        "fscanf",        "getdelim",
        "fputs",      "fwprintf",     "warnx",           "error",         "bind",
        "setsockopt", "getnameinfo",  "thrd_sleep",      "sigtimedwait",  "waitid",
        "msgrcv",     "mq_unlink",    "thrd_create",     "thrd_join",     "mtx_lock",
        "dlopen",     "memfd_create", "dlclose",         "ioctl",         "futex wake",
        "fsync"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        CHECK_MSG(host_zones(c, once[i]) == 1, "%s: %d", once[i], host_zones(c, once[i]));
    CHECK(host_zones(c, "syscall") == 0 && host_zones(c, "futex") == 0);
    CHECK_MSG(c->threads_count == 2, "%zu threads", c->threads_count);
    tac_capture_close(c);
}

static void calls_that_do_not_wait_are_noted(void)
{
    struct tac_capture *c;
    CHECK(guest_recorded("notes", &c) == 0);
    REQUIRE(c);
    static const struct {
        const char *name;
        int times;
    } noted[] = {{"pthread_mutex_lock", 1},    {"pthread_mutex_trylock", 1}, {"sem_post", 1},
                 {"sem_trywait", 2},           {"pthread_cond_signal", 1},   {"dlopen", 1},
                 {"pthread_cond_broadcast", 1}};
    for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
        CHECK_MSG(host_zones(c, noted[i].name) == noted[i].times, "%s: %d", noted[i].name,
                  host_zones(c, noted[i].name));
    tac_capture_close(c);
}

static bool is_guests_code(const struct tac_capture *c, uint64_t pc)
{
    const struct tac_capture_module *m = pc ? tac_capture_module_of(c, pc) : NULL;
    return m && strstr(m->path, "watch_guest");
}

static void waits_for_locks_name_the_holder(void)
{
    struct tac_capture *c;
    CHECK(guest_recorded("locks", &c) == 0);
    REQUIRE(c);
    uint32_t holder = 0, waiter = 0;
    for (size_t i = 0; i < c->threads_count; i++)
        *(strcmp(c->threads[i].name, "guest") ? &holder : &waiter) = c->threads[i].tid;
    CHECK(holder != 0 && waiter != 0 && holder != waiter);
    int waits = 0;
    for (size_t i = 0; i < c->locks_count; i++)
        if (c->threads[c->locks[i].thread].tid == waiter && c->locks[i].holder_tid == holder) {
            waits++;
            CHECK_MSG(is_guests_code(c, c->locks[i].taken_at), "wait %zu: taken at %#" PRIx64, i,
                      c->locks[i].taken_at);
        }
    /* rwlock, mutex, spin lock, semaphore; a loaded machine may let one be free in time */
    CHECK_MSG(waits >= 3 && waits <= 5, "%d waits", waits);
    int woken = 0; /* the last wait is ended by the holder */
    for (size_t i = 0; i < c->zones_count; i++)
        woken += !strcmp(c->sites[c->zones[i].site].name, "pthread_cond_wait") &&
                 c->zones[i].value == holder;
    CHECK_MSG(woken >= 1, "%d", woken);
    tac_capture_close(c);
}

static void a_library_of_local_scope_is_found(void)
{
    struct tac_capture *c;
    setenv("GUEST_PLUGIN", WATCH_PLUGIN, 1);
    CHECK(host_guest("heap=system", "local-scope") == 0);
    CHECK(guest_recorded("local-scope", &c) == 0);
    REQUIRE(c);
    CHECK(c->cycles_count == 20);
    REQUIRE(c->sources_count == 2); /* the period changes half-way */
    CHECK_STR(c->sources[0].name, "jack:plugin");
    CHECK_STR(c->sources[1].name, "jack:plugin (128 frames)");
    CHECK(c->sources[1].period_ns / 1000 == 2666 && c->cycles[19].source == 1);
    CHECK(host_allocations(c, 4321) == 20);
    for (size_t i = 0; i < c->cycles_count; i++) {
        const struct tac_capture_cycle *cycle = &c->cycles[i];
        CHECK(cycle->deadline_ns > c->begin_ns && cycle->deadline_ns < cycle->begin_ns + 1000000);
        /* the client that slept is late; the server that slept makes nobody late */
        if (i == FAKE_JACK_CLIENT_SLEEPS)
            CHECK(cycle->begin_ns > cycle->deadline_ns + 2 * c->sources[1].period_ns);
        if (i == FAKE_JACK_SERVER_SLEEPS)
            CHECK(cycle->begin_ns < cycle->deadline_ns);
    }
    tac_capture_close(c);
}

/* ---- pace.h, in a time of its own: periods of 1000 ns and 10 frames, from 100000 on ---- */

/* A callback that begins so long after an edge and takes 100 ns. Its deadline after that edge. */
static int64_t paced(struct tac_pace *pace, uint64_t edge, uint64_t phase, uint64_t position,
                     bool may_rest)
{
    struct tac_pace_tick tick = {.now_ns = 100000 + edge * 1000 + phase,
                                 .edge_ns = 100000 + edge * 1000,
                                 .next_ns = 101000 + edge * 1000,
                                 .period_ns = 1000,
                                 .position = position * 10,
                                 .frames = 10,
                                 .may_rest = may_rest};
    uint64_t deadline_ns = tac_pace_begin(pace, &tick);
    tac_pace_end(pace, tick.now_ns + 100);
    return (int64_t)(deadline_ns - tick.edge_ns);
}

static void a_callback_that_sleeps_through_cycles_is_late_once(void)
{
    struct tac_pace pace = {0};
    for (uint64_t i = 0; i < 5; i++)
        CHECK(paced(&pace, i, 10, i, false) == 1000);
    CHECK(paced(&pace, 9, 400, 9, false) == -3000); /* that of cycle 5 */
    CHECK(paced(&pace, 10, 10, 10, false) == 1000);
    CHECK(paced(&pace, 12, 900, 12, false) == 0);
    CHECK(paced(&pace, 14, 10, 14, false) == 1000);   /* released by this edge */
    CHECK(paced(&pace, 16, 400, 15, false) == 1000);  /* the server paused */
    CHECK(paced(&pace, 19, 400, 500, false) == 1000); /* counted anew */
    tac_pace_forget(&pace);
    CHECK(paced(&pace, 29, 400, 510, false) == 1000);
}

static void a_callback_that_was_late_itself_is_released_by_the_next_edge(void)
{
    struct tac_pace pace = {0};
    for (uint64_t i = 0; i < 3; i++)
        paced(&pace, i, 10, i, false);
    tac_pace_end(&pace, 100000 + 5500); /* cycle 2 */
    CHECK(paced(&pace, 6, 10, 6, false) == 1000);
    tac_pace_end(&pace, 100000 + 8500);
    CHECK(paced(&pace, 9, 800, 9, false) == 1000);
    tac_pace_end(&pace, 100000 + 11500);
    CHECK(paced(&pace, 13, 800, 13, false) == 0); /* released at 12 */
}

static void a_stream_that_is_not_called_in_each_period_is_not_late(void)
{
    struct tac_pace pace = {0};
    CHECK(paced(&pace, 0, 10, 0, true) == 1000);
    for (uint64_t i = 1; i < 10; i++)
        CHECK(paced(&pace, 4 * i, i % 2 ? 10 : 300, 4 * i, true) == 1000);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(both_heaps_answer_the_whole_family);
    TEST(threads_come_and_go);
    TEST(children_of_fork_allocate);
    TEST(unmodified_cycles_are_recorded);
    TEST(no_place_takes_all_stacks);
    TEST(a_program_that_records_itself_is_helped);
    TEST(the_users_file_wins_over_the_programs);
    TEST(nothing_is_lost_by_exit_and_little_by_a_signal);
    TEST(calls_in_cycles_are_recorded_and_done);
    TEST(rarer_calls_are_recorded_and_done);
    TEST(calls_that_do_not_wait_are_noted);
    TEST(waits_for_locks_name_the_holder);
    TEST(a_library_of_local_scope_is_found);
    TEST(a_callback_that_sleeps_through_cycles_is_late_once);
    TEST(a_callback_that_was_late_itself_is_released_by_the_next_edge);
    TEST(a_stream_that_is_not_called_in_each_period_is_not_late);
    TEST(programs_without_streams_leave_no_recording);
    return test_end();
}
