/* SPDX-License-Identifier: MIT
 * read.c - the shape of a patch: its heading, nodes, voices sections, and cables.
 *
 * Nodes are read before any cable, so that a cable may name a node that stands further down. */
#include "graph/read.h"

#include "dsp/block.h"
#include "graph/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Up to which a double holds every whole number: 2^53. */
#define SEED_MAX 9007199254740992.0

static int no_memory(const struct tac_graph_reader *r)
{
    return tac_graph_fail(r, -ENOMEM, 0, 0, "out of memory");
}

/* A name starts with a letter and goes on with letters, digits, '_' and '-'. */
static int check_name(const struct tac_graph_reader *r, const struct tac_yaml *at)
{
    const char *s = at->key;
    if (strlen(s) > TAC_GRAPH_NAME_MAX)
        return tac_graph_fail(r, -TAC_E_LIMIT, at->key_line, at->key_column,
                              "a name has at most %d characters", TAC_GRAPH_NAME_MAX);
    int good = isalpha((unsigned char)*s);
    for (; *s; s++)
        good = good && (isalnum((unsigned char)*s) || *s == '_' || *s == '-');
    if (!good)
        return tac_graph_fail(r, -TAC_E_SYNTAX, at->key_line, at->key_column,
                              "'%.40s' cannot be a name: a letter, then letters, digits, _ and -",
                              at->key);
    return 0;
}

/* Room for the values of its block, in one piece. */
static bool take_values(struct tac_stash *stash, struct tac_graph_node *n)
{
    size_t params = 0, options = 0;
    while (params < TAC_BLOCK_PARAMS_MAX && n->block->param[params].name)
        params++;
    while (options < TAC_BLOCK_OPTIONS_MAX && n->block->option[options].name)
        options++;
    size_t each =
        sizeof *n->file + sizeof *n->numbers + sizeof *n->option + sizeof *n->numbers_count;
    n->file = tac_stash_take(stash, options * each + params * sizeof *n->param);
    if (!n->file)
        return false;
    n->numbers = (const float **)(n->file + options);
    n->option = (float *)(n->numbers + options);
    n->numbers_count = (uint32_t *)(n->option + options);
    n->param = (float *)(n->numbers_count + options);
    return true;
}

/* A new node, whose values are the fallbacks of its block. */
static int add_node(const struct tac_graph_reader *r, const char *name,
                    const struct tac_block *block, int block_index, unsigned line, unsigned column,
                    uint32_t *ret_index)
{
    struct tac_graph *g = r->graph;
    if (tac_graph_find(g, name) >= 0)
        return tac_graph_fail(r, -TAC_E_DUPLICATE, line, column, "there is another '%.60s'", name);
    if (g->node_count == TAC_GRAPH_NODES_MAX)
        return tac_graph_fail(r, -TAC_E_LIMIT, line, column, "more than %d nodes",
                              TAC_GRAPH_NODES_MAX);
    struct tac_graph_node n = {.name = tac_stash_string(&g->stash, name, strlen(name)),
                               .block = block,
                               .block_index = block_index,
                               .section = TAC_GRAPH_NONE,
                               .lanes = 1,
                               .line = line,
                               .column = column};
    if (!n.name || !take_values(&g->stash, &n))
        return no_memory(r);
    for (int i = 0; i < TAC_BLOCK_PARAMS_MAX && block->param[i].name; i++)
        n.param[i] = block->param[i].fallback;
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && block->option[i].name; i++)
        n.option[i] = block->option[i].fallback;
    n.seed = tac_names_hash(name) ^ g->seed * 0x9e3779b97f4a7c15u;
    if (!tac_names_add(&g->names, n.name, g->node_count))
        return no_memory(r);
    *ret_index = g->node_count;
    return tac_graph_append_node(g, &n) < 0 ? no_memory(r) : 0;
}

static int add_pseudo(const struct tac_graph_reader *r, const struct tac_block *block,
                      uint32_t lanes, uint32_t *ret_index)
{
    int code = add_node(r, block->name, block, -1, 0, 0, ret_index);
    if (code >= 0)
        r->graph->node[*ret_index].lanes = lanes;
    return code;
}

static int fail_block(const struct tac_graph_reader *r, const struct tac_yaml *word)
{
    char ask[TAC_NEAREST_TEXT_MAX];
    struct tac_nearest near = tac_nearest_begin(word->text);
    for (uint32_t i = 0; i < tac_blocks_count(); i++)
        tac_nearest_try(&near, tac_blocks_get(i)->name);
    return tac_graph_fail(r, -TAC_E_UNKNOWN, word->line, word->column,
                          "there is no block '%.60s'%s; `tactus blocks` lists them", word->text,
                          tac_nearest_ask(&near, ask));
}

