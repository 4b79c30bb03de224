/* SPDX-License-Identifier: MIT
 * test_blocks.c - what every block in every variant must keep, by its descriptor alone.
 *
 * Nothing here knows a block: a new one is tested by standing in the word list. */
#include "dsp/block.h"

#include "rig.h"
#include "test.h"

#include <sys/resource.h>

#define EACH_BLOCK(variant, index)                                                                 \
    for (uint32_t v_ = 0; tac_blocks_variant(v_); v_++)                                            \
        for (uint32_t index = 0; index < tac_blocks_count(); index++)                              \
            for (const struct tac_variant *variant = tac_blocks_variant(v_), *once_ = variant;     \
                 once_; once_ = NULL)

enum { HOLD = 128 };

static void descriptors_are_complete(void)
{
    EACH_BLOCK(variant, index)
    {
        const struct tac_block *b = variant->blocks[index];
        CHECK_MSG(b->name && b->group && b->doc && b->process, "%s", b->name);
        CHECK_MSG(tac_blocks_find(b->name) == (int)index, "%s", b->name);
        CHECK_MSG(b->out[0].name, "%s has no output", b->name);
        for (int i = 0; b->in[i].name; i++)
            CHECK_MSG(b->in[i].doc, "%s.%s", b->name, b->in[i].name);
        for (int i = 0; b->param[i].name; i++) {
            const struct tac_param *p = &b->param[i];
            CHECK_MSG(p->doc && p->min < p->max, "%s.%s", b->name, p->name);
            CHECK_MSG(p->fallback >= p->min && p->fallback <= p->max, "%s.%s", b->name, p->name);
            CHECK_MSG(p->curve != TAC_CURVE_LOG || p->min > 0, "%s.%s", b->name, p->name);
        }
    }
}

static void splits_give_the_same_bits(void)
{
    static const uint32_t sizes[] = {1, 7, 64, 333};
    EACH_BLOCK(variant, index)
    {
        for (int moving = 0; moving < 2; moving++) {
            static struct rig whole, cut;
            rig_open(&whole, variant, index, moving, 5);
            rig_process(&whole, 0, RIG_FRAMES);
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                rig_open(&cut, variant, index, moving, 5);
                for (uint32_t f = 0; f < RIG_FRAMES; f += sizes[s])
                    rig_process(&cut, f, RIG_FRAMES - f < sizes[s] ? RIG_FRAMES - f : sizes[s]);
                uint32_t frame = 0;
                CHECK_MSG(cut.block->blockwise || rig_same(&whole, &cut, &frame),
                          "%s %s, calls of %u frames%s: differs at frame %u", cut.block->name,
                          variant->name, sizes[s], moving ? ", moving" : "", frame);
                rig_close(&cut);
            }
            rig_close(&whole);
        }
    }
}

/* Values that stand still for HOLD frames. */
static void hold_params(struct rig *r)
{
    for (uint32_t p = 0; p < r->params; p++)
        for (uint32_t f = 0; f < RIG_FRAMES; f++)
            memcpy(r->param[p] + (size_t)f * r->lanes,
                   r->param[p] + (size_t)(f - f % HOLD) * r->lanes, r->lanes * sizeof(float));
}

/* Where a value stands still within a call that it has moved in, or moves in later, is a matter of
 * how long calls are. */
static void values_that_stand_still_give_the_same_bits_however_they_come(void)
{
    EACH_BLOCK(variant, index)
    {
        static struct rig moving, still;
        uint32_t frame = 0;
        rig_open(&moving, variant, index, true, 5);
        rig_open(&still, variant, index, true, 5);
        hold_params(&moving);
        hold_params(&still);
        rig_process(&moving, 0, RIG_FRAMES);
        for (uint32_t f = 0; f < RIG_FRAMES; f += HOLD) {
            struct tac_io io = rig_io(&still, f, HOLD);
            for (uint32_t p = 0; p < still.params; p++)
                io.param[p].stride = 0;
            still.block->process(still.state, &io);
        }
        CHECK_MSG(moving.block->blockwise || rig_same(&moving, &still, &frame),
                  "%s %s: differs at frame %u", moving.block->name, variant->name, frame);
        rig_close(&moving);
        rig_close(&still);
    }
}

