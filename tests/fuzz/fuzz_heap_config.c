/* SPDX-License-Identifier: MIT
 * fuzz_heap_config.c - the reader of TACTUS_HEAP on any text, for libFuzzer and AFL++.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_heap_config.c    libFuzzer
 *   with -DTAC_FUZZ_MAIN any compiler: 200 000 texts made of true words, bent by a fixed seed
 *
 * Whatever the text: values stay within their types, and an error is one line that names a word. */
#include "tactus/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[TEXT_MAX];
    struct tac_heap_config config;
    struct tac_error err = {0};
    size = size < sizeof text ? size : sizeof text - 1;
    if (size)
        memcpy(text, bytes, size);
    text[size] = 0;
    tac_heap_config_init(&config, 0);
    int r = tac_heap_config_parse(&config, text, &err);
    if (r > 0 || (r < 0 && !*err.text) || (unsigned)config.full > TAC_HEAP_FULL_RESERVE ||
        (unsigned)config.lock > TAC_HEAP_LOCK_YES || config.threads > 4096 || config.huge < -1 ||
        config.huge > 1 || (unsigned)config.outside > 1 || (unsigned)config.stats_exit > 2 ||
        config.size_bytes > SIZE_MAX / 2)
        abort();
    return tac_heap_config_parse(&config, text, NULL) == r ? 0 : (abort(), 1);
}

#ifdef TAC_FUZZ_MAIN
static uint32_t next(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static size_t make(char *text)
{
    static const char *const part[] = {
        "size=64M",
        "populate=1K",
        "ahead=",
        "reserve=",
        "low=7g",
        "threads=",
        "lock=yes",
        "full=grow",
        "huge=no",
        "outside=",
        "stats=full",
        ",",
        "=",
        "4096",
        "-1",
        "18446744073709551615",
        "99999999999999999999",
        "K",
        "M",
        "G",
        "yes",
        " ",
    };
    size_t n = 0;
    for (unsigned words = next() % 12; words; words--) {
        const char *word = part[next() % (sizeof part / sizeof *part)];
        n += (size_t)snprintf(text + n, TEXT_MAX - n, "%s%s", word, next() % 2 ? "," : "");
    }
    for (unsigned bends = next() % 4; bends && n; bends--)
        text[next() % n] = (char)next();
    return n;
}

int main(void)
{
    char text[TEXT_MAX];
    for (int i = 0; i < 200000; i++) {
        size_t n = make(text);
        LLVMFuzzerTestOneInput((const uint8_t *)text, n);
    }
    printf("ok 1 - 200000 texts\n1..1\n");
    return 0;
}
#endif
