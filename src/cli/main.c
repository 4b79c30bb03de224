/* SPDX-License-Identifier: MIT
 * main.c - `tactus COMMAND ...`: finds the command, parses its options by its descriptor, prints
 * help.
 *
 * There is no option that is known here but --help and --version; all else belongs to the commands.
 */
#include "cli/cmd.h"

#include "cli/optional.h"
#include "tactus/version.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct tac_cmd *current;

int tac_cmd_fail(int code, const char *format, ...)
{
    fflush(stdout);
    fprintf(stderr, current ? "tactus %s: " : "tactus: ", current ? current->name : "");
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

int tac_cmd_fail_error(const struct tac_error *err)
{
    char line[TAC_ERROR_FILE_MAX + TAC_ERROR_TEXT_MAX + 64];
    return tac_cmd_fail(TAC_EXIT_FAILED, "%s", tac_error_format(err, line, sizeof line));
}

bool tac_cmd_number(const char *name, const char *text, double min, double max, double *ret_value)
{
    if (!text)
        return true;
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(value) || value < min || value > max) {
        tac_cmd_fail(TAC_EXIT_USAGE, "--%s: '%s' is not a number from %.10g to %.10g", name, text,
                     min, max);
        return false;
    }
    *ret_value = value;
    return true;
}

bool tac_cmd_whole(const char *name, const char *text, double min, double max, double *ret_value)
{
    double value = *ret_value;
    if (!tac_cmd_number(name, text, min, max, &value))
        return false;
    if (value != floor(value)) {
        tac_cmd_fail(TAC_EXIT_USAGE, "--%s: '%s' is not a whole number", name, text);
        return false;
    }
    *ret_value = value;
    return true;
}

static void print_wrapped(const char *text, int indent)
{
    int column = 0;
    for (const char *s = text; *s;) {
        if (*s == '\n') {
            putchar('\n');
            column = 0;
            s++;
            continue;
        }
        if (column == 0) {
            printf("%*s", indent, "");
            column = indent;
            if (*s == ' ') { /* preformatted line */
                size_t n = strcspn(s, "\n");
                printf("%.*s", (int)n, s);
                s += n;
                continue;
            }
        }
        size_t n = strcspn(s, " \n");
        if (column > indent && column + 1 + (int)n > 80) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)n, s);
        column += (int)n;
        s += n;
        while (*s == ' ')
            s++;
    }
    putchar('\n');
}

static void print_help(const struct tac_cmd *cmd)
{
    printf("NAME\n    tactus %s - %s\n\nSYNOPSIS\n    tactus %s %s\n\nDESCRIPTION\n", cmd->name,
           cmd->summary, cmd->name, cmd->synopsis);
    print_wrapped(cmd->text, 4);
    printf("\nOPTIONS\n");
    for (const struct tac_cmd_option *o = cmd->option; o->name; o++) {
        printf("    ");
        if (o->letter)
            printf("-%c, ", o->letter);
        const char *between = !o->value || o->value[0] == '[' ? "" : " ";
        printf("--%s%s%s\n", o->name, between, o->value ? o->value : "");
        print_wrapped(o->help, 8);
    }
    printf("    --help\n        Print this page.\n\nEXIT STATUS\n");
    print_wrapped(cmd->exits ? cmd->exits
                             : "0 done; 1 done, and something wrong was found; 2 wrong usage; 3 it "
                               "could not be done, one line on standard error says why.",
                  4);
}

static void print_overview(FILE *out)
{
    fprintf(out, "usage: tactus COMMAND [ARGUMENT...]\n\n");
    for (const struct tac_cmd *const *c = tac_cmds; *c; c++)
        if (!(*c)->hidden)
            fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    fprintf(out, "\n  tactus COMMAND --help   the manual of a command\n"
                 "  tactus --version        the version, and which optional parts were built in\n");
}

static int print_version(void)
{
    printf("tactus %s\n", TAC_VERSION_STRING);
    for (const struct tac_feature *f = tac_features; f->name; f++)
        printf("  %-10s %s%s%s\n", f->name, f->built ? "yes  " : "no   ", f->doc,
               f->built ? "" : " (not built in)");
    return TAC_EXIT_OK;
}

