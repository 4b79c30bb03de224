/* SPDX-License-Identifier: MIT
 * error.h - how every Tactus function reports failure.
 *
 * A function that can fail returns an int: >= 0 is good, < 0 is a negative errno value or the
 * negative of one of Tactus' own codes below, which start at 4000 so that the two never meet.
 * On failure the outputs are untouched. Functions that parse text a person wrote also fill a
 * struct tac_error, which says where and what in one line.
 *
 * Thread: any. Real-time: the functions here are for control threads, except tac_error_sentence. */
#ifndef TACTUS_ERROR_H
#define TACTUS_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define TAC_API __attribute__((visibility("default")))
#define TAC_MUST_CHECK __attribute__((warn_unused_result))
#define TAC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* One list: symbol, value, sentence. Values never change once released. */
#define TAC_ERROR_LIST(X)                                                                          \
    X(TAC_E_SYNTAX, 4000, "the text does not follow the format")                                   \
    X(TAC_E_UNKNOWN, 4001, "the name is not known")                                                \
    X(TAC_E_UNIT, 4002, "the unit does not fit")                                                   \
    X(TAC_E_RANGE, 4003, "the value is out of range")                                              \
    X(TAC_E_LOOP, 4004, "the cables form a loop")                                                  \
    X(TAC_E_DUPLICATE, 4005, "the name is used twice")                                             \
    X(TAC_E_LIMIT, 4006, "a limit is exceeded")                                                    \
    X(TAC_E_TRUNCATED, 4007, "the file ends too early")                                            \
    X(TAC_E_CORRUPT, 4008, "the file is damaged")                                                  \
    X(TAC_E_VERSION, 4009, "the file has a version that is not supported")                         \
    X(TAC_E_NOT_BUILT, 4010, "this optional part was not built in")                                \
    X(TAC_E_DEVICE, 4011, "the audio device does not answer")                                      \
    X(TAC_E_BUSY, 4012, "it is in use")                                                            \
    X(TAC_E_MEMLOCK, 4013, "memory cannot be locked")

enum tac_error_code {
#define TAC_X(symbol, value, sentence) symbol = value,
    TAC_ERROR_LIST(TAC_X)
#undef TAC_X
};

#define TAC_ERROR_FILE_MAX 192
#define TAC_ERROR_TEXT_MAX 320

/* A failure that a person can mend. line and column count from 1; 0 means "the whole file".
 * text is one sentence without a final full stop, and says what to do where that is known. */
struct tac_error {
    int code; /* negative, as returned */
    unsigned line, column;
    char file[TAC_ERROR_FILE_MAX];
    char text[TAC_ERROR_TEXT_MAX];
};

/* The sentence for a code (sign is ignored); for errno values that of strerror_r; never NULL.
 * The pointer is to static or thread-local storage. */
TAC_API const char *tac_error_sentence(int code);

/* The symbol ("TAC_E_SYNTAX", "ENOMEM") for a code, or "E?" when it has none. */
TAC_API const char *tac_error_symbol(int code);

/* Fill *err and return code, so that a parser can write: return tac_error_set(err, ...).
 * err may be NULL. Over-long texts are cut. */
TAC_API int tac_error_set(struct tac_error *err, int code, const char *file, unsigned line,
                          unsigned column, const char *format, ...) TAC_PRINTF(6, 7);

/* Write "file:line:column: message" to buffer (at most size bytes, always terminated); parts that
 * are not known are left out. Returns buffer. */
TAC_API const char *tac_error_format(const struct tac_error *err, char *buffer, unsigned long size);

#ifdef __cplusplus
}
#endif
#endif
