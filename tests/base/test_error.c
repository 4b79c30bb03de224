/* SPDX-License-Identifier: MIT
 * test_error.c - every code has a symbol and a sentence of its own, and errors print as one line.
 */
#include "tactus/error.h"

#include "test.h"

#include <errno.h>

static void own_codes_have_symbol_and_sentence(void)
{
    CHECK_STR(tac_error_symbol(-TAC_E_SYNTAX), "TAC_E_SYNTAX");
    CHECK_STR(tac_error_symbol(TAC_E_MEMLOCK), "TAC_E_MEMLOCK");
    CHECK_STR(tac_error_sentence(-TAC_E_TRUNCATED), "the file ends too early");
#define TAC_X(symbol, value, sentence) CHECK(symbol >= 4000 && strlen(sentence) > 10);
    TAC_ERROR_LIST(TAC_X)
#undef TAC_X
}

static void errno_codes_are_passed_through(void)
{
    CHECK_STR(tac_error_symbol(-ENOMEM), "ENOMEM");
    CHECK_STR(tac_error_sentence(-ENOENT), "No such file or directory");
    CHECK_STR(tac_error_symbol(123456), "E?");
}

static void format_leaves_out_unknown_parts(void)
{
    struct tac_error e = {0};
    char line[600];
    CHECK(tac_error_set(&e, -TAC_E_UNIT, "a.yaml", 3, 7, "no unit %s", "Hz") == -TAC_E_UNIT);
    CHECK_STR(tac_error_format(&e, line, sizeof line), "a.yaml:3:7: no unit Hz");
    tac_error_set(&e, -TAC_E_UNIT, "a.yaml", 0, 0, "%s", "");
    CHECK_STR(tac_error_format(&e, line, sizeof line), "a.yaml: the unit does not fit");
    CHECK(tac_error_set(NULL, -EIO, "x", 1, 1, "y") == -EIO);
}

static void long_texts_are_cut_not_overrun(void)
{
    struct tac_error e;
    char name[1000], line[64];
    memset(name, 'n', sizeof name);
    name[999] = 0;
    tac_error_set(&e, -TAC_E_RANGE, name, 1, 1, "%s", name);
    CHECK(strlen(e.file) == TAC_ERROR_FILE_MAX - 1 && strlen(e.text) == TAC_ERROR_TEXT_MAX - 1);
    CHECK(strlen(tac_error_format(&e, line, sizeof line)) == 63);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(own_codes_have_symbol_and_sentence);
    TEST(errno_codes_are_passed_through);
    TEST(format_leaves_out_unknown_parts);
    TEST(long_texts_are_cut_not_overrun);
    return test_end();
}
