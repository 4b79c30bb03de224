/* SPDX-License-Identifier: MIT
 * block.h - the contract of a DSP building block.
 *
 * A block is one descriptor and three functions. The descriptor is the only metadata there is: the
 * patch checker, `tactus blocks`, OSC paths, web controls and the reference pages all read it.
 *
 * Lanes. A block is written once over tac_v (src/dsp/vec.h), a vector of TAC_LANES floats, and
 * compiled several times: one lane for a single signal, 4, 8 or 16 lanes for a *bank* of equal
 * voices or channels that lie side by side. The engine picks the variant for the machine and for
 * the width of the node. A signal of a bank is an array float[frame][lane]; with one lane that is a
 * plain float[frame].
 *
 * Life of a node, per bank:
 *   control thread  memory_bytes(setup) -> the engine reserves; init(state, setup, memory)
 *   audio thread    process(state, io) once per cycle, frames 1 .. TAC_BLOCK_FRAMES_MAX
 *   control thread  nothing: a state owns no resource, so dropping its memory is enough
 * State is plain bytes given by the engine, aligned to 64, zeroed, without pointers into itself, so
 * that an exchange of plans may keep or copy it. Pointers to `memory` are set in init.
 *
 * The real-time law for process: no allocation, lock, waiting, system call, fault, log or loop
 * without a constant bound per frame; output finite for any finite input, any parameter path within
 * the ranges and any input while FTZ/DAZ is set; the same bits for any split of the frames over
 * calls (unless .blockwise says otherwise). */
#ifndef TACTUS_BLOCK_H
#define TACTUS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAC_BLOCK_FRAMES_MAX 4096
#define TAC_BLOCK_PORTS_MAX 16
#define TAC_BLOCK_PARAMS_MAX 24
#define TAC_BLOCK_OPTIONS_MAX 8
#define TAC_BLOCK_LANES_MAX 16

/* The unit of a parameter: what a person writes in a patch and sees on a control. */
enum tac_unit {
    TAC_UNIT_NONE,
    TAC_UNIT_HZ,
    TAC_UNIT_S, /* patches may write ms, us */
    TAC_UNIT_DB,
    TAC_UNIT_SEMITONES, /* patches may write cents; as a pitch: MIDI note number, 69 = A4 = 440 Hz
                         */
    TAC_UNIT_PERCENT,   /* 0..1 inside, 0..100 % outside */
    TAC_UNIT_BEATS,
    TAC_UNIT_BPM,
    TAC_UNIT_DEGREES,
};

/* How a control should spread its travel, and how a change is smoothed. */
enum tac_curve {
    TAC_CURVE_LINEAR, /* smoothed by a linear ramp */
    TAC_CURVE_LOG,    /* frequencies, times: smoothed by a geometric ramp; range must be > 0 */
    TAC_CURVE_STEP,   /* whole numbers and switches: not smoothed */
};

enum tac_port_kind {
    TAC_PORT_SIGNAL, /* audio or control, one float per frame and lane */
    TAC_PORT_NOTES,  /* note events with frame times, shared by all lanes */
};

struct tac_port {
    const char *name; /* NULL ends the list */
    const char *doc;
    enum tac_port_kind kind;
    float rest; /* value read when nothing is connected (inputs) */
};

/* A parameter can be set, automated, or driven by a cable at audio rate. Cables ADD to the set
 * value, and the engine clamps the sum to the range. */
struct tac_param {
    const char *name; /* NULL ends the list */
    const char *doc;
    enum tac_unit unit;
    float min, max, fallback; /* fallback: the value when the patch says nothing */
    enum tac_curve curve;
    const char *const *choices; /* names of the values 0, 1, 2 ... of a STEP parameter, or NULL */
};

enum tac_option_kind {
    TAC_OPTION_NUMBER, /* structural: lengths, counts; changing it rebuilds the node */
    TAC_OPTION_CHOICE,
    TAC_OPTION_FILE,      /* a sound file that the engine opens and streams */
    TAC_OPTION_NUMBERS,   /* a list of numbers (steps of a sequencer) */
    TAC_OPTION_SAMPLE,    /* a sound file that each lane plays on its own, again and again, or an
                             instrument in SFZ */
    TAC_OPTION_SONG,      /* a Standard MIDI File */
    TAC_OPTION_RECORDING, /* a WAV file that is written */
};

enum { TAC_OPTION_NUMBERS_MAX = 256 };

struct tac_option {
    const char *name; /* NULL ends the list */
    const char *doc;
    enum tac_option_kind kind;
    float min, max, fallback;
    const char *const *choices; /* ends with NULL */
};

struct tac_note {
    uint32_t frame; /* within the cycle */
    uint32_t on;    /* 1 on, 0 off */
    float pitch;    /* semitones, MIDI note numbering, fractions allowed */
    float velocity; /* 0..1 */
};

enum { TAC_NOTES_MAX = 256 };

