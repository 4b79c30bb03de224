/* SPDX-License-Identifier: MIT
 * test_card.c - the ALSA backend against a card of our own that keeps time and fails on demand.
 *
 * usage: test_card PLUGIN [filter]    (PLUGIN: the built card, see card.c) */
#include "card.h"
#include "test.h"

#include "backend/alsa_pcm.h"
#include "backend/backend.h"
#include "base/clock.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES = 128 };

static struct card_page *page;
static char folder[] = "/tmp/tactus-card-XXXXXX", page_path[64], conf_path[64];

/* What process does: a ramp on every channel; with inputs, what came in is checked too. */
struct player {
    uint32_t step, heard;
    _Atomic uint64_t gaps; /* jumps in what came in */
};

static void play_ramp(void *user, const struct tac_cycle *cycle)
{
    struct player *p = user;
    for (uint32_t i = 0; i < cycle->frames; i++) {
        for (uint32_t c = 0; c < cycle->outputs; c++)
            cycle->out[c][i] = (float)(p->step + 1) / 8192;
        p->step = (p->step + 1) % CARD_RAMP;
        if (cycle->inputs) {
            uint32_t heard = (uint32_t)(cycle->in[0][i] * 8192);
            p->gaps += p->heard && heard != p->heard % CARD_RAMP + 1;
            p->heard = heard;
        }
    }
}

static int set_up(const char *plugin)
{
    if (!mkdtemp(folder))
        return -1;
    char full[PATH_MAX]; // the library looks for a relative one elsewhere
    if (!realpath(plugin, full))
        return -1;
    snprintf(page_path, sizeof page_path, "%s/page", folder);
    snprintf(conf_path, sizeof conf_path, "%s/conf", folder);
    int fd = open(page_path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *page) < 0)
        return -1;
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    FILE *f = fopen(conf_path, "w");
    if (!f || page == MAP_FAILED)
        return -1;
    fprintf(f,
            "</usr/share/alsa/alsa.conf>\n"
            "pcm_type.tactus_card { lib \"%s\" }\n"
            "pcm.card { type tactus_card page \"%s\" }\n",
            full, page_path);
    setenv("ALSA_CONFIG_PATH", conf_path, 1);
    return fclose(f);
}

static void tidy_up(void)
{
    unlink(page_path);
    unlink(conf_path);
    rmdir(folder);
}

static void new_card(uint32_t rate_hz, uint32_t channels, snd_pcm_format_t format, bool planar)
{
    memset(page, 0, sizeof *page);
    page->rate_hz = rate_hz;
    page->channels = channels;
    page->format = (uint32_t)format;
    page->planar = planar;
}

static struct tac_backend_config wish(struct player *p, uint32_t inputs, uint32_t outputs)
{
    return (struct tac_backend_config){.rate_hz = 48000,
                                       .frames = FRAMES,
                                       .inputs = inputs,
                                       .outputs = outputs,
                                       .device = "card",
                                       .priority = -1,
                                       .process = play_ramp,
                                       .user = p};
}

static struct tac_backend_stats stats_of(struct tac_backend_stream *stream)
{
    struct tac_backend_stats stats;
    stream->backend->stats(stream, &stats);
    return stats;
}

/* Wait until so many cycles more are done, at most 20 s. */
static bool more_cycles(struct tac_backend_stream *stream, uint64_t cycles)
{
    uint64_t until = stats_of(stream).cycles + cycles, end = tac_clock_ns() + 20 * TAC_NS_PER_S;
    while (stats_of(stream).cycles < until && tac_clock_ns() < end)
        usleep(2000);
    return stats_of(stream).cycles >= until;
}

static struct tac_backend_stream *started(const struct tac_backend_config *config)
{
    struct tac_backend_stream *stream = NULL;
    struct tac_error err = {0};
    const struct tac_backend *alsa = tac_backend_find("alsa");
    if (!CHECK_MSG(alsa->open(config, &stream, &err) == 0, "%s", err.text))
        return NULL;
    if (!CHECK_MSG(alsa->start(stream, &err) == 0, "%s", err.text)) {
        alsa->close(stream);
        return NULL;
    }
    return stream;
}

/* Stereo on a new card of 16 bits. */
static struct tac_backend_stream *playing_on_new_card(struct player *p)
{
    new_card(48000, 2, SND_PCM_FORMAT_S16, false);
    struct tac_backend_config config = wish(p, 0, 2);
    return started(&config);
}

static void plays_in(snd_pcm_format_t format, uint32_t channels, bool planar)
{
    struct player p = {0};
    new_card(48000, channels, format, planar);
    struct tac_backend_config config = wish(&p, 0, 2);
    struct tac_backend_stream *stream = started(&config);
    REQUIRE(stream);
    CHECK(more_cycles(stream, 50));
    CHECK(stream->backend->stop(stream) == 0);
    struct tac_backend_stats stats = stats_of(stream);
    CHECK_MSG(page->played >= 50 * FRAMES && page->silent < page->played, "%llu played",
              (unsigned long long)page->played);
    // a machine that stalls makes an xrun, which is a jump: they must agree
    CHECK_MSG(page->breaks <= stats.xruns, "%llu breaks, %llu xruns",
              (unsigned long long)page->breaks, (unsigned long long)stats.xruns);
    stream->backend->close(stream);
}

