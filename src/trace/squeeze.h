/* SPDX-License-Identifier: MIT
 * squeeze.h - chunks made smaller for a connection, without a library.
 *
 * Packed records (pack.h) still repeat themselves: what follows what, how long a zone takes. Here
 * each bit is coded by how likely it was so far at the same place in the form of the stream: in a
 * chunk's header by the offset, in packed records by the event before, for a time by the event, for
 * other fields by type, field and byte. The coder is an arithmetic one for bits. What is learnt
 * lasts as long as the connection; both sides learn from the same bytes and so stay alike. Any
 * bytes can be squeezed and any bytes can be taken out; only the gain depends on what they are.
 *
 * Form: docs/recording-format.md, "over a connection".
 * Threads: one object, one thread. Real-time: no (the helper). Cost: 26 ns a byte to squeeze and
 * 54 to take out, where it was measured (an EPYC); 2 MiB of address space on either side, of which
 * a recording touches a part.
 * Source: arithmetic coding of binary decisions with adaptive probabilities as in G. Langdon, J.
 * Rissanen, "Compression of black-white images with arithmetic coding", IEEE Trans. Comm. 29
 * (1981).
 */
#ifndef TAC_TRACE_SQUEEZE_H
#define TAC_TRACE_SQUEEZE_H

#include <stddef.h>
#include <stdint.h>

struct tac_squeeze;

enum {
    TAC_SQUEEZE_PLAIN_MAX = 2000,                          /* at once */
    TAC_SQUEEZE_BYTES_MAX = 32 * TAC_SQUEEZE_PLAIN_MAX + 1 /* that the worst of them becomes */
};

struct tac_squeeze *tac_squeeze_new(void);          /* NULL: no memory */
void tac_squeeze_free(struct tac_squeeze *squeeze); /* NULL is fine */

/* Code n bytes, 1 .. TAC_SQUEEZE_PLAIN_MAX, that follow those coded before. Returns how many
 * bytes were written, 1 .. TAC_SQUEEZE_BYTES_MAX. */
size_t tac_squeeze_in(struct tac_squeeze *squeeze, const unsigned char *plain, size_t n,
                      unsigned char *ret_bytes);

/* n bytes come in between that travel as they are: so that either side knows where it is. */
void tac_squeeze_pass(struct tac_squeeze *squeeze, const unsigned char *plain, size_t n);

/* The n bytes that became these. Never reads past the end, whatever they are. */
void tac_squeeze_out(struct tac_squeeze *squeeze, const unsigned char *bytes, size_t size,
                     unsigned char *ret_plain, size_t n);

#endif
