/* SPDX-License-Identifier: MIT
 * backend.c - the registry: finds a backend by its word; what a device runs at when it does not
 * matter.
 */
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

int tac_backend_ask(const struct tac_backend *backend, struct tac_backend_config *config,
                    struct tac_error *err)
{
    int code = backend->ask ? backend->ask(config, err) : 0;
    if (code < 0)
        return code;
    if (config->rate_hz == 0)
        config->rate_hz = 48000;
    if (config->frames == 0)
        config->frames = 64;
    return 0;
}
