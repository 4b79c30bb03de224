/* SPDX-License-Identifier: MIT
 * prove.c - see prove.h. Recordings live in a temporary folder and are dropped run by run. */
#include "cli/prove.h"

#include "cli/cmd.h"
#include "cli/forward.h"
#include "cli/runs.h"
#include "cli/watching.h"
#include "doctor/proof.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct tac_setting plain = {
    .name = "plain", .title = "as it is", .heap = "system", .watch = ""};

/* Signals between the runs; within them forward.h has them. */
static volatile sig_atomic_t stopped_by;
static const int stopping[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { STOPPING = sizeof stopping / sizeof *stopping };

static void on_stop(int number)
{
    stopped_by = number;
}

/* What was ignored from the start (nohup) stays so. */
static void catch_stops(struct sigaction before[STOPPING])
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    stopped_by = 0;
    for (int i = 0; i < STOPPING; i++)
        if (sigaction(stopping[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
            sigaction(stopping[i], &action, NULL);
}

static void leave_stops(const struct sigaction before[STOPPING])
{
    for (int i = 0; i < STOPPING; i++)
        sigaction(stopping[i], &before[i], NULL);
}

static int check_stop(void)
{
    return stopped_by ? tac_cmd_fail(128 + stopped_by, "stopped; nothing is said of so few runs")
                      : 0;
}

static int one(const struct tac_prove *p, const struct tac_setting *setting, const char *folder,
               bool is_first, struct tac_proof_run *run)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/recording", folder);
    struct tac_watching watching = {.argv = p->argv,
                                    .heap = setting->heap,
                                    .path = path,
                                    .setting = setting,
                                    .seconds = p->seconds};
    struct tac_error err = {0};
    struct tac_runs runs = {.count = 0};
    int status, r = tac_watching_run(&watching, &status, &err);
    if (tac_forward_last())
        stopped_by = tac_forward_last();
    if (stopped_by) {
        unlink(path);
        return check_stop();
    }
    if (r == 0)
        r = tac_runs_add(&runs, path, setting->title, &err);
    if (r == 0) {
        tac_proof_take(runs.diagnosis[0], run);
        run->status = status;
    }
    tac_runs_fini(&runs);
    unlink(path);
    if (r < 0)
        return tac_cmd_fail_error(&err);
    if (!run->judged && is_first)
        return tac_cmd_fail(TAC_EXIT_FAILED, "the program ran no cycle with a deadline");
    if (p->quiet)
        return check_stop();
    char worst[16];
    FILE *out = p->json ? stderr : stdout;
    fprintf(out, "%-26s %zu of %zu deadlines missed", setting->title, run->missed, run->judged);
    if (run->missed)
        fprintf(out, ", the worst by %s",
                tac_text_duration((double)run->worst_ns, worst, sizeof worst));
    fprintf(out, "\n");
    fflush(out);
    return check_stop();
}

static int conclude(const struct tac_prove *p, const struct tac_proof *proof)
{
    struct tac_text text = {0};
    if (p->json)
        tac_proof_json(proof, &text);
    else if (!p->quiet)
        tac_proof_text(proof, &text);
    int r = tac_text_write(&text, stdout);
    tac_text_fini(&text);
    if (r < 0)
        return tac_cmd_fail(TAC_EXIT_FAILED, "standard output: %s", tac_error_sentence(r));
    enum tac_proof_result result = tac_proof_judge(proof, tac_proof_cause(proof), NULL);
    return result == TAC_PROOF_CURED || result == TAC_PROOF_NOTHING ? TAC_EXIT_OK : TAC_EXIT_FOUND;
}

/* With a limit, locking what is there and what comes makes later allocations fail. */
static bool may_lock_memory(void)
{
    struct rlimit limit;
    return geteuid() == 0 ||
           (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY);
}

/* By trying: limits, capabilities and the budget of the cgroup all have a say. */
static bool may_have_priority(int priority)
{
    struct sched_param was, wanted = {.sched_priority = priority};
    int policy = sched_getscheduler(0);
    if (policy < 0 || sched_getparam(0, &was) || sched_setscheduler(0, SCHED_FIFO, &wanted))
        return false;
    return sched_setscheduler(0, policy, &was) == 0;
}

static int run_all(const struct tac_prove *p, const char *folder, struct tac_proof *proof)
{
    int r = 0;
    for (unsigned round = 0; round < p->rounds && r == 0; round++) {
        r = one(p, &plain, folder, round == 0, &proof->before[round]);
        r = r ? r : one(p, &p->setting, folder, false, &proof->after[round]);
    }
    return r;
}

int tac_prove(const struct tac_prove *p)
{
    if (p->setting.priority && !may_have_priority(p->setting.priority))
        return tac_cmd_fail(TAC_EXIT_FAILED,
                            "the real-time priority %d is not permitted here (ulimit -r); see "
                            "tactus doctor --setup",
                            p->setting.priority);
    if (strstr(p->setting.watch, "lock=1") && !may_lock_memory())
        return tac_cmd_fail(TAC_EXIT_FAILED, "the limit of locked memory (ulimit -l) is too low to "
                                             "try mlockall; see tactus doctor --setup");
    const char *base = getenv("TMPDIR");
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/tactus-prove-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder))
        return tac_cmd_fail(TAC_EXIT_FAILED, "%s: %s", folder, strerror(errno));
    struct tac_proof *proof = calloc(1, sizeof *proof);
    int r = proof ? 0 : tac_cmd_fail(TAC_EXIT_FAILED, "%s", tac_error_sentence(-ENOMEM));
    struct sigaction before[STOPPING];
    catch_stops(before);
    r = r ? r : run_all(p, folder, proof);
    leave_stops(before);
    if (r == 0) {
        proof->setting = p->setting.title;
        proof->runs = p->rounds;
        r = conclude(p, proof);
    }
    free(proof);
    rmdir(folder);
    return r;
}
