/* SPDX-License-Identifier: MIT
 * hypervisor.c - the machine itself was not run: nobody inside was charged for the time.
 *
 * Proofs  1 The CPU clock of a thread leaves out time in which the host ran something else, so wall
 *           time on the CPU minus CPU time is stolen time; in undisturbed cycles the two agree
 *           within 1 us.
 *         2 The same for another thread that had the CPU while this one stood ready, or while its
 *           timer was due: by the scheduler's credits.
 *         3 The CPU was idle, and yet a timer or a wake-up took effect late. An idle CPU has no
 *           thread whose clock could prove more.
 *         4 Hosts hand out CPU quota at fixed times, so stalls end at multiples of 100 ms from each
 *           other.
 *         5 No CPU of the machine gave a sign of life although ticks were due (still.h). A host
 *           that does not tell stolen time lets the CPU clock run on. The same of one CPU, when it
 *           lasted longer than interrupts are ever off.
 *         6 Halts that were seen end on such a grid (halts.h), and this cycle was silent up to one
 *           of its moments, for much longer than it usually computes, and did behind it no more
 *           than it usually computes; or what wakes it came late at one. Alone, it is no more than
 *           likely.
 *
 * The fourth with another one is certain. */
#include "doctor/evidence.h"
#include "doctor/halts.h"
#include "doctor/rule.h"

#include <math.h>

enum {
    LATE_NS = 500 * 1000,
    STOLEN_NS = 100 * 1000,
    WITNESS_NS = 200 * 1000,
    USUAL_MAX_NS = 1000 * 1000
};

static bool is_halted(const struct tac_case *c, const struct tac_miss *m)
{
    for (unsigned k = 0; k < m->count; k++)
        if (m->verdict[k].rule == c->rule && m->verdict[k].ns * 2 >= m->late_ns)
            return true;
    return false;
}

/* Whether most other cycles with stolen time in the ten seconds before end at multiples of 100 ms
 * (+- 2 ms) from this one's, two at least. */
static bool on_grid(const struct tac_case *c)
{
    const struct tac_diagnosis *d = c->diagnosis;
    size_t grid = 0, all = 0;
    for (size_t i = d->misses_count; i-- > 0;) {
        const struct tac_miss *m = &d->misses[i];
        double apart = (double)c->cycle->end_ns - (double)c->capture->cycles[m->cycle].end_ns;
        if (apart > 1e10)
            break;
        if (apart < 5e7 || !is_halted(c, m))
            continue;
        all++;
        grid += fabs(remainder(apart, 1e8)) < 2e6;
    }
    return grid >= 2 && grid * 2 > all;
}

static bool behind_idle(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_READY && !s->who && !(s->flags & TAC_SIGHT_CHOSEN) &&
           s->to_ns - s->from_ns > LATE_NS;
}

static void check_late_timer(struct tac_case *c)
{
    struct tac_timed_wake timed = tac_case_late_timer(c, LATE_NS);
    const struct tac_sight *wake = timed.wake;
    uint64_t late = c->open_ns[TAC_ACCOUNT_LATE_START];
    if (!wake || late < LATE_NS || tac_timed_wake_is_wanted(c, timed))
        return;
    if (!wake->who && timed.is_timer) {
        tac_claim(c, TAC_ACCOUNT_LATE_START, late, on_grid(c) ? 0.95 : 0.8,
                  "the timer came %.2f ms late although the CPU was idle", (double)late / 1e6);
        return;
    }
    const char *what = timed.is_timer ? "timer" : "interrupt that wakes it";
    uint64_t stolen =
        wake->who ? tac_case_uncharged(c, wake->who, c->layout->release_ns, wake->from_ns) : 0;
    if (stolen * 2 > late)
        tac_claim(c, TAC_ACCOUNT_LATE_START, stolen, on_grid(c) ? 0.98 : 0.85,
                  "the %s came %.2f ms late; the thread that had the CPU was not charged for it",
                  what, (double)stolen / 1e6);
    uint32_t cpu = c->capture->kernel[wake->index].cpu;
    uint64_t still =
        wake->who ? tac_case_unticked(c, cpu, c->layout->release_ns, wake->from_ns) : 0;
    if (stolen * 2 <= late && still * 2 > late)
        tac_claim(c, TAC_ACCOUNT_LATE_START, still, on_grid(c) ? 0.95 : 0.8,
                  "the %s came %.2f ms late: its CPU left no sign of life, its ticks were due",
                  what, (double)still / 1e6);
    else if (stolen * 2 <= late && wake->from_ns > WITNESS_NS &&
             tac_halts_expected(c->diagnosis->halts, wake->from_ns - WITNESS_NS, wake->from_ns))
        tac_claim(c, TAC_ACCOUNT_LATE_START, late, 0.8,
                  "the %s came %.2f ms late, just when the host ends its halts here (each 100 ms)",
                  what, (double)late / 1e6);
}

/* What the cycle's thread was charged for of the time before it got the CPU at ns: see
 * may_be_charged() in settle.c. The one in front was not charged for that, and ran all the same.
 */
static uint64_t charged_ahead(const struct tac_case *c, uint64_t ns)
{
    const struct tac_capture *cap = c->capture;
    uint32_t tid = cap->threads[c->cycle->thread].tid;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, ns + 1); i < cap->kernel_count; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        if (e->type == TAC_KERNEL_RUNTIME && e->tid == tid)
            return e->a > e->ns - ns ? e->a - (e->ns - ns) : 0;
        if (e->type == TAC_KERNEL_SWITCH &&
            e->tid == tid) /* its charge came before, or not at all */
            break;
    }
    return 0;
}