static const struct tac_cmd *find(const char *name)
{
    for (const struct tac_cmd *const *c = tac_cmds; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

static int option_index(const struct tac_cmd *cmd, const char *word, size_t length)
{
    for (int i = 0; cmd->option[i].name; i++)
        if (strlen(cmd->option[i].name) == length && !memcmp(cmd->option[i].name, word, length))
            return i;
    return -1;
}

/* Take the option at argv[*i]; false when it is not understood (a line has been printed). */
static bool take_option(const struct tac_cmd *cmd, int argc, char **argv, int *i,
                        struct tac_cmd_args *args)
{
    const char *word = argv[*i];
    const char *value = NULL;
    int index = -1;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        index = option_index(cmd, word + 2, length);
        if (word[2 + length] == '=')
            value = word + 3 + length;
    } else {
        for (int k = 0; cmd->option[k].name; k++)
            if (cmd->option[k].letter == word[1])
                index = k;
        if (index >= 0 && word[2])
            value = word + 2;
    }
    if (index < 0) {
        tac_cmd_fail(0, "unknown option '%s'; see tactus %s --help", word, cmd->name);
        return false;
    }
    if (!cmd->option[index].value) {
        if (value)
            tac_cmd_fail(0, "--%s takes no value", cmd->option[index].name);
        args->option[index] = "";
        return !value;
    }
    bool optional = cmd->option[index].value[0] == '[';
    if (!value && optional)
        value = "";
    if (!value && *i + 1 < argc && strcmp(argv[*i + 1], "--") != 0)
        value = argv[++*i];
    if (!value) {
        tac_cmd_fail(0, "--%s needs a value: %s", cmd->option[index].name,
                     cmd->option[index].value);
        return false;
    }
    args->option[index] = value;
    return true;
}

/* The first operand that the synopsis names: a word in capitals that is not an option's value. */
static int print_operand(char *ret_name, size_t size, const char *synopsis)
{
    bool of_option = false;
    for (const char *word = synopsis; *word; word += strspn(word, " ")) {
        size_t length = strcspn(word, " \n");
        if (isupper((unsigned char)*word) && !of_option)
            return snprintf(ret_name, size, "%.*s", (int)strcspn(word, ". \n"), word);
        of_option = *word == '-';
        word += length;
    }
    return snprintf(ret_name, size, "something");
}

static int missing_operand(const struct tac_cmd *cmd)
{
    char name[40];
    print_operand(name, sizeof name, cmd->synopsis);
    return tac_cmd_fail(TAC_EXIT_USAGE, "%s is missing; usage: tactus %s %s", name, cmd->name,
                        cmd->synopsis);
}

static int run(const struct tac_cmd *cmd, int argc, char **argv)
{
    struct tac_cmd_args args = {.operand = argv, .separator = -1};
    bool options = true;
    for (int i = 0; i < argc; i++) {
        if (options && !strcmp(argv[i], "--")) {
            options = false;
            args.separator = args.count;
        } else if (options && !strcmp(argv[i], "--help")) {
            print_help(cmd);
            return TAC_EXIT_OK;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(cmd, argc, argv, &i, &args))
                return TAC_EXIT_USAGE;
        } else {
            args.operand[args.count++] = argv[i];
            options = options && !cmd->options_first;
        }
    }
    args.operand[args.count] = NULL;
    if (args.count < cmd->operands_min)
        return missing_operand(cmd);
    if (cmd->operands_max >= 0 && args.count > cmd->operands_max)
        return tac_cmd_fail(TAC_EXIT_USAGE, "'%s' is one argument too many; usage: tactus %s %s",
                            args.operand[cmd->operands_max], cmd->name, cmd->synopsis);
    return cmd->run(&args);
}

/* What was printed must have arrived; a command that failed has said its line already. */
static int finish(int code)
{
    if ((fflush(stdout) || ferror(stdout)) && code != TAC_EXIT_FAILED)
        return tac_cmd_fail(TAC_EXIT_FAILED, "standard output: %s", strerror(errno));
    return code;
}

/* Were one of the three closed, the next file that is opened would get its number, and what is
 * printed would be written into a recording. Open for reading, they still refuse what is printed.
 */
static void keep_standard_files(void)
{
    for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = dup(fd))
        if (fd > STDERR_FILENO) {
            close(fd);
            break;
        }
}

int main(int argc, char **argv)
{
    keep_standard_files();
    if (argc < 2) {
        print_overview(stderr);
        return TAC_EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        current = argc > 2 ? find(argv[2]) : NULL;
        if (current)
            print_help(current);
        else
            print_overview(stdout);
        return finish(TAC_EXIT_OK);
    }
    if (!strcmp(argv[1], "--version"))
        return finish(print_version());
    const struct tac_cmd *cmd = find(argv[1]);
    if (!cmd)
        return tac_cmd_fail(TAC_EXIT_USAGE, "unknown command '%s'; tactus --help lists them",
                            argv[1]);
    current = cmd;
    return finish(run(cmd, argc - 2, argv + 2));
}