/* Events in frame order. A full list drops the event and counts it. */
struct tac_notes {
    uint32_t count, dropped;
    struct tac_note note[TAC_NOTES_MAX];
};

static inline void tac_notes_push(struct tac_notes *notes, struct tac_note note)
{
    if (notes->count < TAC_NOTES_MAX)
        notes->note[notes->count++] = note;
    else
        notes->dropped++;
}

/* A stream of sound-file frames that a helper thread keeps filled; read by process through
 * setup->stream. Interleaved float frames at the engine's rate. */
struct tac_stream {
    uint32_t channels;
    /* Copy up to frames interleaved frames to out and return how many there were; fewer than asked
     * means under-run or end. Real-time: yes, wait-free. */
    uint32_t (*read)(struct tac_stream *self, float *out, uint32_t frames);
    uint64_t length_frames;                  /* 0 when unknown */
    bool (*at_end)(struct tac_stream *self); /* true when all was read and looping is off */
    /* Of a SAMPLE: the first frames, always there, and a way to have read() go on behind them, also
     * when it has gone on before. Frames are missing (read gives fewer) until the helper has turned
     * back; the head lasts for longer than that. Real-time: yes. */
    const float *head;
    uint32_t head_frames;
    void (*restart)(struct tac_stream *self);
};

/* What a part does behind the end of its loop. */
enum tac_part_mode {
    TAC_PART_GATED,    /* no loop; falls away when the gate does */
    TAC_PART_ONE_SHOT, /* no loop; always to the end */
    TAC_PART_LOOP,     /* goes round as long as it is heard */
    TAC_PART_SUSTAIN,  /* goes round as long as the gate is up, then on to the end */
};

/* A part of an instrument: a sound for some keys and velocities. The sound lies in memory, at the
 * rate of its file. */
struct tac_part {
    uint8_t key_low, key_high;           /* semitones, both included */
    uint8_t velocity_low, velocity_high; /* of 127, both included */
    float root;                          /* the pitch at which the sound plays as it is */
    float gain;
    float release_s; /* < 0: as the parameter says */
    float speed;     /* rate of the file by that of the engine */
    enum tac_part_mode mode;
    uint32_t channels, frames;
    uint32_t first;                /* frame that it begins with, below frames */
    uint32_t loop_first, loop_end; /* of a loop: loop_first < loop_end <= frames */
    uint32_t fade; /* so many frames before loop_end cross over into those before loop_first; at
                      most loop_first, and the length of the loop */
    const float *sound; /* [frames][channels] */
};

/* The first part that has the key and the velocity answers. Those of key k: index[first[k]] up to
 * before index[first[k + 1]]. */
struct tac_instrument {
    uint32_t count;
    struct tac_part *part;
    uint32_t first[129];
    uint16_t *index;
};

enum tac_song_kind { TAC_SONG_NOTE_OFF, TAC_SONG_NOTE_ON, TAC_SONG_BEND };

struct tac_song_event {
    double seconds, beats; /* since the beginning; seconds by the tempo of the song */
    enum tac_song_kind kind;
    uint8_t channel; /* 1 .. 16 */
    float pitch;     /* of a note: semitones, MIDI note numbering */
    float value;     /* velocity 0..1; a bend in semitones */
};

/* Events in order of time. */
struct tac_song {
    uint32_t count;
    double seconds, beats; /* length */
    struct tac_song_event *event;
};

/* Takes frames from a block and puts them into a file. Real-time: yes, wait-free; what finds no
 * room is dropped and counted. channel: [lanes_used][frames]. */
struct tac_sink {
    void (*write)(struct tac_sink *self, const float *const *channel, uint32_t frames);
};

/* What a node is built from; constant for its life. */
struct tac_setup {
    float rate_hz;
    uint32_t frames_max; /* no process call is longer */
    uint32_t lanes;      /* of this variant: 1, 4, 8, 16 */
    uint32_t
        lanes_used; /* lanes that carry voices or channels; the others compute and are ignored */
    uint32_t lane_first; /* index of lane 0 among all voices or channels of the node */
    uint64_t seed;       /* for random sources: from the patch and the node's name */
    float tempo_bpm;     /* of the patch */
    float option[TAC_BLOCK_OPTIONS_MAX];         /* NUMBER and CHOICE options, by index */
    const float *numbers[TAC_BLOCK_OPTIONS_MAX]; /* NUMBERS options */
    uint32_t numbers_count[TAC_BLOCK_OPTIONS_MAX];
    struct tac_stream *stream; /* FILE option, or NULL when none was given */
    struct tac_stream
        *sample[TAC_BLOCK_LANES_MAX]; /* SAMPLE option: one for each lane that is used */
    const struct tac_instrument
        *instrument;             /* SAMPLE option that is an instrument; then no sample */
    const struct tac_song *song; /* SONG option, or NULL */
    struct tac_sink *sink;       /* RECORDING option, or NULL */
};

