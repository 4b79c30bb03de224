/* SPDX-License-Identifier: MIT
 * doctor.c - `tactus doctor`: judge recordings, or run a program, record and judge it. */
#include "cli/clashes.h"
#include "cli/cmd.h"

#include "cli/capturing.h"
#include "cli/prove.h"
#include "cli/runs.h"
#include "cli/setup_check.h"
#include "cli/watching.h"
#include "doctor/proof.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_JSON,
    OPTION_HTML,
    OPTION_QUIET,
    OPTION_RECORD,
    OPTION_HEAP,
    OPTION_PROVE,
    OPTION_ROUNDS,
    OPTION_SECONDS,
    OPTION_PID,
    OPTION_SETUP,
    OPTION_SAMPLES
};

/* By default: where one costs most, in a guest whose timers go by the host (bench_samples: some 50
 * us), less than 5 % of a thread. A prime: the usual periods are not multiples of its own, so
 * samples do not find the same place again and again. */
enum { SAMPLES_HZ = 797 };

extern const struct tac_cmd tac_cmd_doctor; /* below: its option list has the names */

static int write_html(const struct tac_runs *runs, const char *setup, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, strerror(errno));
    int r = tac_report_html(tac_runs_list(runs), (size_t)runs->count, setup, file);
    if (fclose(file) && r == 0)
        r = -errno;
    return r < 0 ? tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, tac_error_sentence(r)) : 0;
}

static void add_text(const struct tac_runs *runs, struct tac_text *text)
{
    for (int i = 0; i < runs->count; i++) {
        tac_text_add(text, i ? "\n" : "");
        tac_report_text(runs->diagnosis[i], text);
    }
    if (runs->count > 1) {
        tac_text_add(text, "\n");
        tac_report_headline(tac_runs_list(runs), (size_t)runs->count, text);
        tac_text_add(text, "\n");
    }
}

static int report(const struct tac_runs *runs, const char *setup, const struct tac_cmd_args *args)
{
    struct tac_text text = {0};
    if (args->option[OPTION_JSON])
        tac_report_json(tac_runs_list(runs), (size_t)runs->count, setup, &text);
    else if (!args->option[OPTION_QUIET])
        add_text(runs, &text);
    int r = tac_text_write(&text, stdout);
    tac_text_fini(&text);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "standard output: %s", tac_error_sentence(r));
    return args->option[OPTION_HTML] ? write_html(runs, setup, args->option[OPTION_HTML]) : 0;
}

/* Report and turn the misses into the exit status. Frees the runs. setup: JSON, or NULL. */
static int conclude(struct tac_runs *runs, const char *setup, const struct tac_cmd_args *args)
{
    size_t missed = 0, judged = 0;
    int r = report(runs, setup, args);
    for (int i = 0; i < runs->count; i++) {
        missed += runs->diagnosis[i]->missed;
        judged += runs->diagnosis[i]->judged;
    }
    tac_runs_fini(runs);
    if (r)
        return r;
    if (!judged)
        return tac_cmd_fail(TAC_EXIT_FAILED,
                            "there is no cycle with a deadline in the recording; the program must "
                            "open an audio stream or call tac_cycle_begin()");
    return missed ? TAC_EXIT_FOUND : TAC_EXIT_OK;
}

/* Whether a file that will be written is what `what` says; then a line has been printed. */
static bool is_clash(const char *output, const char *other, const char *what)
{
    struct tac_error err;
    if (!output || tac_clashes_refuse_file(output, other, what, &err) == 0)
        return false;
    tac_cmd_fail_error(&err);
    return true;
}

static const char *recording_of(const struct tac_cmd_args *args)
{
    return args->option[OPTION_RECORD] ? args->option[OPTION_RECORD] : "tactus.recording";
}

static int judge_recordings(const struct tac_cmd_args *args)
{
    struct tac_runs runs = {.count = 0};
    struct tac_error err = {0};
    const char *html = args->option[OPTION_HTML];
    for (int i = 0; i < args->count; i++)
        if (is_clash(html, args->operand[i], "what is judged"))
            return TAC_EXIT_FAILED;
    for (int i = 0; i < args->count; i++)
        if (tac_runs_add(&runs, args->operand[i], NULL, &err) < 0) {
            tac_runs_fini(&runs);
            return tac_cmd_fail_error(&err);
        }
    return conclude(&runs, NULL, args);
}

static const char *name_of(const char *program)
{
    const char *slash = strrchr(program, '/');
    return slash ? slash + 1 : program;
}

