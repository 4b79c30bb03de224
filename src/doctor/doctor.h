/* SPDX-License-Identifier: MIT
 * doctor.h - why was it late? From a recording to verdicts, and from verdicts to reports.
 *
 * tac_diagnosis_new() reads a capture once for each cycle source: every cycle's time is laid out on
 * accounts (account.h), the accounts of the on-time cycles give the nominal cycle (medians), and
 * what a late cycle has above it is its excess. The lateness, the time between deadline and end, is
 * shared out over the accounts in proportion to their excess, so that every microsecond is charged
 * once and the shares sum to 100 %. Rules (rule.h) then say what a share means: who, what, how
 * sure, what to do. A cycle that began late because the cycle before had not ended inherits that
 * one's verdict (carried over); its time is not counted a second time among the causes.
 *
 * Libraries do not print: reports are text that the caller writes. Threads: one a diagnosis while
 * it is made; then read-only. Real-time: no. */
#ifndef TAC_DOCTOR_DOCTOR_H
#define TAC_DOCTOR_DOCTOR_H

#include "base/text.h"
#include "capture/capture.h"
#include "doctor/account.h"

#include <stdio.h>

enum {
    TAC_VERDICTS_MAX = 8,
    TAC_VERDICT_TEXT_MAX = 320,
    TAC_CYCLE_ON_TIME = 0,      /* values of cycle_verdict; between them: 1 + rule index */
    TAC_CYCLE_NOT_JUDGED = 255, /* no deadline, or not ended */
};

struct tac_rule;
struct tac_work;
struct tac_places;
struct tac_forks;
struct tac_halts;
struct tac_kin;

/* What a recording can prove; bit set of a diagnosis and of a rule's needs. */
enum tac_evidence_bit {
    TAC_HAS_CLOCK = 1,    /* CPU time, switch and fault counts at each cycle's begin and end */
    TAC_HAS_MEMORY = 2,   /* heap operations with their durations */
    TAC_HAS_LOCKS = 4,    /* waits for locks */
    TAC_HAS_SWITCHES = 8, /* the own threads' switches: out and in, pre-empted or not */
    TAC_HAS_SCHED = 16,   /* switches and wake-ups of the whole system: who ran instead */
    TAC_HAS_FAULTS = 32,  /* page faults one by one */
    TAC_HAS_IRQ = 64,     /* interrupts and soft interrupts */
    TAC_HAS_CALLS = 128,  /* calls that real-time rules warn of, with their durations */
    TAC_HAS_MM = 256,     /* mmap lock, reclaim, compaction, large pages */
    TAC_HAS_COPIES = 512, /* writes to pages that are read-only */
};

/* One cause of one late cycle. ns of all verdicts of a miss sum to its late_ns exactly. */
struct tac_verdict {
    const struct tac_rule *rule;
    uint64_t ns;         /* of the lateness */
    uint64_t carried_ns; /* of ns: inherited from the cycle before */
    double confidence;   /* 0..1: how sure that these ns belong here */
    uint32_t place; /* where the program did it: index in diagnosis->places, TAC_CAPTURE_NONE: not
                       known */
    char text[TAC_VERDICT_TEXT_MAX]; /* the particulars: "heap lock, while thread loader ..." */
};

struct tac_miss {
    uint32_t cycle; /* index in capture->cycles */
    uint32_t root;  /* index of the miss (in misses) whose delay was carried here, or its own */
    uint64_t late_ns;
    uint64_t carried_ns; /* of late_ns: came from the cycle before */
    unsigned count;
    struct tac_verdict verdict[TAC_VERDICTS_MAX]; /* largest first */
};

/* All misses of one rule together. */
struct tac_cause {
    const struct tac_rule *rule;
    size_t misses;     /* where it is the verdict (the largest part), carried over included */
    size_t carried;    /* of these: only because the cycle before was late */
    uint64_t lost_ns;  /* its part of all lateness that was not carried over */
    double share;      /* lost_ns of all lost_ns, 0..1; the shares of all causes sum to 1 */
    uint64_t worst_ns; /* the latest cycle where it is the verdict */
    size_t worst; /* index in misses of the one with its largest part that was not carried over */
    double confidence; /* mean over its parts, weighted by time */
    uint32_t place;    /* that of most of its time, or TAC_CAPTURE_NONE */
};

