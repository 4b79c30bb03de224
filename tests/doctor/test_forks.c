/* SPDX-License-Identifier: MIT
 * test_forks.c - for how long a child has pages in common with the program: until it ends or runs
 * another program, children of children included, threads not. Recordings made by hand. */
#include "doctor/forks.h"

#include "fixture.h"
#include "test.h"

enum { CHILD = 900, GRANDCHILD = 901, THREAD = 902, STRANGER = 903, CLONE_VM_FLAG = 0x100 };

static struct fixture f;

static void fork_at(double us, uint32_t parent, uint32_t child)
{
    fixture_kernel(&f, us, TAC_KERNEL_FORK, parent, child, 0);
}

/* Whose pages are shared then, 0: nobody's. */
static uint32_t sharing(double us)
{
    const struct tac_fork *fork = tac_forks_sharing(f.diagnosis->forks, fixture_ns(us));
    return fork ? fork->child : 0;
}

static void open_fixture(void)
{
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
}

static void until_it_ends(void)
{
    open_fixture();
    fork_at(100, FIXTURE_OTHER, CHILD);
    fixture_kernel(&f, 500, TAC_KERNEL_EXIT, CHILD, 0, 0);
    fixture_judge(&f);
    CHECK(sharing(99) == 0 && sharing(101) == CHILD && sharing(499) == CHILD && sharing(501) == 0);
    fixture_close(&f);
}

static void until_it_runs_another_program(void)
{
    open_fixture();
    fork_at(100, FIXTURE_OTHER, CHILD);
    fixture_kernel(&f, 200, TAC_KERNEL_EXEC, CHILD, 0, 0);
    fixture_judge(&f);
    CHECK(sharing(150) == CHILD && sharing(250) == 0);
    fixture_close(&f);
}

static void a_child_of_a_child_has_them_too(void)
{
    open_fixture();
    fork_at(100, FIXTURE_OTHER, CHILD);
    fork_at(200, CHILD, GRANDCHILD);
    fixture_kernel(&f, 300, TAC_KERNEL_EXIT, CHILD, 0, 0);
    fixture_judge(&f);
    CHECK(sharing(400) == GRANDCHILD);
    const struct tac_fork *last =
        tac_forks_last(f.diagnosis->forks, fixture_ns(0), fixture_ns(1000));
    REQUIRE(last);
    CHECK(last->child == CHILD && last->parent == FIXTURE_OTHER);
    CHECK(!tac_forks_last(f.diagnosis->forks, fixture_ns(150), fixture_ns(1000)));
    fixture_close(&f);
}

static void threads_and_other_programs_do_not_count(void)
{
    open_fixture();
    fixture_kernel(&f, 100, TAC_KERNEL_FORK, FIXTURE_OTHER, THREAD, CLONE_VM_FLAG);
    fork_at(200, FIXTURE_HOG, STRANGER);
    fixture_judge(&f);
    CHECK(f.diagnosis->forks->count == 0 && sharing(300) == 0);
    fixture_close(&f);
}

/* The place of the one that lives longest is known however many came and went since. */
static void the_one_that_stays_is_found_behind_many(void)
{
    enum { MANY = 100 };
    open_fixture();
    fork_at(0, FIXTURE_OTHER, CHILD);
    for (uint32_t i = 0; i < MANY; i++) {
        fork_at(10 + i, FIXTURE_OTHER, 1000 + i);
        fixture_kernel(&f, 10.5 + i, TAC_KERNEL_EXIT, 1000 + i, 0, 0);
    }
    fixture_judge(&f);
    CHECK(f.diagnosis->forks->count == MANY + 1);
    CHECK(sharing(500) == CHILD);
    fixture_close(&f);
}

/* It may have ended among them. */
static void nothing_is_known_once_events_were_lost(void)
{
    open_fixture();
    fork_at(100, FIXTURE_OTHER, CHILD);
    fixture_kernel(&f, 300, TAC_KERNEL_LOST, FIXTURE_AUDIO, 7, 0); /* of a thread: other events */
    fixture_kernel(&f, 400, TAC_KERNEL_LOST, 0, 7, 0);
    fixture_judge(&f);
    CHECK(sharing(350) == CHILD && sharing(450) == 0);
    CHECK(f.diagnosis->forks->fork[0].is_lost);
    fixture_close(&f);
}

/* One whose end would not be noticed counts no longer than it is looked for. */
static void nothing_is_known_of_the_oldest_of_too_many(void)
{
    enum { MANY = 64 };
    open_fixture();
    fork_at(0, FIXTURE_OTHER, CHILD);
    for (uint32_t i = 0; i < MANY; i++)
        fork_at(10 + i, FIXTURE_OTHER, 1000 + i);
    fixture_kernel(&f, 100, TAC_KERNEL_EXIT, CHILD, 0, 0);
    for (uint32_t i = 0; i < MANY; i++)
        fixture_kernel(&f, 200 + i, TAC_KERNEL_EXIT, 1000 + i, 0, 0);
    fixture_judge(&f);
    CHECK(sharing(150) == 1000 + MANY - 1 && sharing(500) == 0);
    fixture_close(&f);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(until_it_ends);
    TEST(until_it_runs_another_program);
    TEST(a_child_of_a_child_has_them_too);
    TEST(threads_and_other_programs_do_not_count);
    TEST(the_one_that_stays_is_found_behind_many);
    TEST(nothing_is_known_once_events_were_lost);
    TEST(nothing_is_known_of_the_oldest_of_too_many);
    return test_end();
}
