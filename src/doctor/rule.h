/* SPDX-License-Identifier: MIT
 * rule.h - the contract of a rule: one file under rules/ and one word in rules/meson.build.
 *
 * A rule looks at one late cycle, laid out on accounts, and claims nanoseconds of an account for
 * its cause, with the particulars. Rules are asked in the order of the word list, the special
 * before the general; what a rule has claimed is gone for the later ones, so nothing is counted
 * twice. What nobody claims goes to `unexplained`. A rule is a pure function: same case, same
 * claims. It must claim nothing in a healthy cycle, and nothing that its evidence does not show. */
#ifndef TAC_DOCTOR_RULE_H
#define TAC_DOCTOR_RULE_H

#include "doctor/doctor.h"

/* Whom a cause speaks of: the colour family of the reports. */
enum tac_blame {
    TAC_BLAME_PROGRAM, /* the program's own code */
    TAC_BLAME_HEAP,    /* the memory functions that it calls */
    TAC_BLAME_SYSTEM,  /* other threads, the kernel, the set-up */
    TAC_BLAME_MACHINE, /* hardware and hypervisor */
    TAC_BLAME_NOBODY,  /* not known */
};

/* "program", "heap", "system", "machine", "nobody"; stable, used in JSON. */
const char *tac_blame_name(enum tac_blame blame);

enum { TAC_CLAIMS_MAX = 32 };

struct tac_case {
    const struct tac_diagnosis *diagnosis;
    const struct tac_capture *capture;
    const struct tac_capture_cycle *cycle;
    const struct tac_layout *layout;
    const struct tac_nominal *nominal;
    unsigned has;
    uint64_t late_ns;
    /* Unclaimed time above nominal, per account; claims reduce it. */
    uint64_t open_ns[TAC_ACCOUNTS];
    struct tac_verdict claim[TAC_CLAIMS_MAX];
    unsigned claims;
    const struct tac_rule *rule; /* being asked */
};

struct tac_rule {
    const char *name;   /* the word; stable, used in JSON */
    const char *title;  /* noun phrase for tables: "waiting for the heap's lock" */
    const char *means;  /* one or two sentences */
    const char *advice; /* what to do */
    unsigned needs;     /* evidence without which it cannot speak; reports say so */
    enum tac_blame blame;
    bool computes; /* its time went to computing: samples of it say where */
    void (*check)(struct tac_case *c);
};

#define TAC_RULE(id)                                                                               \
    extern const struct tac_rule tac_rule_##id;                                                    \
    const struct tac_rule tac_rule_##id

/* All rules in the order of the word list, NULL-terminated. */
extern const struct tac_rule *const tac_rules[];
extern const size_t tac_rules_count;

/* Claim up to ns of an account's open time for the rule being asked. Returns what was granted; a
 * claim of 0 leaves no trace. format: the particulars. */
uint64_t tac_claim(struct tac_case *c, enum tac_account account, uint64_t ns, double confidence,
                   const char *format, ...) TAC_PRINTF(5, 6);

/* How sure two parts are together that have one verdict: as the larger, unless the smaller is more
 * than a fourth of both, and less sure. */
double tac_claim_confidence(const struct tac_verdict *larger, const struct tac_verdict *smaller);

/* Say by which event of the cycle the last claim of this rule came about: a sight of kind MEMORY,
 * LOCK or CALL, whose call stack then tells where in the program. NULL is fine. */
void tac_claim_by(struct tac_case *c, const struct tac_sight *sight);

/* "Foo::append (libframework.so, foo.cpp:120)" for a code address, "" when not known. */
const char *tac_case_symbol(const struct tac_case *c, uint64_t address, char *buffer, size_t size);

/* "Foo::append (libframework.so, foo.cpp:120)" for the event of the kind (and name, NULL: any) that
 * the thread began then, or else its usual one: the first function outside libc and ours. "" when
 * no stack was taken. */
const char *tac_case_place(const struct tac_case *c, unsigned kind, const char *what,
                           uint32_t thread, uint64_t begin_ns, char *buffer, size_t size);

/* Where the thread was within [from, to], by the first call stack of the program that the kernel
 * took of it then (TAC_EVIDENCE_STACKS): "; by its call stack in Foo::bar (app, foo.cpp:120),
 * called by ...". "" when it took none. */
const char *tac_case_seen(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns, char *buffer,
                          size_t size);

/* The function in which most samples of the thread in [from, to] found it computing (samples_hz of
 * the session): "; 5 of 6 samples in Foo::bar (app, foo.cpp:120)". "" when there are none. */
const char *tac_case_sampled(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns,
                             char *buffer, size_t size);

/* The same over all late cycles that the rule is the verdict of, where each is too short for
 * samples of its own: "40 of 60 samples in Foo::bar (app, foo.cpp:120)", or "". */
