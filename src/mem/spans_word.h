/* SPDX-License-Identifier: MIT
 * spans_word.h - what the two halves of the span layer share. */
#ifndef TAC_MEM_SPANS_WORD_H
#define TAC_MEM_SPANS_WORD_H

#include "mem/spans.h"

/* The level is a constant where these are inlined. */
#define TAC_SPAN_INLINE static inline __attribute__((always_inline))
#define TAC_SPAN_NOINLINE __attribute__((noinline))

/* Word w of level l (below the top) was given that value: put it into its set. */
void tac_span_publish(struct tac_spans *spans, unsigned l, unsigned w, uint64_t value);

/* Take exactly these bits of the top level; all or none. */
bool tac_span_claim_top(struct tac_spans *spans, size_t from, size_t n);

#endif