/* Signals of voices step somewhere within a call or at its edge: by the length of calls alone. */
static void steps_give_the_same_bits_wherever_calls_begin(void)
{
    static const uint32_t sizes[] = {64, 16, 1};
    EACH_BLOCK(variant, index)
    {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            static struct rig whole, cut;
            rig_open_steps(&whole, variant, index, seed);
            rig_process(&whole, 0, RIG_FRAMES);
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                uint32_t frame = 0;
                rig_open_steps(&cut, variant, index, seed);
                rig_process_steps(&cut, sizes[s]);
                CHECK_MSG(cut.block->blockwise || rig_same(&whole, &cut, &frame),
                          "%s %s, calls of %u frames: differs at frame %u", cut.block->name,
                          variant->name, sizes[s], frame);
                rig_close(&cut);
            }
            rig_close(&whole);
        }
    }
}

static void check_pair(const struct tac_variant *variant, uint32_t index, int first_moves,
                       int second_moves, bool unheard)
{
    static struct rig one[2], two[2];
    for (int k = 0; k < 2; k++) {
        bool moving = k ? second_moves : first_moves;
        rig_open(&one[k], variant, index, moving, 5 + (uint64_t)k);
        rig_open(&two[k], variant, index, moving, 5 + (uint64_t)k);
        one[k].unheard = two[k].unheard = unheard;
        rig_process(&one[k], 0, RIG_FRAMES);
    }
    for (uint32_t f = 0; f < RIG_FRAMES; f += 64)
        rig_process2(&two[0], &two[1], f, 64);
    for (int k = 0; k < 2; k++) {
        uint32_t frame = 0;
        CHECK_MSG(rig_same(&one[k], &two[k], &frame), "%s %s bank %d: differs at frame %u",
                  one[k].block->name, variant->name, k, frame);
        rig_close(&one[k]);
        rig_close(&two[k]);
    }
}

static void two_banks_at_once_give_the_same_bits(void)
{
    EACH_BLOCK(variant, index)
    {
        for (int way = 0; way < 8 && variant->blocks[index]->process2; way++)
            check_pair(variant, index, way & 1, way >> 1 & 1, way >> 2);
    }
}

static void an_output_without_listener_changes_nothing(void)
{
    EACH_BLOCK(variant, index)
    {
        static struct rig heard, unheard;
        uint32_t frame = 0;
        rig_open(&heard, variant, index, true, 6);
        rig_open(&unheard, variant, index, true, 6);
        unheard.unheard = true;
        rig_process(&heard, 0, RIG_FRAMES);
        rig_process(&unheard, 0, RIG_FRAMES);
        CHECK_MSG(rig_same(&heard, &unheard, &frame), "%s %s: differs at frame %u",
                  heard.block->name, variant->name, frame);
        rig_close(&heard);
        rig_close(&unheard);
    }
}

/* A parameter that is the same in all lanes comes with a line (block.h): the same bits, alone and
 * for two banks. The line lies behind all frames. */
static struct tac_io with_line(struct rig *r, uint32_t first)
{
    struct tac_io io = rig_io(r, first, 64);
    io.param[r->alone - 1].line = ((RIG_FRAMES - first) * r->lanes + first) & 0x7fffffff;
    return io;
}

static void check_line(const struct tac_variant *variant, uint32_t index, uint32_t alone)
{
    static struct rig plain[2], line[2];
    uint32_t frame = 0;
    for (int pair = 0; pair < (variant->blocks[index]->process2 ? 2 : 1); pair++) {
        for (int k = 0; k < 2; k++) {
            rig_open_alone(&plain[k], variant, index, true, alone, 5);
            rig_open_alone(&line[k], variant, index, true, alone, 5);
            plain[k].unheard = line[k].unheard = true;
            rig_process(&plain[k], 0, RIG_FRAMES);
        }
        for (uint32_t f = 0; f < RIG_FRAMES; f += 64) {
            struct tac_io io[2] = {with_line(&line[0], f), with_line(&line[1], f)};
            void *states[2] = {line[0].state, line[1].state};
            io[1].param[alone - 1] = io[0].param[alone - 1];
            if (pair)
                line[0].block->process2(states, io);
            else
                line[0].block->process(states[0], io);
        }
        for (int k = 0; k <= pair; k++)
            CHECK_MSG(rig_same(&plain[k], &line[k], &frame), "%s %s %s: differs at frame %u",
                      plain[k].block->name, plain[k].block->param[alone - 1].name, variant->name,
                      frame);
        for (int k = 0; k < 2; k++) {
            rig_close(&plain[k]);
            rig_close(&line[k]);
        }
    }
}

