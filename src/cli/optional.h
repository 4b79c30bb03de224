/* SPDX-License-Identifier: MIT
 * optional.h - which optional parts were built in; the list is written by meson.build from what it
 * found, and printed by `tactus --version`. */
#ifndef TAC_CLI_OPTIONAL_H
#define TAC_CLI_OPTIONAL_H

struct tac_feature {
    const char *name; /* NULL ends the list */
    const char *doc;
    int built;
};

extern const struct tac_feature tac_features[];

#endif
