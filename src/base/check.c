/* SPDX-License-Identifier: MIT
 * check.c - the end of a failed assertion: one line on standard error, then abort().
 *
 * Uses write(2) and the stack alone, since the heap may be what is broken. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void tac_assert_fail(const char *text, const char *file, int line)
{
    char message[512];
    int length = snprintf(message, sizeof message, "tactus: %s:%d: assertion failed: %s\n", file,
                          line, text);
    if (length > (int)sizeof message - 1)
        length = (int)sizeof message - 1;
    if (length > 0 && write(STDERR_FILENO, message, (size_t)length) < 0)
        abort();
    abort();
}
