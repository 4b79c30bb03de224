/* SPDX-License-Identifier: MIT
 * test_arena.c - the bump allocator hands out aligned, disjoint memory and refuses what does not
 * fit. */
#include "base/arena.h"

#include "test.h"

static void arena_take_is_aligned_and_disjoint(void)
{
    static unsigned char memory[4096];
    struct tac_arena arena;
    tac_arena_init(&arena, memory, sizeof memory);
    unsigned char *last = NULL;
    for (size_t align = 1; align <= 256; align *= 2) {
        unsigned char *p = tac_arena_take(&arena, 13, align);
        REQUIRE(p);
        CHECK((uintptr_t)p % align == 0);
        CHECK(!last || p >= last + 13);
        last = p;
    }
}

static void arena_full_returns_null_and_keeps_state(void)
{
    static unsigned char memory[100];
    struct tac_arena arena;
    tac_arena_init(&arena, memory, sizeof memory);
    CHECK(tac_arena_take(&arena, 60, 1));
    size_t used = arena.used;
    CHECK(!tac_arena_take(&arena, 41, 1));
    CHECK(!tac_arena_take(&arena, SIZE_MAX, 16));
    CHECK(arena.used == used);
    CHECK(tac_arena_take(&arena, 40, 1));
    CHECK(!tac_arena_take(&arena, 1, 1));
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(arena_take_is_aligned_and_disjoint);
    TEST(arena_full_returns_null_and_keeps_state);
    return test_end();
}
