/* SPDX-License-Identifier: MIT
 * test_vault.c - memory of plans: zeroed, aligned, and handed on from one vault to the next. */
#include "engine/vault.h"
#include "test.h"

#include <stdint.h>
#include <string.h>

enum { PIECES = 300, PIECE = 5000 };

static struct tac_shelf shelf;

/* Takes many pieces, finds them zeroed, and leaves something in them. */
static void fill(struct tac_vault *vault)
{
    static const unsigned char zeros[PIECE];
    for (int i = 0; i < PIECES; i++) {
        unsigned char *p = tac_vault_take(vault, PIECE);
        REQUIRE(p);
        CHECK((uintptr_t)p % 64 == 0 && !memcmp(p, zeros, PIECE));
        memset(p, 0xa5, PIECE);
    }
}

static void memory_is_handed_on_and_is_zeroed(void)
{
    struct tac_vault first = {.shelf = &shelf}, second = {.shelf = &shelf};
    fill(&first);
    size_t bytes = first.bytes;
    unsigned chunks = first.chunks;
    CHECK(chunks > 1 && !shelf.chunks);
    tac_vault_fini(&first);
    CHECK(shelf.chunks == chunks && tac_shelf_bytes(&shelf) == bytes);
    fill(&second);
    CHECK(!shelf.chunks && !tac_shelf_bytes(&shelf) && second.bytes == bytes &&
          second.chunks == chunks);
    tac_vault_fini(&second);
    tac_shelf_clear(&shelf);
    CHECK(!shelf.chunks && !tac_shelf_bytes(&shelf));
}

/* What was on it before is given back: it holds the memory of one vault. */
static void a_shelf_holds_what_was_dropped_last(void)
{
    struct tac_vault large = {.shelf = &shelf}, small = {.shelf = &shelf};
    fill(&large);
    CHECK(tac_vault_take(&small, 1));
    tac_vault_fini(&large);
    size_t bytes = small.bytes;
    tac_vault_fini(&small);
    CHECK(shelf.chunks == 1 && tac_shelf_bytes(&shelf) == bytes);
    tac_shelf_clear(&shelf);
}

static void a_shelf_has_an_end(void)
{
    struct tac_vault vault = {.shelf = &shelf};
    CHECK(tac_vault_take(&vault, 100));
    CHECK(tac_vault_take(&vault, TAC_SHELF_BYTES_MAX + 1));
    tac_vault_fini(&vault);
    CHECK(tac_shelf_bytes(&shelf) <= TAC_SHELF_BYTES_MAX && shelf.chunks == 1);
    tac_shelf_clear(&shelf);
}

static void what_is_expected_lies_in_one_chunk(void)
{
    struct tac_vault vault = {.expected = 3 << 20}, small = {.expected = 1 << 10};
    CHECK(tac_vault_take(&vault, 100) && vault.bytes >= 3 << 20 && vault.chunks == 1);
    CHECK(tac_vault_take(&small, 100) && small.bytes < 1 << 20);
    tac_vault_fini(&vault);
    tac_vault_fini(&small);
}

/* What needs little is not given a chunk that was made for much. */
static void a_large_chunk_does_not_serve_a_small_vault(void)
{
    struct tac_vault large = {.shelf = &shelf}, small = {.shelf = &shelf};
    CHECK(tac_vault_take(&large, 8 << 20));
    tac_vault_fini(&large);
    CHECK(tac_vault_take(&small, 100) && small.bytes < 1 << 20 && shelf.chunks == 1);
    tac_vault_fini(&small);
    CHECK(shelf.chunks == 1 && tac_shelf_bytes(&shelf) < 1 << 20);
    tac_shelf_clear(&shelf);
}

/* What is taken next lies in the chunk before, which came from the shelf. */
static void memory_is_zeroed_after_a_failure(void)
{
    if (sizeof(void *) == 4)
        SKIP("an address space of this size is no bound");
    struct tac_vault first = {.shelf = &shelf}, second = {.shelf = &shelf};
    fill(&first);
    tac_vault_fini(&first);
    CHECK(tac_vault_take(&second, 1));
    CHECK(!tac_vault_take(&second, PTRDIFF_MAX / 4));
    fill(&second);
    tac_vault_fini(&second);
    tac_shelf_clear(&shelf);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(memory_is_handed_on_and_is_zeroed);
    TEST(a_shelf_holds_what_was_dropped_last);
    TEST(a_shelf_has_an_end);
    TEST(what_is_expected_lies_in_one_chunk);
    TEST(a_large_chunk_does_not_serve_a_small_vault);
    TEST(memory_is_zeroed_after_a_failure);
    return test_end();
}