static void a_line_gives_the_same_bits(void)
{
    EACH_BLOCK(variant, index)
    {
        for (uint32_t p = 0; variant->lanes > 1 && variant->blocks[index]->param[p].name; p++)
            check_line(variant, index, p + 1);
    }
}

/* Signals that stand still for a few calls: their rows, and which they are, as bits. */
struct still {
    _Alignas(64) float row[TAC_BLOCK_PARAMS_MAX][TAC_BLOCK_LANES_MAX];
    uint32_t inputs, params;
    uint64_t count, seed;
};

/* Others stand still, with other values, or those that did move. The lanes are alike or not. */
static void change(struct still *s, const struct rig *r)
{
    s->count++;
    s->inputs = (uint32_t)(rig_random(&s->seed) * 16);
    s->params = r->alone ? ~(1u << (r->alone - 1)) : (uint32_t)(rig_random(&s->seed) * 65536);
    bool alike = rig_random(&s->seed) < 0.7;
    for (uint32_t p = 0; p < r->params; p++)
        for (uint32_t l = 0; l < r->lanes; l++)
            s->row[p][l] =
                l && alike ? s->row[p][0] : rig_value(&r->block->param[p], rig_random(&s->seed));
}

static struct tac_io still_io(struct rig *r, const struct still *s, uint32_t first, uint32_t frames)
{
    struct tac_io io = rig_io(r, first, frames);
    for (uint32_t i = 0; i < r->ins; i++)
        if (s->inputs >> i & 1) /* held since the last change */
            io.in[i] = (struct tac_signal){r->in[i] + s->count % 8 * r->lanes, 0, 1, 0};
    for (uint32_t p = 0; p < r->params; p++)
        if (s->params >> p & 1)
            io.param[p] = (struct tac_signal){s->row[p], 0, 1, 0};
    if (r->alone)
        io.param[r->alone - 1].line = ((RIG_FRAMES - first) * r->lanes + first) & 0x7fffffff;
    return io;
}

/* Two banks with the count, alone or together, and two without. */
static void check_count(const struct tac_variant *variant, uint32_t index, uint32_t alone)
{
    enum { STEP = 16, HELD = 5 };
    static struct rig plain[2], counted[2];
    static struct still still;
    uint32_t frame = 0;
    bool pair = variant->blocks[index]->process2;
    memset(&still, 0, sizeof still);
    for (int k = 0; k < 2; k++) {
        rig_open_alone(&plain[k], variant, index, true, alone, 5);
        rig_open_alone(&counted[k], variant, index, true, alone, 5);
        plain[k].unheard = counted[k].unheard = alone;
    }
    for (uint32_t f = 0; f < RIG_FRAMES; f += STEP) {
        if (f / STEP % HELD == 0)
            change(&still, &plain[0]);
        struct tac_io io[2];
        void *states[2] = {counted[0].state, counted[1].state};
        for (int k = 0; k < 2; k++) {
            io[k] = still_io(&plain[k], &still, f, STEP);
            if (alone && k)
                io[1].param[alone - 1] = io[0].param[alone - 1];
            plain[k].block->process(plain[k].state, &io[k]);
            for (uint32_t o = 0; o < counted[k].outs; o++)
                if (io[k].out[o])
                    io[k].out[o] = counted[k].out[o] + (size_t)f * counted[k].lanes;
            io[k].still = &still.count;
        }
        for (int k = 0; k < 2 && (!pair || f % 3 == 0); k++)
            counted[k].block->process(counted[k].state, &io[k]);
        if (pair && f % 3)
            counted[0].block->process2(states, io);
    }
    for (int k = 0; k < 2; k++) {
        CHECK_MSG(rig_same(&plain[k], &counted[k], &frame),
                  "%s %s bank %d, alone %u: differs at frame %u", plain[k].block->name,
                  variant->name, k, alone, frame);
        rig_close(&plain[k]);
        rig_close(&counted[k]);
    }
}

