/* SPDX-License-Identifier: MIT
 * fuzz_heap_config.c - the reader of TACTUS_HEAP on any text. See fuzz_main.h for how it is run.
 *
 * Whatever the text: values stay within their types, and an error is one line that names a word. */
#include "tactus/mem.h"

#include "fuzz_main.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 600 };

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
