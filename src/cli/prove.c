/* SPDX-License-Identifier: MIT
 * prove.c - see prove.h. Recordings live in a temporary folder and are dropped run by run. */
#include "cli/prove.h"

#include "cli/cmd.h"
#include "cli/runs.h"
#include "cli/watching.h"
#include "doctor/proof.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct tac_setting plain = {
    .name = "plain", .title = "as it is", .heap = "system", .watch = ""};

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
    char worst[16];
    FILE *out = p->json ? stderr : stdout;
    fprintf(out, "%-26s %zu of %zu deadlines missed", setting->title, run->missed, run->judged);
    if (run->missed)
        fprintf(out, ", the worst by %s",
                tac_text_duration((double)run->worst_ns, worst, sizeof worst));
    fprintf(out, "\n");
    fflush(out);
    return 0;
}

static int conclude(const struct tac_prove *p, const struct tac_proof *proof)
{
    struct tac_text text = {0};
    if (p->json)
        tac_proof_json(proof, &text);
    else
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

int tac_prove(const struct tac_prove *p)
{
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
    for (unsigned round = 0; round < p->rounds && r == 0; round++) {
        r = one(p, &plain, folder, round == 0, &proof->before[round]);
        r = r ? r : one(p, &p->setting, folder, false, &proof->after[round]);
    }
    if (r == 0) {
        proof->setting = p->setting.title;
        proof->runs = p->rounds;
        r = conclude(p, proof);
    }
    free(proof);
    rmdir(folder);
    return r;
}