static void a_count_of_what_stands_still_changes_nothing(void)
{
    EACH_BLOCK(variant, index)
    {
        check_count(variant, index, 0);
        for (uint32_t p = 0; variant->lanes > 1 && variant->blocks[index]->param[p].name; p++)
            check_count(variant, index, p + 1);
    }
}

/* The state in another place, of which only what lives was brought along. */
static void move_state(struct rig *r)
{
    uint32_t live = r->block->live(r->state);
    CHECK_MSG(live <= r->block->state_bytes, "%s", r->block->name);
    unsigned char *moved = rig_zeroed(r->block->state_bytes);
    memset(moved, 0xff, r->block->state_bytes);
    memcpy(moved, r->state, live);
    r->block->forget(moved);
    free(r->state);
    r->state = moved;
}

static void check_forgetting(const struct tac_variant *variant, uint32_t index, uint32_t alone,
                             uint32_t way)
{
    enum { STEP = 16, HELD = 7, MOVES = 3 };
    static struct rig stays, moves;
    static struct still still;
    uint32_t frame = 0;
    memset(&still, 0, sizeof still);
    rig_open_way(&stays, variant, index, true, alone, way, 5);
    rig_open_way(&moves, variant, index, true, alone, way, 5);
    stays.unheard = moves.unheard = alone;
    for (uint32_t f = 0; f < RIG_FRAMES; f += STEP) {
        if (f / STEP % HELD == 0)
            change(&still, &stays);
        struct tac_io io = still_io(&stays, &still, f, STEP);
        io.still = &still.count;
        stays.block->process(stays.state, &io);
        for (uint32_t o = 0; o < moves.outs; o++)
            if (io.out[o])
                io.out[o] = moves.out[o] + (size_t)f * moves.lanes;
        moves.block->process(moves.state, &io);
        if (f / STEP % MOVES == 2)
            move_state(&moves);
    }
    CHECK_MSG(rig_same(&stays, &moves, &frame), "%s %s, alone %u, options %u: differs at frame %u",
              stays.block->name, variant->name, alone, way, frame);
    rig_close(&stays);
    rig_close(&moves);
}

static void a_state_goes_on_from_what_lives_of_it(void)
{
    EACH_BLOCK(variant, index)
    {
        const struct tac_block *b = variant->blocks[index];
        CHECK(!b->live == !b->forget);
        for (uint32_t p = 0; b->live && (!p || (variant->lanes > 1 && b->param[p - 1].name)); p++)
            for (uint32_t way = 0; way < rig_ways(b); way++)
                check_forgetting(variant, index, p, way);
    }
}

static void what_is_added_is_what_would_be_written(void)
{
    EACH_BLOCK(variant, index)
    {
        for (int moving = 0; moving < 2 && variant->blocks[index]->adds; moving++) {
            static struct rig plain, adding;
            uint32_t frame = 0;
            uint64_t seed = 3;
            rig_open(&plain, variant, index, moving, 5);
            rig_open(&adding, variant, index, moving, 5);
            adding.adding = true;
            rig_process(&plain, 0, RIG_FRAMES);
            for (uint32_t o = 0; o < plain.outs; o++)
                for (size_t i = 0; i < (size_t)RIG_FRAMES * plain.lanes; i++) {
                    adding.out[o][i] = (float)rig_random(&seed);
                    plain.out[o][i] = adding.out[o][i] + plain.out[o][i];
                }
            for (uint32_t f = 0; f < RIG_FRAMES; f += 64)
                rig_process(&adding, f, 64);
            CHECK_MSG(rig_same(&plain, &adding, &frame), "%s %s: differs at frame %u",
                      plain.block->name, variant->name, frame);
            rig_close(&plain);
            rig_close(&adding);
        }
    }
}

