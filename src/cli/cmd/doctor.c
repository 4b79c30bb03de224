/* SPDX-License-Identifier: MIT
 * doctor.c - `tactus doctor RECORDING...`: reads recordings, judges every late cycle, reports. */
#include "cli/cmd.h"

#include "capture/capture.h"
#include "doctor/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 8 };

enum { OPTION_JSON, OPTION_HTML, OPTION_QUIET };

struct runs {
    struct tac_capture *capture[RUNS_MAX];
    struct tac_diagnosis *diagnosis[RUNS_MAX];
    int count;
};

static void runs_fini(struct runs *runs)
{
    for (int i = 0; i < runs->count; i++) {
        tac_diagnosis_free(runs->diagnosis[i]);
        tac_capture_close(runs->capture[i]);
    }
}

/* The run's name: what the recording says, else the file's name. */
static const char *name_of(const struct tac_capture *capture, const char *path)
{
    const char *run = tac_capture_meta(capture, "run");
    const char *slash = strrchr(path, '/');
    return run && *run ? run : slash ? slash + 1 : path;
}

static int add_run(struct runs *runs, const char *path)
{
    struct tac_error err = {0};
    struct tac_capture *capture;
    if (tac_capture_open(path, &err, &capture) < 0)
        return tac_cmd_fail_error(&err);
    struct tac_diagnosis *diagnosis;
    int r = tac_diagnosis_new(capture, name_of(capture, path), &diagnosis);
    if (r < 0) {
        tac_capture_close(capture);
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, tac_error_sentence(r));
    }
    runs->capture[runs->count] = capture;
    runs->diagnosis[runs->count++] = diagnosis;
    return 0;
}

static int write_html(const struct runs *runs, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, strerror(errno));
    const struct tac_diagnosis *list[RUNS_MAX];
    for (int i = 0; i < runs->count; i++)
        list[i] = runs->diagnosis[i];
    int r = tac_report_html(list, (size_t)runs->count, file);
    if (fclose(file) && r == 0)
        r = -errno;
    return r < 0 ? tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", path, tac_error_sentence(r)) : 0;
}

static void add_text(const struct runs *runs, struct tac_text *text)
{
    for (int i = 0; i < runs->count; i++) {
        tac_text_add(text, i ? "\n" : "");
        tac_report_text(runs->diagnosis[i], text);
    }
    if (runs->count < 2)
        return;
    const struct tac_diagnosis *list[RUNS_MAX];
    for (int i = 0; i < runs->count; i++)
        list[i] = runs->diagnosis[i];
    tac_text_add(text, "\n");
    tac_report_headline(list, (size_t)runs->count, text);
    tac_text_add(text, "\n");
}

static int report(const struct runs *runs, const struct tac_cmd_args *args)
{
    struct tac_text text = {0};
    if (args->option[OPTION_JSON]) {
        const struct tac_diagnosis *list[RUNS_MAX];
        for (int i = 0; i < runs->count; i++)
            list[i] = runs->diagnosis[i];
        tac_report_json(list, (size_t)runs->count, &text);
    } else if (!args->option[OPTION_QUIET]) {
        add_text(runs, &text);
    }
    int r = tac_text_write(&text, stdout);
    tac_text_fini(&text);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "standard output: %s", tac_error_sentence(r));
    if (args->option[OPTION_HTML])
        return write_html(runs, args->option[OPTION_HTML]);
    return 0;
}

static int run(const struct tac_cmd_args *args)
{
    struct runs runs = {0};
    int r = 0;
    for (int i = 0; i < args->count && r == 0; i++)
        r = add_run(&runs, args->operand[i]);
    if (r == 0)
        r = report(&runs, args);
    size_t missed = 0, judged = 0;
    for (int i = 0; i < runs.count; i++) {
        missed += runs.diagnosis[i]->missed;
        judged += runs.diagnosis[i]->judged;
    }
    runs_fini(&runs);
    if (r)
        return r;
    if (!judged)
        return tac_cmd_fail(TAC_EXIT_FAILED,
                            "%s: there is no cycle with a deadline in it; the "
                            "program must call tac_cycle_begin()",
                            args->operand[0]);
    return missed ? TAC_EXIT_FOUND : TAC_EXIT_OK;
}

TAC_CMD(doctor) = {
    .name = "doctor",
    .summary = "say why cycles were late, with evidence",
    .synopsis = "RECORDING... [--json] [--html FILE]",
    .text = "Reads one or more recordings and accounts for every late cycle: each microsecond "
            "between its deadline and its end is charged to one cause. Prints, for each recording, "
            "the cycles, the missed deadlines, and for each cause its share of the lost time, the "
            "worst example, what it means and what to do; then what the recording could not show. "
            "With several recordings it says how they compare, and when that may be chance.\n"
            "\n"
            "A recording that is cut off or damaged is judged as far as it can be read. "
            "docs/verdicts.md explains every verdict and the JSON.",
    .exits = "0 every deadline was met; 1 deadlines were missed; 2 wrong usage; 3 it could not be "
             "done, one line on standard error says why.",
    .option =
        {
            [OPTION_JSON] = {"json", 0, NULL, "Print one JSON object instead of the text."},
            [OPTION_HTML] = {"html", 0, "FILE",
                             "Also write a report with pictures, one file that needs no network."},
            [OPTION_QUIET] = {"quiet", 'q', NULL, "Print nothing; the exit status tells."},
        },
    .operands_min = 1,
    .operands_max = RUNS_MAX,
    .run = run,
};