static void every_format_and_layout_is_played(void)
{
    plays_in(SND_PCM_FORMAT_S16, 2, false);
    plays_in(SND_PCM_FORMAT_S32, 2, true);
    plays_in(SND_PCM_FORMAT_FLOAT, 8, false);
}

static void both_directions_run_together(void)
{
    struct player p = {0};
    new_card(48000, 2, SND_PCM_FORMAT_S32, false);
    struct tac_backend_config config = wish(&p, 2, 2);
    struct tac_backend_stream *stream = started(&config);
    REQUIRE(stream);
    CHECK(more_cycles(stream, 50));
    CHECK(stream->backend->stop(stream) == 0);
    struct tac_backend_stats stats = stats_of(stream);
    CHECK(page->recorded >= 50 * FRAMES && page->played >= 50 * FRAMES && p.heard);
    CHECK(p.gaps <= stats.xruns && page->breaks <= stats.xruns);
    stream->backend->close(stream);
}

static void an_xrun_is_counted_and_the_sound_goes_on(void)
{
    struct player p = {0};
    struct tac_backend_stream *stream = playing_on_new_card(&p);
    REQUIRE(stream);
    CHECK(more_cycles(stream, 20));
    uint64_t before = stats_of(stream).xruns;
    page->xrun = 1;
    CHECK(more_cycles(stream, 20));
    struct tac_backend_stats stats = stats_of(stream);
    CHECK(stats.xruns > before && stats.losses == 0 && !stats.done);
    stream->backend->close(stream);
}

static void a_card_that_was_pulled_out_is_played_on_again(void)
{
    struct player p = {0};
    struct tac_backend_stream *stream = playing_on_new_card(&p);
    REQUIRE(stream);
    CHECK(more_cycles(stream, 20));
    uint32_t opens = page->opens;
    page->gone = 1;
    uint64_t end = tac_clock_ns() + 10 * TAC_NS_PER_S;
    while (!stats_of(stream).away && tac_clock_ns() < end)
        usleep(2000);
    CHECK(stats_of(stream).away && stats_of(stream).losses == 1);
    usleep(700000); // at least one attempt fails
    CHECK(stats_of(stream).away);
    page->gone = 0;
    CHECK(more_cycles(stream, 20));
    CHECK(!stats_of(stream).away && page->opens > opens && stats_of(stream).losses == 1);
    CHECK(stream->backend->stop(stream) == 0);
    stream->backend->close(stream);
}

static void a_stream_whose_card_is_gone_stops_at_once(void)
{
    struct player p = {0};
    struct tac_backend_stream *stream = playing_on_new_card(&p);
    REQUIRE(stream);
    CHECK(more_cycles(stream, 5));
    page->gone = 1;
    usleep(100000);
    CHECK(stream->backend->stop(stream) == 0);
    stream->backend->close(stream);
}

static void a_card_that_stands_still_is_opened_anew(void)
{
    struct player p = {0};
    struct tac_backend_stream *stream = playing_on_new_card(&p);
    REQUIRE(stream);
    CHECK(more_cycles(stream, 5));
    page->stuck = 1;
    uint64_t end = tac_clock_ns() + 20 * TAC_NS_PER_S;
    while (!stats_of(stream).losses && tac_clock_ns() < end)
        usleep(10000);
    page->stuck = 0;
    CHECK(stats_of(stream).losses >= 1);
    CHECK(more_cycles(stream, 20));
    stream->backend->close(stream);
}

static void what_does_not_fit_is_said_in_one_line(void)
{
    struct player p = {0};
    struct tac_backend_stream *stream = NULL;
    struct tac_error err = {0};
    const struct tac_backend *alsa = tac_backend_find("alsa");
    struct tac_backend_config config = wish(&p, 0, 2);
    new_card(44100, 2, SND_PCM_FORMAT_S16, false);
    CHECK(alsa->open(&config, &stream, &err) < 0 && strstr(err.text, "44100"));
    config.rate_hz = 0;
    CHECK(tac_backend_ask(alsa, &config, &err) == 0 && config.rate_hz == 44100);
    new_card(48000, 1, SND_PCM_FORMAT_S16, false);
    config.rate_hz = 48000;
    CHECK(alsa->open(&config, &stream, &err) < 0 && strstr(err.text, "has 1 channels"));
    new_card(48000, 2, SND_PCM_FORMAT_MU_LAW, false);
    CHECK(alsa->open(&config, &stream, &err) < 0 && strstr(err.text, "no sample format"));
    new_card(48000, 2, SND_PCM_FORMAT_S16, false);
    page->gone = 1;
    CHECK(alsa->open(&config, &stream, &err) < 0 && strstr(err.text, "cannot be opened"));
    CHECK(!stream);
}

int main(int argc, char **argv)
{
    if (argc < 2 || set_up(argv[1]) < 0)
        return 1;
    test_begin(argc - 1, argv + 1);
    TEST(what_does_not_fit_is_said_in_one_line);
    TEST(every_format_and_layout_is_played);
    TEST(both_directions_run_together);
    TEST(an_xrun_is_counted_and_the_sound_goes_on);
    TEST(a_card_that_was_pulled_out_is_played_on_again);
    TEST(a_stream_whose_card_is_gone_stops_at_once);
    TEST(a_card_that_stands_still_is_opened_anew);
    tidy_up();
    return test_end();
}