struct tac_source_summary {
    const char *name;
    uint64_t period_ns;
    size_t cycles, unfinished, without_deadline, missed;
    uint64_t worst_ns;   /* lateness */
    uint64_t nominal_ns; /* median run time, begin to end, of on-time cycles */
    uint64_t longest_ns;
    const char *thread; /* name of the one that ran its last cycle, or NULL */
    uint8_t prio;       /* of that thread, kernel's: 0..99 real-time; TAC_PRIO_UNKNOWN */
    bool is_regular;    /* cycles follow each other by the period; otherwise it is the time of
                           each */
};

struct tac_memory_summary {
    uint64_t calls;          /* heap operations in the whole recording */
    uint64_t cycle_calls;    /* of these inside cycles */
    uint64_t cycle_ns;       /* time in them inside cycles */
    uint64_t cycle_worst_ns; /* the longest single one inside a cycle */
    uint64_t failed;
    uint64_t peak_bytes; /* as far as the recording shows: net of what it saw */
};

/* A warning without a miss: something that real-time code should not do, seen inside cycles. */
struct tac_hazard {
    const char *what; /* name of the call */
    size_t count, cycles;
    uint64_t worst_ns;
    int grade;      /* 2 serious, 1 warning, 0 note */
    uint32_t place; /* the place seen most often, or TAC_CAPTURE_NONE */
};

struct tac_diagnosis {
    const struct tac_capture *capture; /* must outlive the diagnosis */
    const char *name;                  /* of the run, for titles; owned */
    unsigned has;                      /* enum tac_evidence_bit */
    size_t cycles, missed;             /* over all sources */
    size_t judged;                     /* cycles with a deadline and an end */
    uint64_t worst_ns;
    size_t sources_count, misses_count, causes_count, hazards_count;
    struct tac_source_summary *sources;
    struct tac_miss *misses;  /* in the order of time */
    struct tac_cause *causes; /* largest share first */
    struct tac_hazard *hazards;
    uint8_t *cycle_verdict;               /* per cycle */
    float (*cycle_account)[TAC_ACCOUNTS]; /* per cycle: ns on each account, release to end */
    struct tac_memory_summary memory;
    struct tac_places *places; /* where the program called what: places.h */
    struct tac_kin *kin;       /* its threads: kin.h */
    struct tac_forks *forks;   /* forks.h */
    struct tac_halts *halts;   /* of the machine: halts.h */
    struct tac_work *work;     /* private */
};

/* Make a diagnosis. name is copied. 0, -ENOMEM. A recording without cycles gives one without
 * verdicts. */
TAC_MUST_CHECK int tac_diagnosis_new(const struct tac_capture *capture, const char *name,
                                     struct tac_diagnosis **ret_diagnosis);
void tac_diagnosis_free(struct tac_diagnosis *diagnosis); /* NULL is fine; not the capture */

/* The laid-out time of one cycle, for pictures: see account.h. Fill *layout, which starts as {0}
 * and is freed with tac_layout_fini(). 0, -ENOMEM. */
TAC_MUST_CHECK int tac_diagnosis_layout(const struct tac_diagnosis *diagnosis, size_t cycle,
                                        struct tac_layout *layout);

/* The price of a page fault in the recording of this cycle's source, ns. */
double tac_diagnosis_fault_ns(const struct tac_diagnosis *diagnosis, size_t cycle);

/* One sentence on how two or more runs compare; says so when there is no difference. A second one
 * where the main cause of the first run differs beyond chance. */
void tac_report_headline(const struct tac_diagnosis *const *runs, size_t count,
                         struct tac_text *text);

/* For a terminal, 80 columns, plain text. */
void tac_report_text(const struct tac_diagnosis *diagnosis, struct tac_text *text);

/* One JSON object; its schema is docs/doctor.schema.json. setup: a JSON array of findings on the
 * machine that the runs were made on, NULL: nobody looked. */
void tac_report_json(const struct tac_diagnosis *const *runs, size_t count, const char *setup,
                     struct tac_text *text);

/* A self-contained page (no network) that shows the runs one under the other, with the headline.
 * setup: as in the JSON. 0 or the negative errno of writing. */
TAC_MUST_CHECK int tac_report_html(const struct tac_diagnosis *const *runs, size_t count,
                                   const char *setup, FILE *file);

#endif
