/* SPDX-License-Identifier: MIT
 * test_units.c - numbers with units as people write them, and the refusal of all else. */
#include "graph/units.h"

#include "tactus/error.h"
#include "test.h"

#include <locale.h>

static double parse(const char *text, enum tac_unit unit)
{
    double value = (double)NAN;
    char why[160];
    return tac_units_parse(text, unit, 120, &value, why) < 0 ? (double)NAN : value;
}

static int code_of(const char *text, enum tac_unit unit)
{
    double value;
    char why[160] = "";
    int code = tac_units_parse(text, unit, 120, &value, why);
    CHECK(code >= 0 || why[0]);
    return code;
}

static void units_scale(void)
{
    CHECK_NEAR(parse("400 Hz", TAC_UNIT_HZ), 400, 0);
    CHECK_NEAR(parse("1.2kHz", TAC_UNIT_HZ), 1200, 1e-9);
    CHECK_NEAR(parse("-6 dB", TAC_UNIT_DB), -6, 0);
    CHECK_NEAR(parse("20 ms", TAC_UNIT_S), 0.02, 1e-12);
    CHECK_NEAR(parse("50 %", TAC_UNIT_PERCENT), 0.5, 1e-12);
    CHECK_NEAR(parse("50 cents", TAC_UNIT_SEMITONES), 0.5, 1e-12);
    CHECK_NEAR(parse("0.5 beats", TAC_UNIT_S), 0.25, 1e-12);
    CHECK_NEAR(parse("1e3", TAC_UNIT_NONE), 1000, 0);
    CHECK_NEAR(parse("0", TAC_UNIT_HZ), 0, 0);
    CHECK_NEAR(parse("120", TAC_UNIT_BPM), 120, 0);
}

static void note_names_are_pitches(void)
{
    CHECK_NEAR(parse("A4", TAC_UNIT_SEMITONES), 69, 0);
    CHECK_NEAR(parse("C4", TAC_UNIT_SEMITONES), 60, 0);
    CHECK_NEAR(parse("Eb3", TAC_UNIT_SEMITONES), 51, 0);
    CHECK_NEAR(parse("C-1", TAC_UNIT_SEMITONES), 0, 0);
    CHECK(isnan(parse("H4", TAC_UNIT_SEMITONES)));
}

static void wrong_units_are_named(void)
{
    CHECK(code_of("400", TAC_UNIT_HZ) == -TAC_E_UNIT);
    CHECK(code_of("400 ms", TAC_UNIT_HZ) == -TAC_E_UNIT);
    CHECK(code_of("4 parsecs", TAC_UNIT_S) == -TAC_E_UNIT);
    CHECK(code_of("4 Hz", TAC_UNIT_NONE) == -TAC_E_UNIT);
}

static void what_is_no_number_is_refused(void)
{
    static const char *const bad[] = {"", "fast", "nan", "inf", "x10 Hz", "--3", ".", "- 3", "e5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_MSG(code_of(bad[i], TAC_UNIT_HZ) == -TAC_E_SYNTAX, "'%s'", bad[i]);
}

static void the_decimal_point_does_not_depend_on_the_locale(void)
{
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        SKIP("the locale de_DE.UTF-8 is not installed");
    CHECK_NEAR(parse("1.5 Hz", TAC_UNIT_HZ), 1.5, 0);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(units_scale);
    TEST(note_names_are_pitches);
    TEST(wrong_units_are_named);
    TEST(what_is_no_number_is_refused);
    TEST(the_decimal_point_does_not_depend_on_the_locale);
    return test_end();
}
