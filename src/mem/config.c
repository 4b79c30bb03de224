/* SPDX-License-Identifier: MIT
 * config.c - TACTUS_HEAP: words to a configuration. Runs before the heap is open and maybe before
 * libc has set environ, so it allocates nothing and can read the environment from /proc. */
#include "mem/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORD_MAX 64
#define AHEAD_BYTES ((size_t)1 << 20)

void tac_heap_config_init(struct tac_heap_config *config, size_t size_bytes)
{
    *config = (struct tac_heap_config){
        .size_bytes = size_bytes,
        .populate_bytes = SIZE_MAX,
        .ahead_bytes = AHEAD_BYTES,
        .huge = -1,
        .lock = size_bytes ? TAC_HEAP_LOCK_TRY : TAC_HEAP_LOCK_NO,
        .full = size_bytes ? TAC_HEAP_FULL_FAIL : TAC_HEAP_FULL_GROW,
    };
}

/* "64M" to bytes; false when it is not a size. */
static bool parse_size(const char *text, size_t *ret_bytes)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (end == text || errno || *text == '-')
        return false;
    static const char units[] = "KMG";
    const char *unit = *end ? strchr(units, *end & ~0x20) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (unit)
        end++;
    if (*end || n > (SIZE_MAX / 2) >> shift)
        return false;
    *ret_bytes = (size_t)n << shift;
    return true;
}

/* The index of text in the list, or -1. */
static int parse_choice(const char *text, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (strcmp(list[i], text) == 0)
            return i;
    return -1;
}

static bool set_size(struct tac_heap_config *config, const char *value)
{
    size_t bytes;
    if (!parse_size(value, &bytes) || bytes < 1u << 20 || bytes > TAC_ARENA_MAX)
        return false;
    config->size_bytes = bytes;
    return true;
}

/* The choices that a size decides where no word does. */
struct given {
    bool lock, full;
};

static bool set_choice(struct tac_heap_config *config, const char *key, const char *value,
                       struct given *given)
{
    static const char *const fulls[] = {"fail", "grow", "reserve", NULL};
    static const char *const locks[] = {"no", "try", "yes", NULL};
    static const char *const switches[] = {"no", "yes", NULL};
    static const char *const stats[] = {"no", "exit", "full", NULL};
    int i;
    if (strcmp(key, "full") == 0 && (i = parse_choice(value, fulls)) >= 0)
        config->full = (enum tac_heap_full)i, given->full = true;
    else if (strcmp(key, "lock") == 0 && (i = parse_choice(value, locks)) >= 0)
        config->lock = (enum tac_heap_lock)i, given->lock = true;
    else if (strcmp(key, "huge") == 0 && (i = parse_choice(value, switches)) >= 0)
        config->huge = i;
    else if (strcmp(key, "outside") == 0 && (i = parse_choice(value, switches)) >= 0)
        config->outside = i;
    else if (strcmp(key, "stats") == 0 && (i = parse_choice(value, stats)) >= 0)
        config->stats_exit = i;
    else
        return false;
    return true;
}

static bool set_word(struct tac_heap_config *config, char *word, struct given *given)
{
    char *value = strchr(word, '=');
    if (!value)
        return false;
    *value++ = '\0';
    size_t n;
    if (strcmp(word, "size") == 0)
        return set_size(config, value);
    if (strcmp(word, "populate") == 0)
        return parse_size(value, &config->populate_bytes);
    if (strcmp(word, "reserve") == 0)
        return parse_size(value, &config->reserve_bytes);
    if (strcmp(word, "ahead") == 0)
        return parse_size(value, &config->ahead_bytes);
    if (strcmp(word, "low") == 0)
        return parse_size(value, &config->low_bytes);
    if (strcmp(word, "threads") == 0) {
        if (!parse_size(value, &n) || n < 1 || n > TAC_HEAP_THREADS_MAX)
            return false;
        config->threads = (unsigned)n;
        return true;
    }
    return set_choice(config, word, value, given);
}

/* After the last word, so that their order means nothing. */
static void set_rest(struct tac_heap_config *config, const struct given *given)
{
    if (!given->lock && config->lock == TAC_HEAP_LOCK_NO)
        config->lock = TAC_HEAP_LOCK_TRY;
    if (!given->full && config->full == TAC_HEAP_FULL_GROW)
        config->full = TAC_HEAP_FULL_FAIL;
}

static int wrong_words(struct tac_error *err, const char *first, int count)
{
    char more[32] = "";
    if (count > 1)
        snprintf(more, sizeof more, " (and %d more)", count - 1);
    return tac_error_set(err, -TAC_E_SYNTAX, "TACTUS_HEAP", 0, 0,
                         "'%s'%s is not understood and ignored; words are size=, populate=, "
                         "ahead=, reserve=, low= (bytes, K, M or G; size 1M..%dG), "
                         "threads=1..4096, lock=no|try|yes, full=fail|grow|reserve, "
                         "huge=no|yes, outside=no|yes, stats=no|exit|full",
                         first, more, (int)(TAC_ARENA_MAX >> 30));
}

int tac_heap_config_parse(struct tac_heap_config *config, const char *text, struct tac_error *err)
{
    bool had_size = config->size_bytes != 0;
    struct given given = {false, false};
    char first_wrong[WORD_MAX] = "";
    int wrong = 0;
    while (*text) {
        size_t n = strcspn(text, ",");
        char word[WORD_MAX] = "", copy[WORD_MAX];
        snprintf(word, sizeof word, "%.*s", (int)(n < WORD_MAX ? n : WORD_MAX), text);
        memcpy(copy, word, sizeof copy);
        if (n && (n >= WORD_MAX || !set_word(config, word, &given)) && !wrong++)
            memcpy(first_wrong, copy, sizeof copy);
        text += n + (text[n] == ',');
    }
    if (config->size_bytes && !had_size)
        set_rest(config, &given);
    return wrong ? wrong_words(err, first_wrong, wrong) : 0;
}

/* The variable (key: "NAME=") from the process' first environment; NULL when it is not there. */
static const char *environment_from_proc(const char *key, char *buffer, size_t size)
{
    int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t length = 0, match = 0;
    bool at_start = true, in_value = false, done = false;
    char chunk[512];
    for (ssize_t n; !done && (n = read(fd, chunk, sizeof chunk)) > 0;)
        for (ssize_t i = 0; i < n && !done; i++) {
            char c = chunk[i];
            if (in_value && c && length + 1 < size) {
                buffer[length++] = c;
            } else if (in_value) {
                done = true;
            } else if (c == '\0') {
                at_start = true;
                match = 0;
            } else if (at_start) {
                at_start = c == key[match++];
                in_value = at_start && !key[match];
            }
        }
    close(fd);
    buffer[length] = '\0';
    return in_value ? buffer : NULL;
}

const char *tac_mem_environment(const char *key, char *buffer, size_t size)
{
    if (!environ)
        return environment_from_proc(key, buffer, size);
    size_t n = strlen(key);
    for (char *const *e = environ; *e; e++)
        if (!strncmp(*e, key, n))
            return *e + n;
    return NULL;
}

void tac_heap_config_environment(struct tac_heap_config *config)
{
    tac_heap_config_init(config, 0);
    char buffer[512];
    const char *text = tac_mem_environment("TACTUS_HEAP=", buffer, sizeof buffer);
    struct tac_error err;
    if (text && tac_heap_config_parse(config, text, &err) < 0)
        tac_mem_say("%s: %s", err.file, err.text);
}
