/* SPDX-License-Identifier: MIT
 * runs.h - a few recordings, open and judged. */
#ifndef TAC_CLI_RUNS_H
#define TAC_CLI_RUNS_H

#include "doctor/doctor.h"

enum { TAC_RUNS_MAX = 8 };

struct tac_runs { /* {.count = 0} is empty */
    struct tac_capture *capture[TAC_RUNS_MAX];
    struct tac_diagnosis *diagnosis[TAC_RUNS_MAX];
    int count;
};

/* Open and judge. name NULL: what the recording calls its run, else the file's name. 0, or a code
 * with a sentence in *err (-TAC_E_LIMIT when there are TAC_RUNS_MAX already). */
TAC_MUST_CHECK int tac_runs_add(struct tac_runs *runs, const char *path, const char *name,
                                struct tac_error *err);
void tac_runs_fini(struct tac_runs *runs);

/* The diagnoses as the reports want them. */
static inline const struct tac_diagnosis *const *tac_runs_list(const struct tac_runs *runs)
{
    return (const struct tac_diagnosis *const *)runs->diagnosis;
}

#endif
