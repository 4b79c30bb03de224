/* SPDX-License-Identifier: MIT
 * fuzz_sfz.c - the reader of SFZ instruments on any text. See fuzz_main.h for how it is run. */
#include "engine/sfz.h"

#include "fuzz_main.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tac_sfz_region *regions;
    struct tac_error err = {0};
    uint32_t count;
    int r = tac_sfz_parse((const char *)bytes, size, &regions, &count, &err);
    if (r == 0)
        free(regions);
    else if (!*err.text)
        abort();
    return 0;
}
