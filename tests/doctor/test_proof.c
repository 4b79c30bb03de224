/* SPDX-License-Identifier: MIT
 * test_proof.c - when a change counts as a cure: counts made by hand. */
#include "doctor/proof.h"
#include "doctor/rule.h"

#include "test.h"

static struct tac_proof proof;

static unsigned rule_of(const char *name)
{
    unsigned i = 0;
    while (strcmp(tac_rules[i]->name, name) != 0)
        i++;
    return i;
}

/* Three runs of 1000 cycles on each side with so many misses of a rule. */
static void put(const char *rule, const size_t before[3], const size_t after[3])
{
    unsigned r = rule_of(rule);
    proof.runs = 3;
    proof.setting = "the change";
    for (int i = 0; i < 3; i++) {
        proof.before[i].judged = proof.after[i].judged = 1000;
        proof.before[i].roots[r] = before[i];
        proof.after[i].roots[r] = after[i];
        proof.before[i].missed += before[i];
        proof.after[i].missed += after[i];
        proof.before[i].lost_ns[r] = before[i] * 1000000;
        proof.after[i].lost_ns[r] = after[i] * 1000000;
    }
}

static enum tac_proof_result judge(int *ret_other)
{
    return tac_proof_judge(&proof, tac_proof_cause(&proof), ret_other);
}

#define PUT(rule, a, b, c, d, e, f) put(rule, (size_t[]){a, b, c}, (size_t[]){d, e, f})

static void cured_when_all_fell_tenfold(void)
{
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 60, 1, 0, 2);
    PUT("own_work", 3, 2, 4, 3, 3, 2);
    CHECK(judge(NULL) == TAC_PROOF_CURED);
    CHECK(tac_proof_cause(&proof) == (int)rule_of("heap_lock"));
}

static void not_cured_when_it_only_halved(void)
{
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 60, 20, 25, 30);
    CHECK(judge(NULL) == TAC_PROOF_NOT_CURED);
}

static void not_proved_when_a_single_run_overlaps(void)
{
    proof = (struct tac_proof){0};
    PUT("heap_lock", 100, 100, 2, 0, 0, 2);
    CHECK(judge(NULL) == TAC_PROOF_OVERLAP);
}

static void not_proved_by_three_misses(void)
{
    proof = (struct tac_proof){0};
    PUT("heap_lock", 1, 1, 1, 0, 0, 0);
    CHECK(judge(NULL) == TAC_PROOF_OVERLAP);
}

static void no_cure_when_another_cause_grew(void)
{
    int other;
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 60, 0, 0, 0);
    PUT("fault_minor", 0, 1, 0, 30, 20, 25);
    CHECK(judge(&other) == TAC_PROOF_OTHERS_GREW);
    CHECK(other == (int)rule_of("fault_minor"));
}

static void the_machine_may_grow_and_is_never_the_cause(void)
{
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 60, 0, 0, 0);
    PUT("hypervisor", 100, 100, 100, 400, 300, 200);
    CHECK(judge(NULL) == TAC_PROOF_CURED);
    proof = (struct tac_proof){0};
    PUT("hypervisor", 100, 100, 100, 0, 0, 0);
    CHECK(judge(NULL) == TAC_PROOF_NOTHING);
}

static void what_is_not_explained_may_not_grow_and_is_never_the_cause(void)
{
    int other;
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 60, 0, 0, 0);
    PUT("unexplained", 0, 1, 0, 30, 20, 25);
    CHECK(judge(&other) == TAC_PROOF_OTHERS_GREW && other == (int)rule_of("unexplained"));
    proof = (struct tac_proof){0};
    PUT("unexplained", 100, 100, 100, 0, 0, 0);
    CHECK(judge(NULL) == TAC_PROOF_NOTHING);
}

static void nothing_to_prove_without_misses(void)
{
    proof = (struct tac_proof){.runs = 3, .setting = "the change"};
    CHECK(judge(NULL) == TAC_PROOF_NOTHING);
}

static void reports_say_it(void)
{
    struct tac_text text = {0};
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 60, 1, 0, 2);
    tac_proof_text(&proof, &text);
    CHECK_MSG(strstr(tac_text_string(&text), "Cured by the change"), "%s", tac_text_string(&text));
    tac_text_fini(&text);
    tac_proof_json(&proof, &text);
    CHECK(strstr(tac_text_string(&text), "\"result\":\"cured\",\"cause\":\"heap_lock\""));
    tac_text_fini(&text);
}

static void a_run_with_under_half_of_the_cycles_is_left_out(void)
{
    struct tac_text text = {0};
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 0, 1, 0, 2);
    CHECK(judge(NULL) == TAC_PROOF_OVERLAP); /* a run without a miss before */
    proof.before[2].judged = 400;
    proof.before[2].status = 139;
    CHECK(judge(NULL) == TAC_PROOF_CURED); /* which ended early, so it is no proof */
    tac_proof_text(&proof, &text);
    const char *said = tac_text_string(&text);
    CHECK_MSG(strstr(said, "Left out: run 3 without the change had 400 cycles, where 1000 are "
                           "usual; it ended with status 139"),
              "%s", said);
    CHECK(strstr(said, "--seconds"));
    tac_text_fini(&text);
    tac_proof_json(&proof, &text);
    CHECK(strstr(tac_text_string(&text), "\"left_out\":[{\"with_change\":false,\"run\":3,"
                                         "\"cycles\":400,\"status\":139}]"));
    tac_text_fini(&text);
    proof.before[2].judged = 500;
    CHECK(judge(NULL) == TAC_PROOF_OVERLAP);
}

static void nothing_is_proved_by_a_side_without_runs(void)
{
    struct tac_text text = {0};
    proof = (struct tac_proof){0};
    PUT("heap_lock", 40, 50, 60, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        proof.after[i].judged = 10;
    CHECK(judge(NULL) == TAC_PROOF_TOO_SHORT);
    tac_proof_text(&proof, &text);
    CHECK_MSG(strstr(tac_text_string(&text), "Not proved: no run with the change"), "%s",
              tac_text_string(&text));
    tac_text_fini(&text);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(cured_when_all_fell_tenfold);
    TEST(not_cured_when_it_only_halved);
    TEST(not_proved_when_a_single_run_overlaps);
    TEST(not_proved_by_three_misses);
    TEST(no_cure_when_another_cause_grew);
    TEST(the_machine_may_grow_and_is_never_the_cause);
    TEST(what_is_not_explained_may_not_grow_and_is_never_the_cause);
    TEST(nothing_to_prove_without_misses);
    TEST(reports_say_it);
    TEST(a_run_with_under_half_of_the_cycles_is_left_out);
    TEST(nothing_is_proved_by_a_side_without_runs);
    return test_end();
}
