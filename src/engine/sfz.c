/* SPDX-License-Identifier: MIT
 * sfz.c - the parser of sfz.h.
 *
 * Headings stand in levels; an opcode counts for its level and those below it, and a heading begins
 * its level, and those below it, with what stands above. A value ends where the line does, or
 * before the next heading or opcode, as names of files may have spaces in them.
 * Invariant: each round of a loop takes at least one character, so any bytes come to an end. */
#include "engine/sfz.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum level { GLOBAL, MASTER, GROUP, REGION, LEVELS, CONTROL = LEVELS, ELSEWHERE };

struct settings {
    struct tac_sfz_region region;
    double keycenter, transpose, cents;
    bool on_release;
};

struct parser {
    const char *at, *end; /* end: of the line */
    unsigned line;
    int level;
    struct settings set[LEVELS];
    char folder[TAC_SFZ_PATH_MAX]; /* default_path */
    struct tac_sfz_region *region;
    uint32_t count, room;
    struct tac_error *err;
};

static const struct settings unsaid = {.region = {.key_high = 127,
                                                  .velocity_high = 127,
                                                  .release_s = -1,
                                                  .first = 0,
                                                  .last = -1,
                                                  .loop_first = -1,
                                                  .loop_last = -1},
                                       .keycenter = 60};

#define FAIL(p, code, ...) tac_error_set((p)->err, (code), NULL, (p)->line, 0, __VA_ARGS__)

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static void skip_spaces(struct parser *p)
{
    while (p->at < p->end && isspace((unsigned char)*p->at))
        p->at++;
}

/* ---- values -------------------------------------------------------------------------------- */

static bool read_number(const char *text, double low, double high, double *ret_value)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high))
        return false;
    *ret_value = value;
    return true;
}

/* A key: a number, or a name; c4 is 60. */
static bool read_key(const char *text, double *ret_value)
{
    static const int semitone[] = {9, 11, 0, 2, 4, 5, 7};
    char letter = (char)tolower((unsigned char)text[0]);
    if (letter < 'a' || letter > 'g')
        return read_number(text, 0, 127, ret_value);
    int sharp = text[1] == '#' ? 1 : text[1] == 'b' ? -1 : 0;
    double octave;
    if (!read_number(text + 1 + (sharp != 0), -1, 9, &octave) || octave != floor(octave))
        return false;
    double key = semitone[letter - 'a'] + sharp + 12 * (octave + 1);
    if (key < 0 || key > 127)
        return false;
    *ret_value = key;
    return true;
}

static bool read_loop(const char *text, enum tac_sfz_loop *ret_loop)
{
    static const char *const words[] = {
        [TAC_SFZ_NO_LOOP] = "no_loop",
        [TAC_SFZ_ONE_SHOT] = "one_shot",
        [TAC_SFZ_CONTINUOUS] = "loop_continuous",
        [TAC_SFZ_SUSTAIN] = "loop_sustain",
    };
    for (int k = TAC_SFZ_NO_LOOP; k <= TAC_SFZ_SUSTAIN; k++)
        if (!strcmp(text, words[k])) {
            *ret_loop = (enum tac_sfz_loop)k;
            return true;
        }
    return false;
}

/* The opcodes that are numbers, and where they go. */
struct place {
    const char *name;
    bool is_key;
    double low, high;
    size_t offset; /* of an int or a double within struct settings */
    bool is_int;
};

#define IN_REGION(field)                                                                           \
    (offsetof(struct settings, region) + offsetof(struct tac_sfz_region, field))

