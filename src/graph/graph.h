/* SPDX-License-Identifier: MIT
 * graph.h - a patch, checked: nodes with resolved blocks and values, cables with resolved ports.
 *
 * What stands in a tac_graph is right: every name is known, every value in range, every cable joins
 * ports that fit, and order[] is a sequence in which each node comes after all that it hears, but
 * for cables declared as feedback. The engine builds plans from it without further checks.
 *
 * Feedback. A cable ~> is late by TAC_GRAPH_FEEDBACK_FRAMES, a slice of the engine. One that is
 * late by fewer (~N>) closes a loop whose nodes have to be computed together, in steps of the
 * shortest such delay: all nodes on loops that share a node are one loop of the graph. Within it
 * nothing is summed over lanes and no notes go.
 *
 * Widths. A node has lanes: its voices when it stands in a voices section, else its channels. A
 * cable carries `count` lanes from lane `first` on. Rules, checked here and obeyed by the plan:
 *   - a signal that leaves its voices section is first summed over the voices, to one lane;
 *   - one lane to many: every lane gets it; equal numbers: lane to lane; many to one: the sum, in
 *     the order of lanes; anything else is an error;
 *   - several cables into one input are summed in the order of the file.
 * Threads: control; a finished graph is only read. */
#ifndef TAC_GRAPH_GRAPH_H
#define TAC_GRAPH_GRAPH_H

#include "graph/names.h"
#include "graph/stash.h"
#include "graph/yaml.h"
#include "tactus/block.h"
#include "tactus/error.h"

#include <stdbool.h>

enum {
    TAC_GRAPH_NODES_MAX = 200000,
    TAC_GRAPH_CABLES_MAX = 1000000,
    TAC_GRAPH_LANES_MAX = 65536,
    TAC_GRAPH_VOICES_MAX = 1024,
    TAC_GRAPH_UNISON_MAX = 16,
    TAC_GRAPH_CHANNELS_MAX = 64, /* of input and output */
    TAC_GRAPH_NAME_MAX = 64,
    TAC_GRAPH_STEPS_MAX = 64,
    TAC_GRAPH_MISTAKES_MAX = 100, /* told of one patch */
    TAC_GRAPH_FEEDBACK_FRAMES = 64,
};

#define TAC_GRAPH_NONE 0xffffffffu

enum tac_voices_mode { TAC_VOICES_POLY, TAC_VOICES_MONO, TAC_VOICES_LEGATO };
enum tac_voices_steal {
    TAC_VOICES_OLDEST,
    TAC_VOICES_ROUND_ROBIN,
    TAC_VOICES_LOWEST,
    TAC_VOICES_QUIETEST,
    TAC_VOICES_NONE
};

struct tac_graph_section {
    const char *name;
    uint32_t node; /* the pseudo node that gives pitch, gate, velocity */
    uint32_t count, unison;
    enum tac_voices_mode mode;
    enum tac_voices_steal steal;
};

struct tac_graph_node {
    const char *name;
    const struct tac_block *block; /* metadata: of any variant */
    int block_index;               /* in the registry; < 0: one of the pseudo blocks below */
    uint32_t section;              /* or TAC_GRAPH_NONE */
    uint32_t lanes;
    unsigned line, column;
    uint64_t seed;
    float *param;      /* by index of the descriptor */
    float *option;     /* NUMBER and CHOICE */
    const char **file; /* FILE options, path as to be opened, or NULL */
    const float **numbers;
    uint32_t *numbers_count;
    uint32_t cable_first, cable_count; /* in graph.by_target[] */
    uint32_t ghost; /* 0, or 1 + its index in the graph before the edit that took it away */
    uint32_t reaches_output; /* 1: what it does can be heard, is recorded or sent out as notes */
    uint32_t loop;           /* 0, or 1 + index of the loop that it is part of */
    uint32_t follows_notes;  /* 1: it hears its section's pitch, gate or velocity, by any way */
};