/* Its index in the registry. */
static int find_block(const struct tac_graph_reader *r, const struct tac_yaml *node)
{
    const struct tac_yaml *word = tac_yaml_get(node, "block");
    if (!word)
        return tac_graph_fail(r, -TAC_E_SYNTAX, node->key_line, node->key_column,
                              "'%.60s' does not say what it is: give it 'block: NAME'", node->key);
    int index = word->kind == TAC_YAML_SCALAR ? tac_blocks_find(word->text) : -1;
    return index < 0 ? fail_block(r, word) : index;
}

static bool has_notes(const struct tac_block *block)
{
    bool notes = false;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && block->out[i].name; i++)
        notes = notes || block->out[i].kind == TAC_PORT_NOTES;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && block->in[i].name; i++)
        notes = notes || block->in[i].kind == TAC_PORT_NOTES;
    return notes;
}

static int read_width(const struct tac_graph_reader *r, struct tac_graph_node *n, uint32_t section,
                      const struct tac_yaml *map)
{
    const struct tac_yaml *channels = tac_yaml_get(map, "channels");
    if (has_notes(n->block) && (channels || section != TAC_GRAPH_NONE))
        return tac_graph_fail(r, -TAC_E_RANGE, n->line, n->column,
                              "'%.60s' deals in notes: it stands outside of voices and has one "
                              "channel",
                              n->name);
    if (section != TAC_GRAPH_NONE) {
        const struct tac_graph_section *s = &r->graph->section[section];
        n->section = section;
        n->lanes = s->count * s->unison;
        if (channels)
            return tac_graph_fail(r, -TAC_E_SYNTAX, channels->key_line, channels->key_column,
                                  "a node among voices has one channel for each voice");
        return 0;
    }
    return channels ? tac_graph_read_count(r, channels, 1, TAC_GRAPH_LANES_MAX, &n->lanes) : 0;
}

static int read_node(const struct tac_graph_reader *r, uint32_t section, const struct tac_yaml *map)
{
    uint32_t index = 0;
    int code = check_name(r, map);
    if (code >= 0 && map->kind != TAC_YAML_MAP)
        code = tac_graph_fail(r, -TAC_E_SYNTAX, map->line, map->column,
                              "a node is a map such as {block: sine, frequency: 440 Hz}");
    if (code >= 0)
        code = find_block(r, map);
    if (code >= 0)
        code = add_node(r, map->key, tac_blocks_get((uint32_t)code), code, map->key_line,
                        map->key_column, &index);
    if (code < 0) {
        tac_graph_note_wrong(r, map->key);
        return code;
    }
    struct tac_graph_node *n = &r->graph->node[index];
    code = read_width(r, n, section, map);
    if (code < 0)
        n->lanes = 0; /* not known */
    if (!tac_graph_goes_on(r, code))
        return code;
    return tac_graph_first(code, tac_graph_read_values(r, n, map));
}

static int read_nodes(const struct tac_graph_reader *r, uint32_t section,
                      const struct tac_yaml *nodes)
{
    if (!nodes)
        return 0;
    if (nodes->kind != TAC_YAML_MAP)
        return tac_graph_fail(r, -TAC_E_SYNTAX, nodes->line, nodes->column,
                              "nodes is a map from names to blocks");
    if (nodes->count <= TAC_GRAPH_NODES_MAX && tac_graph_reserve(r->graph, nodes->count, 0) < 0)
        return no_memory(r);
    int code = 0;
    for (const struct tac_yaml *n = nodes->first; n && tac_graph_goes_on(r, code); n = n->next)
        code = tac_graph_first(code, read_node(r, section, n));
    return code;
}

static int refuse_unknown_keys(const struct tac_graph_reader *r, const struct tac_yaml *map,
                               const char *const *known, const char *what)
{
    int code = 0;
    for (const struct tac_yaml *n = map->first; n && tac_graph_goes_on(r, code); n = n->next) {
        int found = 0;
        for (const char *const *k = known; *k; k++)
            found |= !strcmp(*k, n->key);
        if (!found)
            code = tac_graph_fail(r, -TAC_E_UNKNOWN, n->key_line, n->key_column,
                                  "%s has no '%.60s'", what, n->key);
    }
    return code;
}