static const struct place places[] = {
    {"lokey", true, 0, 127, IN_REGION(key_low), true},
    {"hikey", true, 0, 127, IN_REGION(key_high), true},
    {"pitch_keycenter", true, 0, 127, offsetof(struct settings, keycenter), false},
    {"transpose", false, -127, 127, offsetof(struct settings, transpose), false},
    {"lovel", false, 0, 127, IN_REGION(velocity_low), true},
    {"hivel", false, 0, 127, IN_REGION(velocity_high), true},
    {"tune", false, -9600, 9600, offsetof(struct settings, cents), false},
    {"volume", false, -144, 48, IN_REGION(volume_db), false},
    {"ampeg_release", false, 0, 100, IN_REGION(release_s), false},
    {"offset", false, 0, 4e9, IN_REGION(first), false},
    {"end", false, -1, 4e9, IN_REGION(last), false},
    {"loop_start", false, 0, 4e9, IN_REGION(loop_first), false},
    {"loop_end", false, 0, 4e9, IN_REGION(loop_last), false},
    {"loop_crossfade", false, 0, 100, IN_REGION(crossfade_s), false},
};

static const struct place *place_of(const char *name)
{
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        if (!strcmp(name, places[k].name))
            return &places[k];
    return NULL;
}

static bool put_number(struct settings *set, const struct place *place, const char *value)
{
    double x;
    if (place->is_key ? !read_key(value, &x) : !read_number(value, place->low, place->high, &x))
        return false;
    if (place->is_int)
        *(int *)(void *)((char *)set + place->offset) = (int)x;
    else
        *(double *)(void *)((char *)set + place->offset) = x;
    return true;
}

/* default_path and the name; folders by /. */
static bool put_sample(struct settings *set, const char *folder, const char *value)
{
    size_t a = strlen(folder), b = strlen(value);
    if (a + b + 1 > sizeof set->region.sample)
        return false;
    memcpy(set->region.sample, folder, a);
    memcpy(set->region.sample + a, value, b + 1);
    for (char *c = set->region.sample; *c; c++)
        *c = *c == '\\' ? '/' : *c;
    return true;
}

/* False: the value does not fit. Names that are not known are skipped. */
static bool put(struct settings *set, const char *folder, const char *name, const char *value)
{
    const struct place *place = place_of(name);
    double x;
    if (place)
        return put_number(set, place, value);
    if (!strcmp(name, "sample"))
        return put_sample(set, folder, value);
    if (!strcmp(name, "loop_mode") || !strcmp(name, "loopmode"))
        return read_loop(value, &set->region.loop);
    if (!strcmp(name, "trigger"))
        set->on_release = !strncmp(value, "release", 7);
    if (!strcmp(name, "key")) {
        if (!read_key(value, &x))
            return false;
        set->region.key_low = set->region.key_high = (int)x;
        set->keycenter = x;
    }
    return true;
}

/* ---- headings and opcodes ------------------------------------------------------------------ */

static int end_region(struct parser *p)
{
    struct settings *set = &p->set[REGION];
    if (p->level != REGION || !*set->region.sample || set->on_release)
        return 0;
    if (set->region.sample[0] == '*')
        return FAIL(p, -TAC_E_UNKNOWN, "there is no sound %s", set->region.sample);
    if (p->count == TAC_SFZ_REGIONS_MAX)
        return FAIL(p, -TAC_E_LIMIT, "more than %d regions", TAC_SFZ_REGIONS_MAX);
    if (p->count == p->room) {
        uint32_t room = p->room ? 2 * p->room : 16;
        void *more = realloc(p->region, room * sizeof *p->region);
        if (!more)
            return FAIL(p, -ENOMEM, "no memory is left");
        p->region = more;
        p->room = room;
    }
    set->region.root = set->keycenter - set->transpose - set->cents / 100;
    p->region[p->count++] = set->region;
    return 0;
}

static int read_heading(struct parser *p)
{
    static const char *const names[] = {"global", "master", "group", "region", "control"};
    const char *name = ++p->at;
    int code = end_region(p);
    while (p->at < p->end && *p->at != '>')
        p->at++;
    if (p->at == p->end)
        return FAIL(p, -TAC_E_SYNTAX, "a heading without >");
    size_t length = (size_t)(p->at++ - name);
    p->level = ELSEWHERE;
    for (int k = GLOBAL; k <= CONTROL; k++)
        if (strlen(names[k]) == length && !memcmp(names[k], name, length))
            p->level = k;
    for (int k = p->level; k < LEVELS; k++)
        p->set[k] = p->level == GLOBAL ? unsaid : p->set[p->level - 1];
    if (p->level == REGION)
        p->set[REGION].region.line = p->line;
    return code;
}