/* What is wrong with the machine comes before what is wrong with the program. */
static void warn_of_setup(const struct tac_setup *setup)
{
    struct tac_text text = {0};
    tac_setup_text(setup, true, &text);
    if (setup->faults)
        fprintf(stderr, "tactus doctor: the set-up of this machine, to be mended first:\n%s",
                tac_text_string(&text));
    tac_text_fini(&text);
}

static void say_status(int status)
{
    if (status > 128 && status <= 128 + SIGRTMAX)
        fprintf(stderr, "tactus doctor: the program ended with status %d (signal %d: %s)\n", status,
                status - 128, strsignal(status - 128));
    else if (status)
        fprintf(stderr, "tactus doctor: the program ended with status %d\n", status);
}

static int watch(const struct tac_watching *watching, const struct tac_cmd_args *args,
                 struct tac_runs *runs)
{
    struct tac_error err = {0};
    bool quiet = args->option[OPTION_QUIET];
    int status;
    if (tac_watching_run(watching, &status, &err) < 0)
        return tac_cmd_fail_error(&err);
    if (!quiet)
        say_status(status);
    if (tac_runs_add(runs, watching->path, name_of(watching->argv[0]), &err) < 0)
        return tac_cmd_fail_error(&err);
    if (!quiet)
        fprintf(stderr, "tactus doctor: the recording stays in %s\n", watching->path);
    return 0;
}

static int watch_and_judge(const struct tac_watching *watching, const struct tac_cmd_args *args)
{
    struct tac_text json = {0};
    struct tac_runs runs = {.count = 0};
    struct tac_setup setup;
    tac_setup_check(&setup); /* before the program runs, which may change things */
    tac_setup_json(&setup, &json);
    if (!args->option[OPTION_QUIET])
        warn_of_setup(&setup);
    int r = watch(watching, args, &runs);
    if (r)
        tac_runs_fini(&runs);
    else
        r = conclude(&runs, json.failed ? NULL : tac_text_string(&json), args);
    tac_text_fini(&json);
    return r;
}

static int judge_program(const struct tac_cmd_args *args)
{
    const char *heap = args->option[OPTION_HEAP] ? args->option[OPTION_HEAP] : "system";
    const char *path = recording_of(args), *html = args->option[OPTION_HTML];
    if (is_clash(html, path, "the recording") || is_clash(html, args->operand[0], "the program") ||
        is_clash(path, args->operand[0], "the program"))
        return TAC_EXIT_FAILED;
    if (strcmp(heap, "system") != 0 && strcmp(heap, "tactus") != 0)
        return tac_cmd_fail(TAC_EXIT_USAGE, "--heap: '%s' is neither tactus nor system", heap);
    struct tac_watching watching = {.argv = args->operand, .heap = heap, .path = path};
    const char *samples = args->option[OPTION_SAMPLES];
    double samples_hz = samples ? SAMPLES_HZ : 0;
    if (!tac_cmd_number("seconds", args->option[OPTION_SECONDS], 0.1, 1e6, &watching.seconds) ||
        !tac_cmd_whole("samples", samples && *samples ? samples : NULL, 1, 10000, &samples_hz))
        return TAC_EXIT_USAGE;
    watching.samples_hz = (unsigned)samples_hz;
    return watch_and_judge(&watching, args);
}

/* A running program that was built with trace.h and listens. */
static int judge_process(const struct tac_cmd_args *args)
{
    const char *path = recording_of(args);
    char address[64];
    double pid = 0;
    struct tac_capturing capturing = {.outlet.path = path, .address = address, .kernel = 1};
    if (is_clash(args->option[OPTION_HTML], path, "the recording"))
        return TAC_EXIT_FAILED;
    if (!tac_cmd_whole("pid", args->option[OPTION_PID], 1, 4194304, &pid) ||
        !tac_cmd_number("seconds", args->option[OPTION_SECONDS], 0.1, 1e6, &capturing.seconds))
        return TAC_EXIT_USAGE;
    capturing.pid = (uint32_t)pid;
    snprintf(address, sizeof address, "unix:@tactus.%u", capturing.pid);
    struct tac_capturing_result result = {0};
    struct tac_error err = {0};
    struct tac_runs runs = {.count = 0};
    capturing.command = "doctor";
    if (!args->option[OPTION_QUIET] && capturing.seconds <= 0)
        capturing.begun = "recording until the program ends, or Ctrl-C";
    int r = tac_capturing_run(&capturing, &result, &err);
    if (r == -TAC_E_UNKNOWN)
        return tac_cmd_fail(TAC_EXIT_FAILED,
                            "process %u does not listen: start it with TACTUS_RECORD=listen: in "
                            "its environment (it must be built with tactus/trace.h)",
                            capturing.pid);
    if (r < 0 || tac_runs_add(&runs, path, NULL, &err) < 0) {
        tac_runs_fini(&runs);
        return tac_cmd_fail_error(&err);
    }
    return conclude(&runs, NULL, args);
}

