/* SPDX-License-Identifier: MIT
 * prove.h - does a change cure the program's main cause? Asked by running it again. */
#ifndef TAC_CLI_PROVE_H
#define TAC_CLI_PROVE_H

#include "cli/setting.h"

struct tac_prove {
    char *const *argv;          /* program and arguments, ends with NULL */
    struct tac_setting setting; /* the change */
    unsigned rounds;            /* runs on each side, 1 .. TAC_PROOF_RUNS_MAX */
    double seconds;             /* each run is ended after so long; 0: it ends by itself */
    int json;                   /* print one JSON object; the runs' lines go to standard error */
    int quiet;                  /* print nothing else */
};

/* Run argv without and with the setting in turn, print what each run missed and the conclusion
 * (doctor/proof.h). Returns an exit status: TAC_EXIT_OK when cured or when there was nothing to
 * prove; 128 and the signal when one came, which ends the run and all that would follow. */
int tac_prove(const struct tac_prove *prove);

#endif