/* Ready behind a thread that was not run either. */
static void check_ready(struct tac_case *c)
{
    const struct tac_sight *longest;
    uint64_t idle = tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, behind_idle, &longest);
    if (longest)
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, idle, on_grid(c) ? 0.95 : 0.8,
                  "woken, and the idle CPU took %.2f ms to run it",
                  (double)(longest->to_ns - longest->from_ns) / 1e6);
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_READY || !s->who || s->to_ns - s->from_ns < STOLEN_NS)
            continue;
        uint64_t stolen = tac_case_uncharged(c, s->who, s->from_ns, s->to_ns);
        uint64_t ahead = charged_ahead(c, s->to_ns);
        stolen = stolen > ahead ? stolen - ahead : 0;
        if (stolen > STOLEN_NS && stolen * 2 > s->to_ns - s->from_ns)
            tac_claim(c, TAC_ACCOUNT_RUNNABLE, stolen, on_grid(c) ? 0.95 : 0.8,
                      "for %.2f ms neither this thread nor the one in front of it was run",
                      (double)stolen / 1e6);
    }
}

/* No sign of life of all CPUs or of the thread's; or a pulse was late, its own or that of a thread
 * that computed meanwhile. */
static void claim_still(struct tac_case *c, const struct tac_sight *still, uint64_t ns, bool grid)
{
    char who[64];
    double length_ms = (double)(still->to_ns - still->from_ns) / 1e6;
    double late_ms = still->detail ? (double)still->detail / 1e6 : length_ms;
    if (still->who && still->who != c->capture->threads[c->cycle->thread].tid)
        tac_claim(c, TAC_ACCOUNT_HYPERVISOR, ns, grid ? 0.9 : 0.8,
                  "%s computed meanwhile, and its CPU was not run for %.2f ms: a host halts all "
                  "CPUs of a machine together",
                  tac_case_who(c, still->who, who, sizeof who), length_ms);
    else if (still->who)
        tac_claim(c, TAC_ACCOUNT_HYPERVISOR, ns, grid ? 0.99 : 0.85,
                  "%s came %.2f ms late, although it had the CPU",
                  still->detail ? "the tick of its CPU" : "its own timer", late_ms);
    else
        tac_claim(c, TAC_ACCOUNT_HYPERVISOR, ns,
                  grid                ? 0.99
                  : still->detail > 1 ? 0.95
                                      : 0.85,
                  still->detail
                      ? "for %.2f ms no CPU of the machine ran, though their ticks were due"
                      : "for %.2f ms its CPU left no sign of life, though its ticks were due",
                  (double)ns / 1e6);
}

/* How much before the end of the silence the halt may have ended: behind it the thread computes no
 * more than usual. */
static uint64_t before_end(const struct tac_case *c)
{
    double usual = c->nominal->ns[TAC_ACCOUNT_OWN];
    return WITNESS_NS + (usual < USUAL_MAX_NS ? (uint64_t)usual : USUAL_MAX_NS);
}

/* No witness but the grid. A halt begins after the thread's last sign, and the thread has computed
 * for as long as usual besides. */
static void check_expected(struct tac_case *c)
{
    uint64_t from, to, own = c->open_ns[TAC_ACCOUNT_OWN], end = 0;
    if (tac_case_may_be_halted(c, &from, &to)) {
        uint64_t least = to - from > before_end(c) ? to - before_end(c) : from;
        end = tac_halts_expected(c->diagnosis->halts, least, to + WITNESS_NS);
    }
    if (end > to)
        end = to;
    if (end && (end - from) * 2 > own)
        tac_claim(c, TAC_ACCOUNT_OWN, end - from, 0.8,
                  "nothing was seen of it for %.2f ms, up to when the host ends its halts here "
                  "(each 100 ms)",
                  (double)(end - from) / 1e6);
}

static bool is_still(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_STILL;
}

static bool is_halting(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_HALTING;
}

static void check(struct tac_case *c)
{
    check_expected(c);
    if (c->has & TAC_HAS_SCHED && tac_evidence_is_virtual(c->capture)) {
        check_late_timer(c);
        check_ready(c);
    }
    if (!c->open_ns[TAC_ACCOUNT_HYPERVISOR])
        return;
    const struct tac_sight *still, *halting;
    uint64_t halted = tac_case_sum(c, TAC_ACCOUNT_HYPERVISOR, is_still, &still);
    uint64_t before = tac_case_sum(c, TAC_ACCOUNT_HYPERVISOR, is_halting, &halting);
    bool grid = on_grid(c);
    if (still)
        claim_still(c, still, halted, grid);
    if (halting)
        tac_claim(c, TAC_ACCOUNT_HYPERVISOR, before, 0.8,
                  "the tick of its CPU came late, although it had it, and the halt may have begun "
                  "%.2f ms before that was due",
                  (double)before / 1e6);
    uint64_t ns = c->open_ns[TAC_ACCOUNT_HYPERVISOR];
    tac_claim(c, TAC_ACCOUNT_HYPERVISOR, ns, grid ? 0.99 : 0.85,
              "for %.2f ms the virtual CPU was not run by the host%s", (double)ns / 1e6,
              grid ? "; such stalls end on a 100 ms grid" : "");
}

TAC_RULE(hypervisor) = {
    .name = "hypervisor",
    .title = "the virtual machine was not run",
    .means = "The host ran something else on this CPU. The program did not sleep, was not "
             "pre-empted, and was not charged for the time.",
    .advice = "Not your program. Run on real hardware, or give the virtual machine a larger CPU "
              "quota or a core of its own.",
    .needs = TAC_HAS_CLOCK,
    .blame = TAC_BLAME_MACHINE,
    .check = check,
};