/* Where the value that begins here ends. */
static const char *end_of_value(const struct parser *p)
{
    const char *c = p->at;
    for (; c < p->end && *c != '<'; c++) {
        if (!isspace((unsigned char)*c))
            continue;
        const char *next = c;
        while (next < p->end && isspace((unsigned char)*next))
            next++;
        const char *word = next;
        while (next < p->end && is_word(*next))
            next++;
        if (next < p->end && next > word && *next == '=')
            break;
    }
    while (c > p->at && isspace((unsigned char)c[-1]))
        c--;
    return c;
}

static int apply(struct parser *p, const char *name, const char *value)
{
    if (p->level == CONTROL && !strcmp(name, "default_path")) {
        if (strlen(value) >= sizeof p->folder)
            return FAIL(p, -TAC_E_LIMIT, "default_path is too long");
        strcpy(p->folder, value);
    }
    for (int k = p->level; k < LEVELS; k++)
        if (!put(&p->set[k], p->folder, name, value))
            return FAIL(p, -TAC_E_RANGE, "%s cannot be \"%s\"", name, value);
    return 0;
}

static int read_opcode(struct parser *p)
{
    char name[64], value[TAC_SFZ_PATH_MAX];
    const char *word = p->at;
    while (p->at < p->end && is_word(*p->at))
        p->at++;
    size_t length = (size_t)(p->at - word);
    if (!length || p->at == p->end || *p->at != '=')
        return FAIL(p, -TAC_E_SYNTAX, "here should be a heading or name=value");
    p->at++;
    const char *end = end_of_value(p);
    size_t size = (size_t)(end - p->at);
    if (length < sizeof name && size < sizeof value) {
        memcpy(name, word, length);
        memcpy(value, p->at, size);
        name[length] = value[size] = 0;
        p->at = end;
        return apply(p, name, value);
    }
    return FAIL(p, -TAC_E_LIMIT, "a word that is too long");
}

static int read_line(struct parser *p)
{
    for (const char *c = p->at; c + 1 < p->end; c++)
        if (c[0] == '/' && c[1] == '/')
            p->end = c;
    skip_spaces(p);
    int code = 0;
    if (p->at < p->end && *p->at == '#')
        code = FAIL(p, -TAC_E_SYNTAX,
                    "#define and #include are not read; write out what they stand for");
    for (; code >= 0 && p->at < p->end; skip_spaces(p))
        code = *p->at == '<' ? read_heading(p) : read_opcode(p);
    return code;
}

int tac_sfz_parse(const char *text, size_t size, struct tac_sfz_region **ret_regions,
                  uint32_t *ret_count, struct tac_error *err)
{
    struct parser p = {.level = ELSEWHERE, .err = err};
    const char *end = text + size;
    int code = 0;
    for (int k = 0; k < LEVELS; k++)
        p.set[k] = unsaid;
    for (const char *line = text; line < end && code >= 0;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        p.at = line;
        p.end = stop ? stop : end;
        p.line++;
        line = p.end + 1;
        code = memchr(p.at, 0, (size_t)(p.end - p.at)) ? FAIL(&p, -TAC_E_SYNTAX, "this is no text")
                                                       : read_line(&p);
    }
    if (code >= 0)
        code = end_region(&p);
    if (code >= 0 && !p.count) {
        p.line = 0;
        code = FAIL(&p, -TAC_E_SYNTAX, "it has no region with a sample");
    }
    if (code < 0) {
        free(p.region);
        return code;
    }
    *ret_regions = p.region;
    *ret_count = p.count;
    return 0;
}
