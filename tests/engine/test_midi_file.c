/* SPDX-License-Identifier: MIT
 * test_midi_file.c - songs from bytes: times, pedal, running status, refusals, and any bytes at
 * all. */
#include "engine/midi_file.h"

#include "test.h"

#include <errno.h>

enum { BYTES = 4096 };

struct bytes {
    uint8_t at[BYTES];
    size_t size, track;
};

static void put(struct bytes *b, const void *data, size_t size)
{
    memcpy(b->at + b->size, data, size);
    b->size += size;
}

static void put_number(struct bytes *b, uint32_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        b->at[b->size++] = (uint8_t)(value >> 8 * i);
}

static void put_heading(struct bytes *b, uint32_t format, uint32_t tracks, uint32_t division)
{
    put(b, "MThd", 4);
    put_number(b, 6, 4);
    put_number(b, format, 2);
    put_number(b, tracks, 2);
    put_number(b, division, 2);
}

static void begin_track(struct bytes *b)
{
    put(b, "MTrk", 4);
    b->track = b->size;
    put_number(b, 0, 4);
}

static void end_track(struct bytes *b)
{
    put(b, "\x00\xff\x2f\x00", 4);
    size_t end = b->size;
    b->size = b->track;
    put_number(b, (uint32_t)(end - b->track - 4), 4);
    b->size = end;
}

#define PUT(b, literal) put(b, literal, sizeof(literal) - 1)

static struct tac_song *parse(const struct bytes *b)
{
    struct tac_song *song = NULL;
    struct tac_error err = {0};
    if (tac_midi_file_parse(b->at, b->size, &song, &err) < 0)
        printf("# %s\n", err.text);
    return song;
}

/* Two tracks: a tempo change after one beat, and two notes by running status. */
static void compose(struct bytes *b)
{
    *b = (struct bytes){0};
    put_heading(b, 1, 2, 96);
    begin_track(b);
    PUT(b, "\x00\xff\x03\x04name");
    PUT(b, "\x60\xff\x51\x03\x0f\x42\x40"); /* 1 s a quarter note, after 96 ticks */
    end_track(b);
    begin_track(b);
    PUT(b, "\x00\x90\x3c\x7f");
    PUT(b, "\x60\x3c\x00");     /* running status; velocity 0 ends it */
    PUT(b, "\x81\x40\x40\x40"); /* 192 ticks later */
    PUT(b, "\x30\x80\x40\x00");
    end_track(b);
}

static void times_follow_the_tempo(void)
{
    static const struct tac_song_event expected[] = {{0, 0, TAC_SONG_NOTE_ON, 1, 60, 1},
                                                     {0.5, 1, TAC_SONG_NOTE_OFF, 1, 60, 0},
                                                     {2.5, 3, TAC_SONG_NOTE_ON, 1, 64, 64.0f / 127},
                                                     {3.0, 3.5, TAC_SONG_NOTE_OFF, 1, 64, 0}};
    struct bytes b;
    compose(&b);
    struct tac_song *song = parse(&b);
    REQUIRE(song && song->count == 4);
    for (uint32_t i = 0; i < 4; i++) {
        const struct tac_song_event *e = &song->event[i], *x = &expected[i];
        CHECK_NEAR(e->seconds, x->seconds, 1e-9);
        CHECK_NEAR(e->beats, x->beats, 1e-9);
        CHECK(e->kind == x->kind && e->channel == 1);
        CHECK_NEAR((double)e->pitch, (double)x->pitch, 0);
        CHECK_NEAR((double)e->value, (double)x->value, 1e-7);
    }
    CHECK_NEAR(song->seconds, 3.0, 1e-9);
    free(song);
}

static void a_pedal_holds_the_notes(void)
{
    struct bytes b = {0};
    put_heading(&b, 0, 1, 480);
    begin_track(&b);
    PUT(&b, "\x00\xb0\x40\x7f\x00\x90\x3c\x50\x0a\x80\x3c\x00"); /* down, note, let go */
    PUT(&b, "\x0a\x90\x3c\x50\x0a\x80\x3c\x00");                 /* again */
    PUT(&b, "\x0a\xb0\x40\x00\x00\xe0\x00\x60");                 /* up; bend by a semitone */
    end_track(&b);
    struct tac_song *song = parse(&b);
    REQUIRE(song && song->count == 5);
    static const enum tac_song_kind kind[] = {TAC_SONG_NOTE_ON, TAC_SONG_NOTE_OFF, TAC_SONG_NOTE_ON,
                                              TAC_SONG_NOTE_OFF, TAC_SONG_BEND};
    static const double tick[] = {0, 20, 20, 40, 40};
    for (int i = 0; i < 5; i++) {
        CHECK(song->event[i].kind == kind[i]);
        CHECK_NEAR(song->event[i].beats, tick[i] / 480, 1e-9);
    }
    CHECK_NEAR((double)song->event[4].value, 1, 1e-6);
    free(song);
}

static void frames_of_a_second_count_too(void)
{
    struct bytes b = {0};
    put_heading(&b, 0, 1, 0xe728); /* 25 frames a second, 40 ticks each */
    begin_track(&b);
    PUT(&b, "\x87\x68\x90\x3c\x50"); /* 1000 ticks */
    end_track(&b);
    struct tac_song *song = parse(&b);
    REQUIRE(song && song->count == 1);
    CHECK_NEAR(song->event[0].seconds, 1, 1e-9);
    free(song);
}

static void damaged_files_are_refused(void)
{
    struct bytes whole;
    compose(&whole);
    for (size_t size = 0; size < whole.size; size++) {
        struct tac_song *song = NULL;
        struct tac_error err = {0};
        int code = tac_midi_file_parse(whole.at, size, &song, &err);
        CHECK_MSG(code < 0 ? err.text[0] && !song : size >= 14, "cut after %zu bytes", size);
        free(song);
    }
    struct bytes b = whole;
    b.at[9] = 2;
    CHECK(parse(&b) == NULL);
    b = whole;
    b.at[12] = b.at[13] = 0;
    CHECK(parse(&b) == NULL);
    struct tac_song *song = NULL;
    struct tac_error err = {0};
    CHECK(tac_midi_file_load("/nonexistent/song.mid", &song, &err) == -ENOENT && err.text[0]);
}

/* Changed at random, by a seed: whatever comes out is in order and within the limits. */
static void any_bytes_come_to_an_end(void)
{
    struct bytes whole;
    uint64_t seed = 5;
    compose(&whole);
    for (int round = 0; round < 20000; round++) {
        struct bytes b = whole;
        for (int n = 0; n < 1 + round % 6; n++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            b.at[(seed >> 40) % b.size] = (uint8_t)(seed >> 32);
        }
        struct tac_song *song = NULL;
        if (tac_midi_file_parse(b.at, b.size, &song, NULL) < 0)
            continue;
        for (uint32_t i = 1; i < song->count; i++)
            CHECK(song->event[i].seconds >= song->event[i - 1].seconds);
        CHECK(!song->count || song->seconds >= song->event[song->count - 1].seconds);
        free(song);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(times_follow_the_tempo);
    TEST(a_pedal_holds_the_notes);
    TEST(frames_of_a_second_count_too);
    TEST(damaged_files_are_refused);
    TEST(any_bytes_come_to_an_end);
    return test_end();
}