/* Outputs of both rigs in the buffers of the first, in which something lies already. */
static void share_outputs(struct rig rig[2])
{
    uint64_t seed = 4;
    for (uint32_t o = 0; o < rig[0].outs; o++) {
        free(rig[1].out[o]);
        rig[1].out[o] = rig[0].out[o];
        for (size_t i = 0; i < (size_t)RIG_FRAMES * rig[0].lanes; i++)
            rig[0].out[o][i] = (float)rig_random(&seed);
    }
}

static void check_sum(const struct tac_variant *variant, uint32_t index, bool begins, bool moving)
{
    static struct rig one[2], two[2];
    uint32_t frame = 0;
    for (int k = 0; k < 2; k++) {
        rig_open(&one[k], variant, index, moving, 5 + (uint64_t)k);
        rig_open(&two[k], variant, index, moving, 5 + (uint64_t)k);
        one[k].adding = two[k].adding = k || !begins;
    }
    share_outputs(one);
    share_outputs(two);
    for (uint32_t f = 0; f < RIG_FRAMES; f += 64) {
        rig_process(&one[0], f, 64);
        rig_process(&one[1], f, 64);
        rig_process2(&two[0], &two[1], f, 64);
    }
    CHECK_MSG(rig_same(&one[0], &two[0], &frame), "%s %s: differs at frame %u", one[0].block->name,
              variant->name, frame);
    memset(one[1].out, 0, sizeof one[1].out);
    memset(two[1].out, 0, sizeof two[1].out);
    for (int k = 0; k < 2; k++) {
        rig_close(&one[k]);
        rig_close(&two[k]);
    }
}

/* The second bank adds to what the first has left, or begun. */
static void two_banks_may_add_to_one_sum(void)
{
    EACH_BLOCK(variant, index)
    {
        const struct tac_block *b = variant->blocks[index];
        for (int way = 0; way < 4 && b->adds && b->process2; way++)
            check_sum(variant, index, way & 1, way >> 1);
    }
}

static void scales_are_what_process_multiplies_by(void)
{
    EACH_BLOCK(variant, index)
    {
        static struct rig r;
        float factor[TAC_BLOCK_LANES_MAX];
        const struct tac_block *b = variant->blocks[index];
        if (!b->scale)
            continue;
        rig_open(&r, variant, index, false, 5);
        struct tac_io io = rig_io(&r, 0, RIG_FRAMES);
        CHECK_MSG(!b->scale(&io, factor), "%s: its other inputs move", b->name);
        for (uint32_t i = 1; i < r.ins; i++)
            io.in[i] = (struct tac_signal){r.in[i], 0, 0, 0};
        for (uint32_t p = 0; p < r.params; p++)
            for (uint32_t l = 0; l < r.lanes; l++)
                r.param[p][l] = b->param[p].fallback - 3;
        b->process(r.state, &io);
        if (CHECK_MSG(b->scale(&io, factor), "%s", b->name))
            for (size_t i = 0; i < (size_t)RIG_FRAMES * r.lanes; i++)
                r.in[0][i] *= factor[i % r.lanes];
        CHECK_MSG(!memcmp(r.in[0], r.out[0], (size_t)RIG_FRAMES * r.lanes * sizeof(float)), "%s %s",
                  b->name, variant->name);
        rig_close(&r);
    }
}

static void check_silence(const struct tac_variant *variant, uint32_t index, uint32_t input)
{
    static struct rig r;
    rig_open(&r, variant, index, true, 11);
    size_t floats = (size_t)RIG_FRAMES * r.lanes;
    memset(r.in[input], 0, floats * sizeof(float));
    rig_process(&r, 0, RIG_FRAMES);
    for (uint32_t o = 0; o < r.outs; o++) {
        size_t at = 0;
        while (at < floats && r.out[o][at] == 0)
            at++;
        CHECK_MSG(at == floats, "%s %s: sounds with silence on %s", r.block->name, variant->name,
                  r.block->in[input].name);
    }
    CHECK_MSG(!r.block->at_rest || r.block->at_rest(r.state), "%s does not stay at rest",
              r.block->name);
    rig_close(&r);
}

