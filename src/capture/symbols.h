/* SPDX-License-Identifier: MIT
 * symbols.h - module, function, file and line of an address in a recording.
 *
 * An address is looked up in the mappings that the recording holds, so the program may be gone, and
 * the machine may be another one. Files are taken from the path that the recording names, then from
 * the folders that the caller gives (a sysroot, a folder of binaries, a tree of
 * .build-id/xx/rest.debug), then from /usr/lib/debug. Where the recording has the module's
 * build-id, only a file with the same one is believed. Names of C++ are demangled where the C++
 * run-time library is on this machine.
 *
 * Needs elfutils (Meson option `symbols`); built without it, the module and the offset in its file
 * are all that is known. Threads: an object belongs to one thread. Cost: the first address of a
 * module reads its symbols and lines; each address is looked up once. */
#ifndef TAC_CAPTURE_SYMBOLS_H
#define TAC_CAPTURE_SYMBOLS_H

#include "capture/capture.h"

struct tac_symbols;

struct tac_symbol {
    const char *module;   /* base name of the file; "?" when no mapping holds the address */
    const char *path;     /* as the recording names it; "" when there is none */
    const char *build_id; /* "" when not known */
    const char *function; /* "" when not known */
    const char *file;     /* of the source; "" when not known */
    uint32_t line;        /* 0: not known */
    uint64_t offset;      /* from the begin of the function; without one, in the module's file */
};

enum tac_symbol_kind {
    TAC_SYMBOL_RETURN, /* a return address: the call before it is meant (call stacks) */
    TAC_SYMBOL_EXACT,  /* an instruction itself (page faults) */
};

/* folders: where files may be besides, separated by colons; NULL: the environment variable
 * TACTUS_SYMBOLS. The capture must stay open. 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_symbols_open(const struct tac_capture *capture, const char *folders,
                                    struct tac_symbols **ret_symbols);
void tac_symbols_close(struct tac_symbols *symbols); /* NULL is fine */

/* Never NULL; belongs to symbols and stays until close. */
const struct tac_symbol *tac_symbols_find(struct tac_symbols *symbols, uint64_t address,
                                          enum tac_symbol_kind kind);

/* The same in another process of the recording (tac_capture_pid_of); 0: the traced program. */
const struct tac_symbol *tac_symbols_find_in(struct tac_symbols *symbols, uint32_t pid,
                                             uint64_t address, enum tac_symbol_kind kind);

/* "module, function, file:line", less what is not known; a module alone stands with its offset.
 * Returns buffer. */
const char *tac_symbol_text(const struct tac_symbol *symbol, char *buffer, size_t size);

#endif
