/* SPDX-License-Identifier: MIT
 * export.c - `tactus export`: a recording for other tools. */
#include "cli/cmd.h"

#include "capture/export.h"
#include "capture/parts.h"
#include "cli/clashes.h"
#include "doctor/marks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { OPT_FORMAT, OPT_OUTPUT, OPT_SYMBOLS, OPT_NO_VERDICTS };

static const struct tac_export_format *choose(const char *name, const char *output)
{
    const struct tac_export_format *format = name ? tac_export_named(name) : tac_export_for(output);
    char list[160] = "";
    if (format)
        return format;
    for (const struct tac_export_format *const *f = tac_export_formats; *f; f++) {
        size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%s (%s)", at ? ", " : "", (*f)->name,
                 (*f)->suffix);
    }
    if (name)
        tac_cmd_fail(TAC_EXIT_USAGE, "there is no format '%s'; there are: %s", name, list);
    else
        tac_cmd_fail(TAC_EXIT_USAGE,
                     "%s: the name does not tell the format; say --format, one of: %s", output,
                     list);
    return NULL;
}

static void take_mark(void *me, const struct tac_capture *c, const struct tac_export_mark *mark)
{
    tac_export_mark(me, c, mark);
}

/* The doctor's verdicts, a part of the recording at a time. */
static int judge(struct tac_export *export, const char *recording, struct tac_error *err)
{
    struct tac_parts *parts = NULL;
    struct tac_part part;
    struct tac_marks marks = {.take = take_mark, .me = export};
    int r = tac_parts_open(recording, TAC_PARTS_EVENTS, err, &parts);
    while (r >= 0 && (r = tac_parts_next(parts, &part, err)) > 0) {
        struct tac_diagnosis *diagnosis = NULL;
        r = tac_diagnosis_new(part.capture, recording, &diagnosis);
        if (r < 0)
            tac_error_set(err, r, recording, 0, 0, "%s", tac_error_sentence(r));
        else
            tac_marks_give(&marks, diagnosis, part.from_ns, part.to_ns);
        tac_diagnosis_free(diagnosis);
        tac_capture_close(part.capture);
    }
    tac_parts_close(parts);
    return r;
}

static int export_all(const struct tac_export_format *format, const struct tac_cmd_args *args,
                      uint32_t *ret_problems, struct tac_error *err)
{
    const char *recording = args->operand[0];
    struct tac_export_options options = {.symbols = args->option[OPT_SYMBOLS]};
    struct tac_export *export = NULL;
    int r = tac_capture_check(recording, err);
    r = r < 0 ? r : tac_export_open(format, args->option[OPT_OUTPUT], &options, err, &export);
    if (r < 0)
        return r;
    if (format->mark && !args->option[OPT_NO_VERDICTS])
        r = judge(export, recording, err);
    r = r < 0 ? r : tac_export_read(export, recording, ret_problems, err);
    int closed = tac_export_close(export, r < 0 ? NULL : err);
    return r < 0 ? r : closed;
}

static int run(const struct tac_cmd_args *args)
{
    const char *output = args->option[OPT_OUTPUT];
    struct tac_error err;
    uint32_t problems = 0;
    if (!output)
        return tac_cmd_fail(TAC_EXIT_USAGE, "say where to: -o FILE");
    const struct tac_export_format *format = choose(args->option[OPT_FORMAT], output);
    if (!format)
        return TAC_EXIT_USAGE;
    if (tac_clashes_same(args->operand[0], output))
        return tac_cmd_fail(TAC_EXIT_USAGE, "%s: this is the recording itself; name another file",
                            output);
    int r = export_all(format, args, &problems, &err);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    if (!(problems & (TAC_CAPTURE_TRUNCATED | TAC_CAPTURE_DAMAGED)))
        return TAC_EXIT_OK;
    fprintf(stderr, "tactus export: %s is cut off or damaged; exported what could be read\n",
            args->operand[0]);
    return TAC_EXIT_FOUND;
}

TAC_CMD(export) = {
    .name = "export",
    .summary = "write a recording in another tool's format",
    .synopsis = "RECORDING -o FILE [--format NAME] [--symbols FOLDERS]",
    .text =
        "Writes a recording for another tool; the format is that "
        "of the file's suffix, or of --format:\n\n"
        "perfetto (.pftrace): for ui.perfetto.dev and trace_processor: zones, cycles, memory "
        "operations, waits, plots with units, flows, call stacks with functions, lines and "
        "build-ids, and where kernel events were recorded CPU lanes, thread states and wakers.\n\n"
        "fxt (.fxt): Fuchsia's trace format, which Tracy imports.\n\n"
        "ctf (.ctf): a folder in the Common Trace Format 1.8, for babeltrace2 and Trace "
        "Compass.\n\n"
        "csv (.csv): statistics of zones, one line a name.\n\n"
        "The doctor's verdicts are in perfetto's, too: one span for each missed deadline, with its "
        "causes. A long recording is judged in parts, each with two seconds around it.\n\n"
        "Places where events were lost are in each of them. A recording that was cut off or "
        "damaged is exported as far as it can be read.",
    .exits =
        "0 exported; 1 the recording is cut off or damaged, what could be read was exported; 2 "
        "wrong usage; 3 it could not be done, one line on standard error says why.",
    .option = {{"format", 'f', "NAME", "The format, when the suffix of FILE does not tell it."},
               {"output", 'o', "FILE", "The file (or, for ctf, the folder) to write."},
               {"symbols", 0, "FOLDERS",
                "Where the program's files are, separated by colons: a sysroot, a folder of "
                "binaries, or a tree .build-id/xx/rest.debug. The environment's TACTUS_SYMBOLS "
                "otherwise."},
               {"no-verdicts", 0, NULL,
                "Leave the doctor's verdicts out; they take two passes over the recording."}},
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