static void what_silences_a_block_does_so(void)
{
    EACH_BLOCK(variant, index)
    {
        uint32_t inputs = variant->blocks[index]->silent_by;
        for (uint32_t i = 0; inputs >> i; i++)
            if (inputs >> i & 1)
                check_silence(variant, index, i);
    }
}

static void outputs_stay_finite_on_any_path(void)
{
    EACH_BLOCK(variant, index)
    {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            static struct rig r;
            rig_open(&r, variant, index, true, seed);
            for (int again = 0; again < 4; again++)
                rig_process(&r, 0, RIG_FRAMES);
            for (uint32_t o = 0; o < r.outs; o++)
                for (size_t i = 0; i < (size_t)RIG_FRAMES * r.lanes; i++)
                    if (!CHECK_MSG(isfinite(r.out[o][i]), "%s %s output %u frame %zu",
                                   r.block->name, variant->name, o, i / r.lanes))
                        i = (size_t)RIG_FRAMES * r.lanes;
            rig_close(&r);
        }
    }
}

/* Lane 0 of a wide variant hears what the one-lane variant hears. */
static void wide_variants_agree_with_one_lane(void)
{
    for (uint32_t v = 1; tac_blocks_variant(v); v++) {
        const struct tac_variant *wide = tac_blocks_variant(v);
        for (uint32_t index = 0; index < tac_blocks_count(); index++) {
            static struct rig a, b;
            rig_open(&a, tac_blocks_variant(0), index, false, 9);
            rig_open(&b, wide, index, false, 9);
            for (uint32_t i = 0; i < a.ins; i++)
                for (size_t f = 0; f < RIG_FRAMES; f++)
                    for (uint32_t l = 0; l < b.lanes; l++)
                        b.in[i][f * b.lanes + l] = a.in[i][f];
            rig_process(&a, 0, RIG_FRAMES);
            rig_process(&b, 0, RIG_FRAMES);
            double error = 0, power = 0;
            for (uint32_t o = 0; o < a.outs; o++)
                for (size_t f = 0; f < RIG_FRAMES; f++) {
                    double d = (double)a.out[o][f] - (double)b.out[o][f * b.lanes];
                    error += d * d;
                    power += (double)a.out[o][f] * (double)a.out[o][f];
                }
            CHECK_MSG(error <= 1e-9 * power, "%s %s: %.1f dB", a.block->name, wide->name,
                      10 * log10(error / power));
            rig_close(&a);
            rig_close(&b);
        }
    }
}

static long thread_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

static void later_calls_do_not_fault(void)
{
    if (TAC_SANITIZED || test_emulated())
        SKIP("a sanitizer or an emulator faults by itself");
    EACH_BLOCK(variant, index)
    {
        static struct rig r;
        rig_open(&r, variant, index, true, 3);
        rig_process(&r, 0, RIG_FRAMES);
        long before = thread_faults();
        rig_process(&r, 0, RIG_FRAMES);
        CHECK_MSG(thread_faults() == before, "%s %s", r.block->name, variant->name);
        rig_close(&r);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(descriptors_are_complete);
    TEST(splits_give_the_same_bits);
    TEST(values_that_stand_still_give_the_same_bits_however_they_come);
    TEST(steps_give_the_same_bits_wherever_calls_begin);
    TEST(two_banks_at_once_give_the_same_bits);
    TEST(an_output_without_listener_changes_nothing);
    TEST(a_line_gives_the_same_bits);
    TEST(a_count_of_what_stands_still_changes_nothing);
    TEST(a_state_goes_on_from_what_lives_of_it);
    TEST(what_is_added_is_what_would_be_written);
    TEST(two_banks_may_add_to_one_sum);
    TEST(scales_are_what_process_multiplies_by);
    TEST(what_silences_a_block_does_so);
    TEST(outputs_stay_finite_on_any_path);
    TEST(wide_variants_agree_with_one_lane);
    TEST(later_calls_do_not_fault);
    return test_end();
}
