/* SPDX-License-Identifier: MIT
 * export_names.h - what the exporters call things, and what they all keep of open zones: one place,
 * so that a recording reads the same in every tool. */
#ifndef TAC_CAPTURE_EXPORT_NAMES_H
#define TAC_CAPTURE_EXPORT_NAMES_H

#include "capture/events.h"
#include "capture/symbols.h"

/* Of enum tac_trace_category, and of enum tac_memory_op. */
const char *tac_export_category(uint32_t category);
const char *tac_export_memory_op(uint64_t op);

/* ---- call stacks ---- */

struct tac_frames { /* {folders} opens the symbols with the first frame that needs them */
    const char *folders;
    struct tac_symbols *symbols;
    bool failed;
};

/* What is known of addresses of the program; NULL when memory ran out. */
struct tac_symbols *tac_frames_symbols(struct tac_frames *frames, const struct tac_capture *c);
void tac_frames_fini(struct tac_frames *frames);

/* The i-th frame of a KERNEL_STACK, innermost first: a function of the kernel by the recording's
 * symbols, of the program by its file, or the place in its module, or the address. ret_symbol: what
 * else is known of a place in the program, or NULL. Returns buffer or a string of the capture. */
const char *tac_frames_name(struct tac_frames *frames, const struct tac_capture *c,
                            const struct tac_event *e, uint32_t i, char *buffer, size_t size,
                            const struct tac_symbol **ret_symbol);

/* The stack as one line, for formats without frames: "schedule < futex_wait < ...", innermost
 * first; what does not fit is left out at the outer end. Returns the length. */
size_t tac_frames_line(struct tac_frames *frames, const struct tac_capture *c,
                       const struct tac_event *e, char *buffer, size_t size);

/* ---- zones ---- */

enum { TAC_OPEN_ZONES_MAX = 512 };

/* What was said of the zones that are open on a thread; it is shown where they end. */
struct tac_open_zones {
    uint32_t count; /* may be more than TAC_OPEN_ZONES_MAX: of those nothing is known */
    struct tac_zone_said {
        uint64_t value; /* 0: none */
        uint32_t text;  /* index in sites[], TAC_CAPTURE_NONE: none */
    } said[TAC_OPEN_ZONES_MAX];
};

void tac_open_zones_begin(struct tac_open_zones *zones);
/* False when none is open. */
bool tac_open_zones_end(struct tac_open_zones *zones, struct tac_zone_said *ret_said);
/* e: ZONE_VALUE. */
void tac_open_zones_say(struct tac_open_zones *zones, const struct tac_event *e);

#endif
