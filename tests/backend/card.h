/* SPDX-License-Identifier: MIT
 * card.h - what a test and the test card share: a page that both have mapped.
 *
 * The card is an ALSA plug-in (card.c) that keeps time by the clock, checks what is played, records
 * a ramp, and fails in the way that the test asks for while the sound runs. */
#ifndef TAC_TESTS_CARD_H
#define TAC_TESTS_CARD_H

#include <stdatomic.h>
#include <stdint.h>

/* The ramp that is recorded on channel 0, and expected on channel 0 of what is played: frame n is
 * 1/8192 * (1 + n % CARD_RAMP); 0 is silence. Exact in every format. */
enum { CARD_RAMP = 4095 };

struct card_page {
    /* the test's, before it opens */
    _Atomic uint32_t rate_hz, channels; /* the only ones that the card takes */
    _Atomic uint32_t format;            /* snd_pcm_format_t, the only one */
    _Atomic uint32_t planar;            /* 1: only separate channels */
    /* the test's, at any time */
    _Atomic uint32_t xrun;  /* n: the next n looks at the position find an xrun */
    _Atomic uint32_t gone;  /* 1: as if unplugged */
    _Atomic uint32_t stuck; /* 1: the clock of the card stands still */
    /* the card's */
    _Atomic uint64_t played, recorded; /* frames */
    _Atomic uint64_t silent, breaks;   /* frames played that were 0; jumps in what was not */
    _Atomic uint32_t opens;
};

#endif