const char *tac_cause_sampled(const struct tac_diagnosis *diagnosis, const struct tac_rule *rule,
                              char *buffer, size_t size);

/* Time of the segments on this account whose witness is of the kind. kind TAC_SIGHT_KINDS: any.
 * ret_longest (may be NULL): the sight with most of it, or NULL. */
uint64_t tac_case_time(const struct tac_case *c, enum tac_account account, unsigned kind,
                       const struct tac_sight **ret_longest);

/* The same for the sights that a rule wants. */
typedef bool tac_case_wanted(const struct tac_case *c, const struct tac_sight *sight);
uint64_t tac_case_sum(const struct tac_case *c, enum tac_account account, tac_case_wanted *wanted,
                      const struct tac_sight **ret_longest);

/* Whether this rule has claimed something of the cycle. */
bool tac_case_is_claimed(const struct tac_case *c, const char *rule);

/* Whether the cycle's thread has a real-time priority, as far as the sight shows. */
static inline bool tac_sight_is_real_time(const struct tac_sight *s)
{
    return s->own_prio < TAC_PRIO_NORMAL;
}

/* The last wake-up before the cycle began, when an interrupt sent it, later than least_ns after the
 * release, or NULL; and the sleep that it ended, or NULL. It is a timer's where no other interrupt
 * is seen to be open. */
struct tac_timed_wake {
    const struct tac_sight *wake, *sleep;
    bool is_timer;
};
struct tac_timed_wake tac_case_late_timer(const struct tac_case *c, uint64_t least_ns);

/* Whether the thread went to sleep only after the release, or the cycles before began as late. Then
 * the timer is not known to be late: it is due when the program wanted. */
bool tac_timed_wake_is_wanted(const struct tac_case *c, struct tac_timed_wake timed);

/* Whether each of the three cycles before began about as late as this one, or later, although none
 * had to wait for the end of another: one that sleeps for a time falls behind like that. */
bool tac_case_falls_behind(const struct tac_case *c);

/* How many sights of the kind lie in the cycle. ret_first may be NULL. */
size_t tac_case_count(const struct tac_case *c, unsigned kind, const struct tac_sight **ret_first);

/* Whether the cycle's thread started this thread or process within the cycle. */
bool tac_case_is_started(const struct tac_case *c, uint32_t tid);

/* "thread loader (1234)" or "a thread that is not known". Returns buffer. */
const char *tac_case_who(const struct tac_case *c, uint32_t tid, char *buffer, size_t size);

/* Of the wall time [from, to) in which thread tid had a CPU: what it was not charged for. A host
 * that stops the machine leaves such a hole. 0 when its accounts are not in the recording. */
uint64_t tac_case_uncharged(const struct tac_case *c, uint32_t tid, uint64_t from_ns,
                            uint64_t to_ns);

/* How long thread tid stood ready without a CPU within [from, to), and (ret_who, may be NULL) who
 * ran instead for most of it, 0 when not known. */
uint64_t tac_case_displaced(const struct tac_case *c, uint32_t tid, uint64_t from_ns,
                            uint64_t to_ns, uint32_t *ret_who);

/* How long thread tid slept within [from, to). */
uint64_t tac_case_slept(const struct tac_case *c, uint32_t tid, uint64_t from_ns, uint64_t to_ns);

/* Whether the CPU left any event within (from, to): it ran, whatever it did. */
bool tac_case_cpu_lived(const struct tac_case *c, uint32_t cpu, uint64_t from_ns, uint64_t to_ns);

/* The longest stretch of [from, to) in which no CPU of the machine left any event. */
uint64_t tac_case_silence(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns);

/* How much of [from, to) the CPU spent without any event, its ticks included, although a thread had
 * it that was then charged for the time in one piece. A host that stops one CPU and does not tell
 * leaves that; 0 below some ticks. */
uint64_t tac_case_unticked(const struct tac_case *c, uint32_t cpu, uint64_t from_ns,
                           uint64_t to_ns);

/* Whether a halt of a virtual machine, without a witness, may be what looks like own time above
 * usual: much of it may lie in one stretch without any event or zone of the thread, outside
 * recorded calls, and such cycles are not so many that they are the program's. The stretch. */
bool tac_case_may_be_halted(const struct tac_case *c, uint64_t *ret_from_ns, uint64_t *ret_to_ns);

/* The heap operation that the thread (index in threads) was in at ns, or began last before it; NULL
 * when it is not among the last of all threads. */
const struct tac_capture_memory *tac_case_operation(const struct tac_case *c, uint32_t thread,
                                                    uint64_t ns);

/* Of the unclaimed time on the account of page faults: inside memory functions. */
uint64_t tac_case_faults_in_heap(const struct tac_case *c);

/* The other thread with the most time inside memory functions during [from, to), or
 * TAC_CAPTURE_NONE. */
uint32_t tac_case_memory_rival(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns);

#endif
