/* SPDX-License-Identifier: MIT
 * cmd.h - the contract of a sub-command: one file under cmd/ and one word in cmd/meson.build.
 *
 * A command file defines TAC_CMD(name) = { ... }. main.c finds the command, answers --help from the
 * descriptor, and calls run. Exit codes: 0 done; 1 the work was done and found something wrong (a
 * patch does not check, deadlines were missed where that is the question); 2 usage; 3 it could not
 * be done (one line on standard error says why and what to do). */
#ifndef TAC_CLI_CMD_H
#define TAC_CLI_CMD_H

#include "tactus/error.h"

enum tac_exit { TAC_EXIT_OK = 0, TAC_EXIT_FOUND = 1, TAC_EXIT_USAGE = 2, TAC_EXIT_FAILED = 3 };

#define TAC_CMD_OPTIONS_MAX 24

/* One option: "--name VALUE", "--name=VALUE" or, when value is NULL, a switch. */
struct tac_cmd_option {
    const char *name;  /* without dashes; NULL ends the list */
    char letter;       /* one-letter form, or 0 */
    const char *value; /* placeholder in the help ("FILE"), or NULL for a switch; "[=FILE]": may be
                          left out, and then the option is "" */
    const char *help;
};

struct tac_cmd_args {
    const char *option[TAC_CMD_OPTIONS_MAX]; /* by index in the option list; NULL when not given; a
                                                switch that was given is "" */
    int count;                               /* operands */
    int separator;                           /* how many stood before a "--"; -1: there was none */
    char **operand;
};

struct tac_cmd {
    const char *name;
    const char *summary;  /* one line */
    const char *synopsis; /* "PATCH -o FILE [options]" */
    const char *text;     /* the manual: paragraphs, man page style */
    const char *exits;    /* what the exit codes mean here, or NULL for the usual ones */
    struct tac_cmd_option option[TAC_CMD_OPTIONS_MAX];
    int operands_min, operands_max; /* max -1: any number */
    int options_first; /* 1: the first operand ends the options (commands that run a program) */
    int hidden;        /* 1: not in the list (used by the command itself) */
    int (*run)(const struct tac_cmd_args *args);
};

#define TAC_CMD(id)                                                                                \
    extern const struct tac_cmd tac_cmd_##id;                                                      \
    const struct tac_cmd tac_cmd_##id

/* All commands in the order of the word list, NULL-terminated. */
extern const struct tac_cmd *const tac_cmds[];

/* Print "tactus NAME: message" as one line to standard error. Return code, for: return ... */
int tac_cmd_fail(int code, const char *format, ...) TAC_PRINTF(2, 3);

/* The same for an error of a library: file:line:column and sentence. Returns TAC_EXIT_FAILED. */
int tac_cmd_fail_error(const struct tac_error *err);

/* Parse a number option; false and one line when it is not a number in [min, max]. text NULL leaves
 * *ret_value alone. */
_Bool tac_cmd_number(const char *name, const char *text, double min, double max, double *ret_value);

/* The same for a whole number. */
_Bool tac_cmd_whole(const char *name, const char *text, double min, double max, double *ret_value);

#endif