static int read_section_head(const struct tac_graph_reader *r, struct tac_graph_section *s,
                             struct tac_graph_node *n, const struct tac_yaml *map)
{
    static const char *const modes[] = {"poly", "mono", "legato", NULL};
    static const char *const steals[] = {"oldest",   "round-robin", "lowest",
                                         "quietest", "none",        NULL};
    const struct tac_yaml *count = tac_yaml_get(map, "count");
    const struct tac_yaml *unison = tac_yaml_get(map, "unison");
    const struct tac_yaml *mode = tac_yaml_get(map, "mode"), *steal = tac_yaml_get(map, "steal");
    const struct tac_yaml *glide = tac_yaml_get(map, "glide");
    const struct tac_yaml *detune = tac_yaml_get(map, "detune");
    uint32_t mode_word = TAC_VOICES_POLY, steal_word = TAC_VOICES_OLDEST;
    double glide_s = (double)n->param[TAC_VOICES_PARAM_GLIDE];
    double semitones = (double)n->param[TAC_VOICES_PARAM_DETUNE];
    int code = 0;
    if (count)
        code = tac_graph_read_count(r, count, 1, TAC_GRAPH_VOICES_MAX, &s->count);
    if (tac_graph_goes_on(r, code) && unison)
        code = tac_graph_first(
            code, tac_graph_read_count(r, unison, 1, TAC_GRAPH_UNISON_MAX, &s->unison));
    if (code < 0)
        s->unison = 0; /* how many lanes is not known */
    if (tac_graph_goes_on(r, code) && mode)
        code = tac_graph_first(code, tac_graph_read_choice(r, mode, modes, &mode_word));
    if (tac_graph_goes_on(r, code) && steal)
        code = tac_graph_first(code, tac_graph_read_choice(r, steal, steals, &steal_word));
    if (tac_graph_goes_on(r, code) && glide)
        code = tac_graph_first(code, tac_graph_read_number(r, glide, TAC_UNIT_S, 0, 10, &glide_s));
    if (tac_graph_goes_on(r, code) && detune)
        code = tac_graph_first(
            code, tac_graph_read_number(r, detune, TAC_UNIT_SEMITONES, 0, 12, &semitones));
    s->mode = (enum tac_voices_mode)mode_word;
    s->steal = (enum tac_voices_steal)steal_word;
    n->param[TAC_VOICES_PARAM_GLIDE] = (float)glide_s;
    n->param[TAC_VOICES_PARAM_DETUNE] = (float)semitones;
    if (s->mode != TAC_VOICES_POLY && !count)
        s->count = 1;
    return code;
}

static int read_section(const struct tac_graph_reader *r, uint32_t index,
                        const struct tac_yaml *map)
{
    static const char *const known[] = {"count",  "unison", "mode",   "steal", "glide",
                                        "detune", "nodes",  "cables", NULL};
    struct tac_graph_section *s = &r->graph->section[index];
    *s = (struct tac_graph_section){.count = 8, .unison = 1};
    int code = check_name(r, map), strange = 0;
    if (code >= 0 && map->kind != TAC_YAML_MAP)
        code = tac_graph_fail(r, -TAC_E_SYNTAX, map->line, map->column,
                              "voices is a map from names to sections with count and nodes");
    if (code >= 0)
        strange = refuse_unknown_keys(r, map, known, "a voices section");
    if (code >= 0 && tac_graph_goes_on(r, strange))
        code = add_node(r, map->key, &tac_graph_block_voices, -1, map->key_line, map->key_column,
                        &s->node);
    if (code < 0) {
        tac_graph_note_wrong(r, map->key);
        tac_graph_note_all_wrong(r, map->kind == TAC_YAML_MAP ? tac_yaml_get(map, "nodes") : NULL);
    }
    if (code < 0 || !tac_graph_goes_on(r, strange))
        return tac_graph_first(strange, code);
    struct tac_graph_node *n = &r->graph->node[s->node];
    n->section = index;
    s->name = n->name;
    code = tac_graph_first(strange, read_section_head(r, s, n, map));
    n->lanes = s->count * s->unison;
    r->graph->voice_count += s->count;
    if (!tac_graph_goes_on(r, code))
        return code;
    return tac_graph_first(code, read_nodes(r, index, tac_yaml_get(map, "nodes")));
}

static int read_sections(const struct tac_graph_reader *r, const struct tac_yaml *voices)
{
    if (!voices)
        return 0;
    if (voices->kind != TAC_YAML_MAP)
        return tac_graph_fail(r, -TAC_E_SYNTAX, voices->line, voices->column,
                              "voices is a map from names to sections with count and nodes");
    r->graph->section =
        tac_stash_take(&r->graph->stash, (voices->count + 1) * sizeof *r->graph->section);
    if (!r->graph->section)
        return no_memory(r);
    r->graph->section_count = voices->count;
    uint32_t index = 0;
    int code = 0;
    for (const struct tac_yaml *v = voices->first; v && tac_graph_goes_on(r, code); v = v->next)
        code = tac_graph_first(code, read_section(r, index++, v));
    return code;
}

