/* SPDX-License-Identifier: MIT
 * units.c - one table of suffixes; everything is a number times a factor.
 *
 * The decimal point is always '.', whatever the locale: the text is checked by hand before strtod
 * sees it, and strtod is called in the C locale. Source of note numbering: MIDI 1.0, A4 = 69. */
#include "graph/units.h"

#include "tactus/error.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct suffix {
    const char *text;
    enum tac_unit unit;
    double factor;
};

static const struct suffix suffixes[] = {
    {"Hz", TAC_UNIT_HZ, 1},
    {"kHz", TAC_UNIT_HZ, 1000},
    {"s", TAC_UNIT_S, 1},
    {"ms", TAC_UNIT_S, 1e-3},
    {"us", TAC_UNIT_S, 1e-6},
    {"min", TAC_UNIT_S, 60},
    {"dB", TAC_UNIT_DB, 1},
    {"semitones", TAC_UNIT_SEMITONES, 1},
    {"semitone", TAC_UNIT_SEMITONES, 1},
    {"st", TAC_UNIT_SEMITONES, 1},
    {"octaves", TAC_UNIT_SEMITONES, 12},
    {"octave", TAC_UNIT_SEMITONES, 12},
    {"cents", TAC_UNIT_SEMITONES, 0.01},
    {"cent", TAC_UNIT_SEMITONES, 0.01},
    {"%", TAC_UNIT_PERCENT, 0.01},
    {"beats", TAC_UNIT_BEATS, 1},
    {"beat", TAC_UNIT_BEATS, 1},
    {"bpm", TAC_UNIT_BPM, 1},
    {"degrees", TAC_UNIT_DEGREES, 1},
    {"degree", TAC_UNIT_DEGREES, 1},
    {"deg", TAC_UNIT_DEGREES, 1},
};

static const struct {
    const char *name, *example;
} units[] = {
    [TAC_UNIT_NONE] = {"", "0.5"},
    [TAC_UNIT_HZ] = {"Hz", "400 Hz"},
    [TAC_UNIT_S] = {"s", "20 ms"},
    [TAC_UNIT_DB] = {"dB", "-6 dB"},
    [TAC_UNIT_SEMITONES] = {"semitones", "7 semitones"},
    [TAC_UNIT_PERCENT] = {"%", "50 %"},
    [TAC_UNIT_BEATS] = {"beats", "0.5 beats"},
    [TAC_UNIT_BPM] = {"bpm", "120 bpm"},
    [TAC_UNIT_DEGREES] = {"degrees", "90 degrees"},
};

const char *tac_units_name(enum tac_unit unit)
{
    return units[unit].name;
}

const char *tac_units_example(enum tac_unit unit)
{
    return units[unit].example;
}

bool tac_units_note(const char *text, double *ret_semitones)
{
    static const int step[7] = {9, 11, 0, 2, 4, 5, 7}; /* A .. G above C */
    int letter = toupper((unsigned char)text[0]);
    if (letter < 'A' || letter > 'G')
        return false;
    int semitone = step[letter - 'A'];
    const char *s = text + 1;
    if (*s == '#' || *s == 'b')
        semitone += *s++ == '#' ? 1 : -1;
    bool below = *s == '-';
    s += below;
    if (!isdigit((unsigned char)s[0]) || s[1])
        return false;
    int octave = below ? -(s[0] - '0') : s[0] - '0';
    *ret_semitones = semitone + 12 * (octave + 1);
    return true;
}

/* Only plain decimal numbers: no hex, no "inf", no "nan". Returns the end, or NULL. */
static const char *number_end(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, "0123456789");
    s += whole;
    size_t part = 0;
    if (*s == '.') {
        part = strspn(s + 1, "0123456789");
        s += 1 + part;
    }
    if (!whole && !part)
        return NULL;
    if (*s == 'e' || *s == 'E') {
        const char *e = s + 1 + (s[1] == '-' || s[1] == '+');
        size_t digits = strspn(e, "0123456789");
        if (digits)
            s = e + digits;
    }
    return s;
}

static double number_value(const char *text)
{
    static _Thread_local locale_t c_locale;
    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
}

static const struct suffix *find_suffix(const char *text)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (!strcasecmp(suffixes[i].text, text))
            return &suffixes[i];
    return NULL;
}

static bool may_be_bare(enum tac_unit unit, double value)
{
    return unit == TAC_UNIT_NONE || unit == TAC_UNIT_BEATS || unit == TAC_UNIT_BPM ||
           unit == TAC_UNIT_SEMITONES || value == 0;
}

int tac_units_parse(const char *text, enum tac_unit unit, double tempo_bpm, double *ret_value,
                    char why[160])
{
    if (unit == TAC_UNIT_SEMITONES && tac_units_note(text, ret_value))
        return 0;
    const char *end = number_end(text);
    if (!end) {
        snprintf(why, 160, "'%.40s' is not a number; write it like %s", text, units[unit].example);
        return -TAC_E_SYNTAX;
    }
    double value = number_value(text);
    end += strspn(end, " ");
    if (!*end && may_be_bare(unit, value)) {
        *ret_value = value;
        return 0;
    }
    if (!*end) {
        snprintf(why, 160, "'%.40s' lacks its unit; write it like %s", text, units[unit].example);
        return -TAC_E_UNIT;
    }
    const struct suffix *s = find_suffix(end);
    bool beats = s && s->unit == TAC_UNIT_BEATS && unit == TAC_UNIT_S;
    if (!s || (s->unit != unit && !beats)) {
        if (unit == TAC_UNIT_NONE)
            snprintf(why, 160, "'%.40s' should be a number without a unit", text);
        else
            snprintf(why, 160, "'%.20s' %s; write it like %s", end,
                     s ? "is the wrong unit here" : "is not a unit", units[unit].example);
        return -TAC_E_UNIT;
    }
    *ret_value = value * (beats ? 60 / tempo_bpm : s->factor);
    return 0;
}