static int prove(const struct tac_cmd_args *args)
{
    const char *word = *args->option[OPTION_PROVE] ? args->option[OPTION_PROVE] : "heap";
    double rounds = 3;
    struct tac_prove p = {.argv = args->operand,
                          .json = args->option[OPTION_JSON] != NULL,
                          .quiet = args->option[OPTION_QUIET] != NULL};
    if (!tac_cmd_whole("rounds", args->option[OPTION_ROUNDS], 1, TAC_PROOF_RUNS_MAX, &rounds) ||
        !tac_cmd_number("seconds", args->option[OPTION_SECONDS], 0.1, 1e6, &p.seconds))
        return TAC_EXIT_USAGE;
    p.rounds = (unsigned)rounds;
    if (tac_setting_find(word, &p.setting) < 0) {
        struct tac_text list = {0};
        tac_setting_list(&list);
        tac_cmd_fail(TAC_EXIT_USAGE, "--prove: '%s' is none of %s", word, tac_text_string(&list));
        tac_text_fini(&list);
        return TAC_EXIT_USAGE;
    }
    return tac_prove(&p);
}

static int check_setup(const struct tac_cmd_args *args)
{
    struct tac_text text = {0};
    struct tac_setup setup;
    tac_setup_check(&setup);
    if (args->option[OPTION_JSON]) {
        tac_text_add(&text, "{\"format\":\"tactus-setup\",\"version\":1,\"findings\":");
        tac_setup_json(&setup, &text);
        tac_text_add(&text, "}\n");
    } else if (!args->option[OPTION_QUIET]) {
        tac_setup_text(&setup, false, &text);
    }
    int r = tac_text_write(&text, stdout);
    tac_text_fini(&text);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "standard output: %s", tac_error_sentence(r));
    return setup.faults ? TAC_EXIT_FOUND : TAC_EXIT_OK;
}

/* What can be asked, and by which options it is asked more closely. */
#define BIT(option) (1U << OPTION_##option)
static const struct {
    const char *name; /* for messages */
    unsigned options;
    int (*run)(const struct tac_cmd_args *args);
} uses[] = {
    {"--setup", BIT(SETUP) | BIT(JSON) | BIT(QUIET), check_setup},
    {"--pid", BIT(PID) | BIT(JSON) | BIT(HTML) | BIT(QUIET) | BIT(RECORD) | BIT(SECONDS),
     judge_process},
    {"--prove", BIT(PROVE) | BIT(JSON) | BIT(QUIET) | BIT(ROUNDS) | BIT(SECONDS), prove},
    {"a program",
     BIT(JSON) | BIT(HTML) | BIT(QUIET) | BIT(RECORD) | BIT(HEAP) | BIT(SECONDS) | BIT(SAMPLES),
     judge_program},
    {"a recording", BIT(JSON) | BIT(HTML) | BIT(QUIET), judge_recordings},
};
#undef BIT

enum { USE_SETUP, USE_PID, USE_PROVE, USE_PROGRAM, USE_RECORDING };

static int use_of(const struct tac_cmd_args *args)
{
    return args->option[OPTION_SETUP]   ? USE_SETUP
           : args->option[OPTION_PID]   ? USE_PID
           : args->option[OPTION_PROVE] ? USE_PROVE
           : args->separator == 0       ? USE_PROGRAM
                                        : USE_RECORDING;
}

/* "--json, --html, --quiet" */
static void list_options(unsigned options, struct tac_text *text)
{
    for (int i = 0; i <= OPTION_SAMPLES; i++)
        if (options >> i & 1)
            tac_text_addf(text, "%s--%s", text->length ? ", " : "", tac_cmd_doctor.option[i].name);
}

/* Nothing that was asked for is passed over in silence. 0, or a line has been printed. */
static int check_options(const struct tac_cmd_args *args, int use)
{
    for (int i = 0; i <= OPTION_SAMPLES; i++) {
        if (!args->option[i] || uses[use].options >> i & 1)
            continue;
        struct tac_text list = {0};
        list_options(uses[use].options, &list);
        tac_cmd_fail(TAC_EXIT_USAGE, "--%s means nothing with %s; what does: %s",
                     tac_cmd_doctor.option[i].name, uses[use].name, tac_text_string(&list));
        tac_text_fini(&list);
        return TAC_EXIT_USAGE;
    }
    return 0;
}

