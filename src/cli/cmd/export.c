/* SPDX-License-Identifier: MIT
 * export.c - `tactus export`: a recording for other tools. */
#include "cli/cmd.h"

#include "capture/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_PERFETTO, OPT_CSV, OPT_OUTPUT };

static int run(const struct tac_cmd_args *args)
{
    const char *output = args->option[OPT_OUTPUT];
    struct tac_error err;
    struct tac_capture *capture;
    if (!args->option[OPT_PERFETTO] == !args->option[OPT_CSV])
        return tac_cmd_fail(TAC_EXIT_USAGE, "choose one format: --perfetto or --csv");
    if (!output)
        return tac_cmd_fail(TAC_EXIT_USAGE, "say where to: -o FILE");
    if (tac_capture_open(args->operand[0], &err, &capture) < 0)
        return tac_cmd_fail_error(&err);
    FILE *file = fopen(output, "wbe");
    int error = file ? 0 : -errno;
    if (!error) {
        error = args->option[OPT_CSV] ? tac_export_csv(capture, file)
                                      : tac_export_perfetto(capture, file);
        if (fclose(file) && !error)
            error = -errno;
    }
    if (capture->problems & (TAC_CAPTURE_TRUNCATED | TAC_CAPTURE_DAMAGED))
        fprintf(stderr, "tactus export: %s is cut off or damaged; exported what could be read\n",
                args->operand[0]);
    tac_capture_close(capture);
    if (error)
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: cannot be written: %s", output,
                            tac_error_sentence(error));
    return TAC_EXIT_OK;
}

TAC_CMD(export) = {
    .name = "export",
    .summary = "write a recording in another tool's format",
    .synopsis = "RECORDING (--perfetto | --csv) -o FILE",
    .text = "Writes a recording as a Perfetto trace, which ui.perfetto.dev opens (zones, cycles, "
            "memory operations, waits, plots, CPU lanes where kernel events were recorded, and "
            "the places where events were lost), or the statistics of its zones as CSV.\n\n"
            "A recording that was cut off or damaged is exported as far as it can be read.",
    .option = {{"perfetto", 0, NULL, "Perfetto's protobuf format."},
               {"csv", 0, NULL, "One line for each zone name: count, total, self, quantiles."},
               {"output", 'o', "FILE", "The file to write."}},
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
