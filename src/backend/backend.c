/* SPDX-License-Identifier: MIT
 * backend.c - the registry: finds a backend by its word. */
#include "backend/backend.h"

#include <stddef.h>
#include <string.h>

const struct tac_backend *tac_backend_find(const char *name)
{
    for (const struct tac_backend *const *b = tac_backends; *b; b++)
        if (!strcmp((*b)->name, name))
            return *b;
    return NULL;
}
