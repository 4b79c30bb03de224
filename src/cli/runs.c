/* SPDX-License-Identifier: MIT
 * runs.c - see runs.h. */
#include "cli/runs.h"

#include <string.h>

static const char *name_of(const struct tac_capture *capture, const char *path)
{
    const char *run = tac_capture_meta(capture, "run");
    const char *slash = strrchr(path, '/');
    return run && *run ? run : slash ? slash + 1 : path;
}

int tac_runs_add(struct tac_runs *runs, const char *path, const char *name, struct tac_error *err)
{
    struct tac_capture *capture;
    struct tac_diagnosis *diagnosis;
    if (runs->count == TAC_RUNS_MAX)
        return tac_error_set(err, -TAC_E_LIMIT, NULL, 0, 0,
                             "more than %d recordings at a time are too many", TAC_RUNS_MAX);
    int r = tac_capture_open(path, err, &capture);
    if (r < 0)
        return r;
    r = tac_diagnosis_new(capture, name ? name : name_of(capture, path), &diagnosis);
    if (r < 0) {
        tac_capture_close(capture);
        return tac_error_set(err, r, path, 0, 0, "%s", tac_error_sentence(r));
    }
    runs->capture[runs->count] = capture;
    runs->diagnosis[runs->count++] = diagnosis;
    return 0;
}

void tac_runs_fini(struct tac_runs *runs)
{
    for (int i = 0; i < runs->count; i++) {
        tac_diagnosis_free(runs->diagnosis[i]);
        tac_capture_close(runs->capture[i]);
    }
    runs->count = 0;
}