static int check_operands(const struct tac_cmd_args *args, int use)
{
    bool takes_none = use == USE_SETUP || use == USE_PID;
    if (takes_none && args->count)
        return tac_cmd_fail(TAC_EXIT_USAGE, "'%s' means nothing with %s", args->operand[0],
                            uses[use].name);
    if (!takes_none && args->count == 0)
        return tac_cmd_fail(TAC_EXIT_USAGE, "name a recording, or a program after --");
    if (args->separator > 0)
        return tac_cmd_fail(TAC_EXIT_USAGE, "give recordings, or -- and a program, not both");
    if (use == USE_PROVE && args->separator < 0)
        return tac_cmd_fail(TAC_EXIT_USAGE, "--prove runs a program: tactus doctor --prove -- "
                                            "PROGRAM");
    return 0;
}

static int run(const struct tac_cmd_args *args)
{
    int use = use_of(args), r = check_options(args, use);
    r = r ? r : check_operands(args, use);
    return r ? r : uses[use].run(args);
}

TAC_CMD(doctor) = {
    .name = "doctor",
    .summary = "say why cycles were late, with evidence",
    .synopsis = "[options] RECORDING...\n"
                "    tactus doctor [options] -- PROGRAM [ARGUMENT...]\n"
                "    tactus doctor [options] --pid PID",
    .text = "Reads one or more recordings, or runs an unmodified program and records it, and "
            "accounts for every late cycle: each microsecond between its deadline and its end is "
            "charged to one cause. Prints, for each recording, the cycles, the missed deadlines, "
            "and for each cause its share of the lost time, the worst example, what it means and "
            "what to do; then what the recording could not show. With several recordings it says "
            "how they compare, and when that may be chance.\n"
            "\n"
            "A recording that is cut off or damaged is judged as far as it can be read. "
            "docs/verdicts.md explains every verdict and the JSON.\n"
            "\n"
            "With root's rights the whole machine's scheduling is recorded beside the program, and "
            "the report says who ran instead.",
    .exits =
        "0 every deadline was met; 1 deadlines were missed (--setup: something to mend was "
        "found; --prove: it is not a cure); 2 wrong usage; 3 it could not be done, one line on "
        "standard error says why; 128 and more: that signal stopped --prove.",
    .option =
        {
            [OPTION_JSON] = {"json", 0, NULL, "Print one JSON object instead of the text."},
            [OPTION_HTML] = {"html", 0, "FILE",
                             "Also write a report with pictures, one file that needs no network."},
            [OPTION_QUIET] = {"quiet", 'q', NULL,
                              "Print nothing but the JSON that is asked for; the exit "
                              "status tells."},
            [OPTION_RECORD] = {"record", 'o', "FILE",
                               "Where the recording of PROGRAM goes (default tactus.recording)."},
            [OPTION_HEAP] = {"heap", 0, "tactus|system",
                             "Who answers malloc in PROGRAM (default system)."},
            [OPTION_PROVE] = {"prove", 0, "[=SETTING]",
                              "Run PROGRAM in turn as it is and with SETTING, and say whether that "
                              "cures its main cause: heap (Tactus' heap, the default), mlockall, "
                              "ftz (denormals flushed to zero), priority[=N] (SCHED_FIFO for the "
                              "whole program), thp (no huge pages), MALLOC_ARENA_MAX[=N]."},
            [OPTION_ROUNDS] = {"rounds", 0, "N", "Runs on each side of --prove (default 3)."},
            [OPTION_SECONDS] = {"seconds", 's', "N",
                                "End PROGRAM after so long, as Ctrl-C would. Without it PROGRAM "
                                "ends by itself."},
            [OPTION_PID] = {"pid", 0, "PID",
                            "Record a running program that was built with tactus/trace.h and "
                            "listens (path \"listen:\", or TACTUS_RECORD=listen: in its "
                            "environment), for --seconds, or until it ends or Ctrl-C."},
            [OPTION_SETUP] = {"setup", 0, NULL,
                              "Check this machine and session instead: priorities, locking of "
                              "memory, huge pages, governor, kernel; with the commands that mend."},
            [OPTION_SAMPLES] = {"samples", 0, "[=HZ]",
                                "With a program: ask the kernel where its audio threads compute, "
                                "so often a second of their CPU time (797). Names the function "
                                "that took long; each sample costs the thread a few us, in a "
                                "virtual machine some 50: 797 of them 4 % of its time. More show "
                                "more of late cycles that last a ms or two."},
        },
    .operands_min = 0,
    .operands_max = -1,
    .run = run,
};