/* What an edit does to a cable; see engine/ghosts.h. */
enum tac_cable_fade { TAC_FADE_NONE, TAC_FADE_IN, TAC_FADE_OUT };

enum tac_cable_target { TAC_CABLE_INPUT, TAC_CABLE_PARAM, TAC_CABLE_NOTES };

struct tac_graph_end {
    uint32_t node, port;   /* port: index of output, input or parameter */
    uint32_t first, count; /* lanes */
};

struct tac_graph_cable {
    struct tac_graph_end from, to;
    enum tac_cable_target target;
    uint8_t feedback; /* 0, or frames by which it is late, up to TAC_GRAPH_FEEDBACK_FRAMES */
    uint8_t fade;     /* enum tac_cable_fade */
    uint8_t summed;   /* from.count is 1: the sum over the voices of the section it leaves */
    unsigned line, column;
};

/* What is given up when there is not enough time, in the order of the patch. */
enum tac_step_kind { TAC_STEP_SET, TAC_STEP_VOICES, TAC_STEP_MUTE };

struct tac_graph_step {
    enum tac_step_kind kind;
    uint32_t node;
    uint32_t param; /* SET */
    float value;    /* SET */
    uint32_t count; /* VOICES: so many at most */
};

struct tac_graph {
    const char *name, *file, *folder;
    double tempo_bpm, length_s;
    uint64_t seed;
    uint32_t input, output; /* indices of the pseudo nodes; input: TAC_GRAPH_NONE without inputs */
    uint32_t node_count, cable_count, section_count, voice_count;
    uint32_t latency_frames; /* from input to output, the longest way; 0 without input */
    struct tac_graph_node *node;
    struct tac_graph_cable *cable;
    struct tac_graph_section *section;
    uint32_t *by_target;   /* cable indices, grouped by target node, in file order within */
    uint32_t *order;       /* node indices */
    uint32_t *loop_frames; /* [loops]: the shortest delay in it */
    uint32_t *loop_first;  /* [loops + 1]: where its nodes begin in loop_node[] */
    uint32_t *loop_node;   /* grouped by loop, in the order within */
    uint32_t loop_count;
    struct tac_graph_step *step;
    uint32_t step_count;
    struct tac_error *warning;
    uint32_t warning_count;
    /* private */
    struct tac_names names;
    struct tac_stash stash;
    uint32_t node_room, cable_room;
};

/* The blocks that the graph itself provides. voices: input notes; outputs pitch, gate, velocity;
 * parameters glide, detune. */
extern const struct tac_block tac_graph_block_input, tac_graph_block_output, tac_graph_block_voices;
enum { TAC_VOICES_OUT_PITCH, TAC_VOICES_OUT_GATE, TAC_VOICES_OUT_VELOCITY, TAC_VOICES_OUTS };
enum { TAC_VOICES_PARAM_GLIDE, TAC_VOICES_PARAM_DETUNE };

/* Read and check. On failure nothing is kept and *err says what and where. */
int tac_graph_read(const char *text, size_t bytes, const char *name, const char *folder,
                   struct tac_graph **ret_graph, struct tac_error *err);
int tac_graph_open(const char *path, struct tac_graph **ret_graph, struct tac_error *err);
void tac_graph_free(struct tac_graph *graph);

/* Read a file to the end for the mistakes of its text: tell is called for each, the first
 * TAC_GRAPH_MISTAKES_MAX; what only follows from another one is left out. Returns how many there
 * are; 0: tac_graph_open reads it. Negative, and *err: it cannot be read at all. */
typedef void (*tac_graph_tell)(void *user, const struct tac_error *mistake);
int tac_graph_check(const char *path, tac_graph_tell tell, void *user, struct tac_error *err);

/* The text of a patch file; the caller frees it. */
int tac_graph_load_text(const char *path, char **ret_text, size_t *ret_bytes,
                        struct tac_error *err);

/* The folder of a file, with its slash; "" when the path has none. The caller frees it; NULL: no
 * memory. */