static int read_all_cables(const struct tac_graph_reader *r, const struct tac_yaml *root)
{
    const struct tac_yaml *voices = tac_yaml_get(root, "voices");
    const struct tac_yaml *v = voices && voices->kind == TAC_YAML_MAP ? voices->first : NULL;
    int code = 0;
    for (; v && tac_graph_goes_on(r, code); v = v->next)
        if (v->kind == TAC_YAML_MAP)
            code = tac_graph_first(code, tac_graph_read_cables(r, tac_yaml_get(v, "cables")));
    if (!tac_graph_goes_on(r, code))
        return code;
    return tac_graph_first(code, tac_graph_read_cables(r, tac_yaml_get(root, "cables")));
}

/* Of the patch itself; 0 when it is not known. */
static int read_channels(const struct tac_graph_reader *r, const struct tac_yaml *value,
                         uint32_t least, uint32_t *ret_channels)
{
    int code = tac_graph_read_count(r, value, least, TAC_GRAPH_CHANNELS_MAX, ret_channels);
    if (code < 0) {
        *ret_channels = 0;
        tac_graph_note_wrong(r, value->key);
    }
    return code;
}

/* Whole, as half a seed would be the same as none. */
static int read_seed(const struct tac_graph_reader *r, const struct tac_yaml *value,
                     double *ret_seed)
{
    int code = tac_graph_read_number(r, value, TAC_UNIT_NONE, 0, SEED_MAX, ret_seed);
    if (code >= 0 && (*ret_seed != floor(*ret_seed) || *ret_seed > SEED_MAX))
        code = tac_graph_fail(r, -TAC_E_RANGE, value->line, value->column,
                              "a seed is a whole number from 0 to 2^53");
    return code;
}

static int read_heading(const struct tac_graph_reader *r, const struct tac_yaml *root)
{
    struct tac_graph *g = r->graph;
    const struct tac_yaml *name = tac_yaml_get(root, "name"), *tempo = tac_yaml_get(root, "tempo");
    const struct tac_yaml *length = tac_yaml_get(root, "length"),
                          *seed = tac_yaml_get(root, "seed");
    const struct tac_yaml *in = tac_yaml_get(root, "input"), *out = tac_yaml_get(root, "output");
    uint32_t inputs = 0, outputs = 2;
    double seed_value = 1;
    int code = 0;
    g->tempo_bpm = 120;
    g->name = name ? tac_stash_string(&g->stash, name->text, strlen(name->text)) : g->file;
    if (tempo)
        code = tac_graph_read_number(r, tempo, TAC_UNIT_BPM, 1, 1000, &g->tempo_bpm);
    if (tac_graph_goes_on(r, code) && length)
        code = tac_graph_first(
            code, tac_graph_read_number(r, length, TAC_UNIT_S, 0.001, 86400, &g->length_s));
    if (tac_graph_goes_on(r, code) && seed)
        code = tac_graph_first(code, read_seed(r, seed, &seed_value));
    if (tac_graph_goes_on(r, code) && in)
        code = tac_graph_first(code, read_channels(r, in, 0, &inputs));
    if (tac_graph_goes_on(r, code) && out)
        code = tac_graph_first(code, read_channels(r, out, 1, &outputs));
    g->seed = (uint64_t)seed_value;
    g->input = TAC_GRAPH_NONE;
    if (tac_graph_goes_on(r, code) && inputs)
        code = tac_graph_first(code, add_pseudo(r, &tac_graph_block_input, inputs, &g->input));
    if (!tac_graph_goes_on(r, code))
        return code;
    return tac_graph_first(code, add_pseudo(r, &tac_graph_block_output, outputs, &g->output));
}

int tac_graph_read_patch(const struct tac_graph_reader *r, const struct tac_yaml *root)
{
    static const char *const known[] = {"name",  "tempo",  "length", "seed",     "input", "output",
                                        "nodes", "voices", "cables", "overload", NULL};
    if (root->kind != TAC_YAML_MAP)
        return tac_graph_fail(r, -TAC_E_SYNTAX, root->line, root->column,
                              "a patch is a map with nodes and cables");
    int code = refuse_unknown_keys(r, root, known, "a patch");
    if (tac_graph_goes_on(r, code))
        code = tac_graph_first(code, read_heading(r, root));
    if (tac_graph_goes_on(r, code))
        code = tac_graph_first(code, read_nodes(r, TAC_GRAPH_NONE, tac_yaml_get(root, "nodes")));
    if (tac_graph_goes_on(r, code))
        code = tac_graph_first(code, read_sections(r, tac_yaml_get(root, "voices")));
    if (tac_graph_goes_on(r, code))
        code = tac_graph_first(code, read_all_cables(r, root));
    if (tac_graph_goes_on(r, code))
        code = tac_graph_first(code, tac_graph_read_overload(r, tac_yaml_get(root, "overload")));
    if (code >= 0)
        code = tac_graph_check_written(r);
    return code < 0 ? code : tac_graph_sort(r);
}