/* A signal as a block reads it: frame i is the vector at data + i * stride. stride == 0: the value
 * is the same for the whole call, so work that depends on it can be done once. Otherwise stride ==
 * lanes. data is aligned to 64 bytes and never NULL. */
struct tac_signal {
    const float *data;
    uint32_t stride;
    uint32_t connected : 1; /* 1 when a cable is plugged in (inputs), or drives it (parameters) */
    /* 0, or: the lanes that are used are equal in every frame, and the signal lies once more at
     * data + line, one float a frame, aligned to 64 bytes and readable to the end of a vector. So
     * what depends on it alone can be computed for as many frames at once as there are lanes. */
    uint32_t line : 31;
};

struct tac_io {
    uint32_t frames; /* 1 .. setup->frames_max */
    uint32_t add;    /* bit o: add to what is in out[o]; for blocks with .adds alone */
    /* NULL, or a count, never 0, that is another after an input or a parameter got another stride,
     * or another value while its stride is 0. So what follows from signals that stand still can be
     * kept in the state, together with the count, and need not even be compared. It is to be read
     * atomically (acquire), and before the signals are looked at: other threads count meanwhile. */
    const uint64_t *still;
    struct tac_signal in[TAC_BLOCK_PORTS_MAX];
    float *out[TAC_BLOCK_PORTS_MAX]; /* float[frames][lanes], 64-byte aligned; may be the same
                                        memory as an input of the same index (in place) unless
                                        the descriptor says .not_in_place. NULL when nobody listens;
                                        the first output is always there */
    struct tac_signal param[TAC_BLOCK_PARAMS_MAX]; /* clamped to the range, smoothed */
    const struct tac_notes *notes_in;              /* never NULL */
    struct tac_notes *notes_out;                   /* never NULL */
};

struct tac_block {
    const char *name;  /* word in the patch; = file name */
    const char *group; /* "source", "filter", "envelope", "mix", "effect", "control", "io" */
    const char *doc;   /* one sentence */
    const char *about; /* paragraphs for the reference: method, source, quality; may be NULL */
    struct tac_port in[TAC_BLOCK_PORTS_MAX];
    struct tac_port out[TAC_BLOCK_PORTS_MAX];
    struct tac_param param[TAC_BLOCK_PARAMS_MAX];
    struct tac_option option[TAC_BLOCK_OPTIONS_MAX];
    uint32_t state_bytes;
    uint32_t latency_frames;
    float tail_s; /* time until the output has decayed by 120 dB after the input stops;
                     < 0: depends on parameters, may be endless */
    uint8_t not_in_place;
    uint8_t blockwise;     /* output depends on the split into blocks (block-rate control) */
    uint8_t follows_tempo; /* reads setup->tempo_bpm: another tempo needs another node */
    uint8_t adds;          /* heeds io->add: saves the sum over voices a reading and a writing */
    /* Inputs, as bits: while any one of them is 0, and the state at rest, every output is 0
     * whatever finite values the others and the parameters have, and the state stays at rest.
     * Voices that nobody hears are not run by that (engine). 0: nothing is known. */
    uint16_t silent_by;
    /* With silent_by: 1 when the state adds nothing of its own; NULL: it never does. Real-time. */
    int (*at_rest)(const void *state);
    /* Extra memory (delay lines, tables); NULL when none. Pure function of setup. */
    size_t (*memory_bytes)(const struct tac_setup *setup);
    /* memory: memory_bytes() bytes, zeroed, 64-byte aligned, or NULL. Not real-time. */
    void (*init)(void *state, const struct tac_setup *setup, void *memory);
    void (*process)(void *state, const struct tac_io *io);
    /* How many bytes at the beginning of a state it goes on from, by its setup alone; NULL: all.
     * What lies behind them saves work. After forget, in which that may be anything, it is made
     * anew of those at the beginning, with the same bits. So who keeps a copy of a state keeps
     * little. forget: real-time. */
    uint32_t (*live)(const void *state);
    void (*forget)(void *state);
    /* Two neighbouring banks at once, where that is faster than one after the other (recursions
     * that wait for themselves, what both need worked out once); NULL when it is not. states: void
     * *[2]; io: [2], of equal frames. The same bits as process on the first and then on the second,
     * which may add to what the first has written (.adds). */
    void (*process2)(void *states, const struct tac_io *io);
    /* For blocks with one output that multiply their first input, so that rows of them can be done
     * in one pass; else NULL. 1, and for each lane the factor by which process would multiply, as
     * long as neither a parameter nor another input changes; 0 when that changes from frame to
     * frame. Real-time: yes. */
    int (*scale)(const struct tac_io *io, float *ret_factor);
    /* For blocks that measure, else NULL: what output `port` gave at the last frame of a lane, also
     * where nobody listens. Returns its unit ("LUFS"), or NULL when that was not measured or the
     * output is none of the measures. Not real-time; while process does not run. */
    const char *(*reading)(const void *state, uint32_t port, uint32_t lane, float *ret_value);
};

#ifdef __cplusplus
}
#endif
#endif
