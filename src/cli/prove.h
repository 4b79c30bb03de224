/* SPDX-License-Identifier: MIT
 * prove.h - does Tactus' heap cure the program's main cause? Asked by running it again. */
#ifndef TAC_CLI_PROVE_H
#define TAC_CLI_PROVE_H

/* Run argv three times on each heap in turn, print what each run missed, and the conclusion: cured
 * when the misses of the cause that leads on the system's heap fall at least tenfold, the worst run
 * on Tactus' heap is below the best on the system's, and the misses of all other causes did not
 * grow beyond chance. Returns an exit status. */
int tac_prove(char *const *argv);

#endif
