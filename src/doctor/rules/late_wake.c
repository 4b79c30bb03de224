/* SPDX-License-Identifier: MIT
 * late_wake.c - released, not yet begun, and asleep as far as was seen: it was woken late.
 *
 * A thread that was ready before its deadline is pre-empted, not late: that time is on another
 * account. What is left is a timer, an interrupt or a waker that came late; or a timer that the
 * thread itself had set behind its release, as one does that sleeps for a time. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    uint64_t ns = c->open_ns[TAC_ACCOUNT_LATE_START];
    if (!ns)
        return;
    bool sched = c->has & TAC_HAS_SCHED;
    struct tac_timed_wake timed = tac_case_late_timer(c, 0);
    if (sched && timed.wake && timed.is_timer && tac_case_falls_behind(c)) {
        tac_claim(
            c, TAC_ACCOUNT_LATE_START, ns, 0.85,
            "began %.0f us after it could have, and so did the cycles before: it sleeps for a "
            "time and falls behind, where a sleep until a time would keep the pace",
            (double)(c->cycle->begin_ns - c->layout->release_ns) / 1e3);
        return;
    }
    if (sched && timed.wake && tac_timed_wake_is_wanted(c, timed)) {
        tac_claim(c, TAC_ACCOUNT_LATE_START, ns, 0.8,
                  "went to sleep %.0f us after it could have begun, and its timer woke it %.0f us "
                  "later: a sleep for a time, where one until a time would keep the pace",
                  (double)(timed.sleep->from_ns - c->layout->release_ns) / 1e3,
                  (double)(timed.wake->from_ns - timed.sleep->from_ns) / 1e3);
        return;
    }
    tac_claim(c, TAC_ACCOUNT_LATE_START, ns, sched ? 0.8 : 0.6,
              "began %.0f us after it could have%s",
              (double)(c->cycle->begin_ns - c->layout->release_ns) / 1e3,
              sched ? ": its wake-up came late"
                    : "; woken late or kept from its CPU, which one was not recorded");
}

TAC_RULE(late_wake) = {
    .name = "late_wake",
    .title = "a late start",
    .means = "The cycle began late: the timer, the device or the thread that wakes it was late, or "
             "(without system-wide evidence) something kept it from its CPU; or it sleeps for a "
             "time, and so falls behind.",
    .advice = "If it was not recorded who ran, record with privilege to see that. In a virtual "
              "machine the host may have stalled it. Check the power "
              "settings (/dev/cpu_dma_latency, governor) and that the thread is SCHED_FIFO. Sleep "
              "until a time (clock_nanosleep with TIMER_ABSTIME), not for one.",
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
