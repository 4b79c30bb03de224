/* SPDX-License-Identifier: MIT
 * proof.h - did a change cure the main cause? From several runs before and after it.
 *
 * A run counts, for each verdict, the misses that stem from it (those carried over from the cycle
 * before are left out: one bad cycle counts once). `Cured` asks for all of: the misses of the named
 * cause fell at least tenfold; every run after lies below every run before, and so do the intervals
 * of chance (95 %, Poisson) of the pooled counts; and no other cause grew beyond such an interval.
 * Causes that speak of the machine (a host that stalls) may grow: they come and go by themselves.
 * What nobody is blamed for (unexplained, gaps, the recorder) may not: misses that went where
 * nothing can be seen are not gone.
 * A run with under half of the usual cycles (the upper median of all runs) is no proof of anything:
 * the program ended early, or its server stalled. It is left out and named.
 * Threads: any. Real-time: no. */
#ifndef TAC_DOCTOR_PROOF_H
#define TAC_DOCTOR_PROOF_H

#include "doctor/doctor.h"

enum { TAC_PROOF_RUNS_MAX = 16, TAC_PROOF_RULES_MAX = 64 };

/* What one run showed. */
struct tac_proof_run {
    int status; /* the program's exit status, as far as the caller knows it; for the report alone */
    size_t judged, missed;
    uint64_t worst_ns;
    size_t roots[TAC_PROOF_RULES_MAX]; /* misses by verdict; index as in tac_rules */
    uint64_t lost_ns[TAC_PROOF_RULES_MAX];
};

struct tac_proof {
    const char *setting; /* what differs, in words */
    unsigned runs;       /* on each side */
    struct tac_proof_run before[TAC_PROOF_RUNS_MAX], after[TAC_PROOF_RUNS_MAX];
};

enum tac_proof_result {
    TAC_PROOF_NOTHING, /* nothing was missed before, or only what the machine did */
    TAC_PROOF_CURED,
    TAC_PROOF_NOT_CURED,   /* it did not fall tenfold */
    TAC_PROOF_OVERLAP,     /* it fell, and chance could do that */
    TAC_PROOF_OTHERS_GREW, /* it fell, and another cause came instead */
    TAC_PROOF_TOO_SHORT    /* no run of one side has enough cycles */
};

/* Counts of one verdict over the runs of both sides, without those that are left out; a thousand
 * cycles each. */
struct tac_proof_change {
    size_t before, after; /* misses */
    size_t before_cycles, after_cycles;
    double before_least, before_most, before_mean;
    double after_least, after_most, after_mean;
    bool fell, apart, grew; /* tenfold; beyond chance; beyond chance */
};

void tac_proof_take(const struct tac_diagnosis *diagnosis, struct tac_proof_run *ret_run);

/* Whether the run of this proof is left out. */
bool tac_proof_is_short(const struct tac_proof *proof, const struct tac_proof_run *run);

/* The cause that lost most time before, of those that the program or its set-up can be blamed for;
 * an index in tac_rules, or -1. */
int tac_proof_cause(const struct tac_proof *proof);

struct tac_proof_change tac_proof_compare(const struct tac_proof *proof, unsigned rule);

/* cause: an index in tac_rules, or -1. ret_other (may be NULL): the cause that grew, or -1. */
enum tac_proof_result tac_proof_judge(const struct tac_proof *proof, int cause, int *ret_other);

/* "cured", "not_cured" ...; of the last two kinds without a proof it is "not_proved". */
const char *tac_proof_result_name(enum tac_proof_result result);

/* The table and the conclusion in words, or one JSON object. */
void tac_proof_text(const struct tac_proof *proof, struct tac_text *text);
void tac_proof_json(const struct tac_proof *proof, struct tac_text *text);

#endif
