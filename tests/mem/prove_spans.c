/* SPDX-License-Identifier: MIT
 * prove_spans.c - the index arithmetic of the span layer as functions of its own, for
 * prove_spans.py, which translates them as clang compiles them. Nothing runs this. */
#include "mem/spans_word.h"

uint64_t prove_mask(unsigned start, unsigned n);
uint64_t prove_mask(unsigned start, unsigned n)
{
    return tac_bitrun_mask(start, n);
}

uint64_t prove_starts(uint64_t x, unsigned n);
uint64_t prove_starts(uint64_t x, unsigned n)
{
    return tac_bitrun_starts(x, n);
}

unsigned prove_longest(uint64_t x);
unsigned prove_longest(uint64_t x)
{
    return tac_bitrun_longest(x);
}

uint64_t prove_multiples(unsigned step, unsigned first);
uint64_t prove_multiples(unsigned step, unsigned first)
{
    return tac_span_multiples(step, first);
}

uint64_t prove_round(uint64_t n);
uint64_t prove_round(uint64_t n)
{
    return tac_spans_round(n);
}

uint64_t prove_grown(uint64_t from, uint64_t end);
uint64_t prove_grown(uint64_t from, uint64_t end)
{
    return tac_spans_grown(from, end);
}

/* Where a node lies behind the first, in bytes. */
uint64_t prove_node(char *nodes, unsigned depth, unsigned d, unsigned i);
uint64_t prove_node(char *nodes, unsigned depth, unsigned d, unsigned i)
{
    return (uint64_t)((char *)tac_hint_at(nodes, depth, d, tac_hint_offset(depth, d, i)) - nodes);
}

unsigned prove_first(unsigned depth, unsigned d);
unsigned prove_first(unsigned depth, unsigned d)
{
    return tac_hints_first(depth, d);
}