char *tac_graph_folder_of(const char *path);

/* Room for so many more nodes, with their names, and cables. -ENOMEM. */
int tac_graph_reserve(struct tac_graph *graph, uint32_t nodes, uint32_t cables);

/* For ghosts: append a copy, without a name that can be found; then group and order all anew.
 * -ENOMEM; arrange: -TAC_E_LOOP when the cables form a loop. */
int tac_graph_append_node(struct tac_graph *graph, const struct tac_graph_node *node);
int tac_graph_append_cable(struct tac_graph *graph, const struct tac_graph_cable *cable);
int tac_graph_arrange(struct tac_graph *graph);

/* It closes a loop that is computed in steps. */
static inline bool tac_graph_is_short(const struct tac_graph_cable *c)
{
    return c->feedback && c->feedback < TAC_GRAPH_FEEDBACK_FRAMES;
}

/* Index of the node, or -1. */
int64_t tac_graph_find(const struct tac_graph *graph, const char *node);

/* ---- steps of reading, in this order; each leaves *err filled on failure -------------------- */

/* Where all mistakes are wanted, not the first alone. */
struct tac_graph_mistakes {
    tac_graph_tell tell;
    void *user;
    int count;
    struct tac_names wrong; /* nodes whose description was wrong and told */
};

struct tac_graph_reader {
    struct tac_graph *graph;
    struct tac_error *err;
    struct tac_graph_mistakes *mistakes; /* or NULL: reading ends with the first */
};

/* Whether the next item is read after these. */
static inline bool tac_graph_goes_on(const struct tac_graph_reader *r, int code)
{
    return code >= 0 || r->mistakes;
}

/* The first failure of several items. */
static inline int tac_graph_first(int before, int code)
{
    return before < 0 ? before : code;
}

/* wrong.c: fill reader->err for a place in the text; returns code. */
int tac_graph_fail(const struct tac_graph_reader *r, int code, unsigned line, unsigned column,
                   const char *format, ...) TAC_PRINTF(5, 6);

/* The node of that name, which stands at this place of the text. Where its own description was
 * wrong and told, its absence is not told again. */
int tac_graph_need_node(const struct tac_graph_reader *r, const char *name, unsigned line,
                        unsigned column, uint32_t *ret_node);

/* The text has a node of that name, or nodes, and what it says of it is wrong and told. */
void tac_graph_note_wrong(const struct tac_graph_reader *r, const char *name);
void tac_graph_note_all_wrong(const struct tac_graph_reader *r, const struct tac_yaml *nodes);

/* values.c: parameters and options of a node from its map. */
int tac_graph_read_values(const struct tac_graph_reader *r, struct tac_graph_node *node,
                          const struct tac_yaml *map);
/* A number of that unit within [min, max]. */
int tac_graph_read_number(const struct tac_graph_reader *r, const struct tac_yaml *value,
                          enum tac_unit unit, double min, double max, double *ret_value);
/* A whole number. */
int tac_graph_read_count(const struct tac_graph_reader *r, const struct tac_yaml *value,
                         uint32_t min, uint32_t max, uint32_t *ret_value);
/* One of a list of words that ends with NULL. */
int tac_graph_read_choice(const struct tac_graph_reader *r, const struct tac_yaml *value,
                          const char *const *choices, uint32_t *ret_value);

/* cables.c: the list under `cables:`. */
int tac_graph_read_cables(const struct tac_graph_reader *r, const struct tac_yaml *list);

/* overload.c: the list under `overload:`. */
int tac_graph_read_overload(const struct tac_graph_reader *r, const struct tac_yaml *list);

/* loops.c: node.loop and the lists of loops, when the cables are grouped and order[] is there. */
int tac_graph_find_loops(const struct tac_graph_reader *r);

/* order.c: by_target[], order[], reaches_output, latency_frames, and the search for loops. */
int tac_graph_sort(const struct tac_graph_reader *r);

#endif
