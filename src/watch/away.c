/* SPDX-License-Identifier: MIT
 * away.c - the sequence that nobody is in, and where the thread's field lies; see away.h. */
#include "watch/away.h"

ptrdiff_t tac_away_offset;

#if (defined(__x86_64__) || defined(__aarch64__)) && __has_include(<sys/rseq.h>)
#include <sys/rseq.h>

enum { FIELD_AT = 8 }; /* of rseq_cs in struct rseq */

/* The kernel wants the signature in front of the place where it would continue. Never reached. */
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
__asm__(".pushsection .text.tac_away, \"ax\", %progbits\n"
        ".balign 8\n"
        ".long " TEXT(RSEQ_SIG) "\n"
                                ".globl tac_away_abort\n"
                                ".hidden tac_away_abort\n"
                                "tac_away_abort:\n"
                                ".long 0\n"
                                ".popsection\n");
extern const char tac_away_abort[] __attribute__((visibility("hidden")));

const struct tac_away_sequence tac_away_mark = {
    .start = (uintptr_t)tac_away_abort, .length = 0, .abort = (uintptr_t)tac_away_abort};

static __attribute__((constructor)) void find(void)
{
    if (__rseq_size)
        tac_away_offset = __rseq_offset + FIELD_AT;
}
#else
const struct tac_away_sequence tac_away_mark;
#endif
