/* SPDX-License-Identifier: MIT
 * alsa_pcm.c - negotiation of one ALSA direction, and the transfer of a block; see alsa_pcm.h.
 *
 * How     Each way of access ends in "channel areas" (address, first bit, step in bits): of the
 *         device's own memory where it can be mapped, else of a block of ours that is read or
 *         written. Conversion works on areas alone. Source: ALSA library documentation, "PCM
 *         (digital audio) interface", section on access modes. */
#include "backend/alsa_pcm.h"

#include <errno.h>
#include <stdlib.h>

enum { WAIT_MS = 100 };

static const char not_opened[] = "cannot be opened (tactus play --list shows the devices)";

static int failed(struct tac_error *err, const char *device, const char *what, int code)
{
    return tac_error_set(err, code == -EBUSY ? -TAC_E_BUSY : -TAC_E_DEVICE, device, 0, 0, "%s: %s",
                         what, snd_strerror(code));
}

static int choose_access(struct tac_alsa_pcm *p, snd_pcm_hw_params_t *hw)
{
    static const snd_pcm_access_t ways[] = {
        SND_PCM_ACCESS_MMAP_INTERLEAVED, SND_PCM_ACCESS_MMAP_NONINTERLEAVED,
        SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_RW_NONINTERLEAVED};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (snd_pcm_hw_params_set_access(p->pcm, hw, ways[i]) == 0) {
            p->mmap = i < 2;
            p->interleaved = i % 2 == 0;
            return 0;
        }
    return -EINVAL;
}

static int choose_format(struct tac_alsa_pcm *p, snd_pcm_hw_params_t *hw)
{
    for (p->sample = tac_alsa_samples; p->sample->put; p->sample++)
        if (snd_pcm_hw_params_set_format(p->pcm, hw, p->sample->format) == 0) {
            p->sample_bytes = (size_t)snd_pcm_format_physical_width(p->sample->format) / 8;
            return 0;
        }
    return -EINVAL;
}

static int choose_channels(struct tac_alsa_pcm *p, snd_pcm_hw_params_t *hw, const char *device,
                           uint32_t wanted, struct tac_error *err)
{
    unsigned n = wanted;
    int code = snd_pcm_hw_params_set_channels_near(p->pcm, hw, &n);
    if (code < 0)
        return failed(err, device, "no number of channels", code);
    if (n < wanted)
        return tac_error_set(err, -TAC_E_DEVICE, device, 0, 0,
                             "has %u channels, %u are wanted; plug:%s mixes them", n, wanted,
                             device);
    p->channels = n;
    return 0;
}

static int choose_rate(struct tac_alsa_pcm *p, snd_pcm_hw_params_t *hw, const char *device,
                       double wanted_hz, struct tac_error *err)
{
    unsigned hz = (unsigned)(wanted_hz + 0.5);
    int code = snd_pcm_hw_params_set_rate_near(p->pcm, hw, &hz, NULL);
    if (code < 0)
        return failed(err, device, "no sample rate", code);
    if ((double)hz != wanted_hz)
        return tac_error_set(err, -TAC_E_DEVICE, device, 0, 0,
                             "runs at %u Hz, %g Hz are wanted; --rate %u uses its own, plug:%s "
                             "converts",
                             hz, wanted_hz, hz, device);
    return 0;
}

/* The period is how often the device reports; the buffer has two of ours at least (I1). */
static int choose_buffer(struct tac_alsa_pcm *p, snd_pcm_hw_params_t *hw, const char *device,
                         struct tac_error *err)
{
    snd_pcm_uframes_t period = p->frames;
    int code = snd_pcm_hw_params_set_period_size_near(p->pcm, hw, &period, NULL);
    if (code < 0)
        return failed(err, device, "no period", code);
    snd_pcm_uframes_t buffer = 2 * (period > p->frames ? period : p->frames);
    code = snd_pcm_hw_params_set_buffer_size_near(p->pcm, hw, &buffer);
    if (code < 0)
        return failed(err, device, "no buffer", code);
    if (buffer < 2 * (snd_pcm_uframes_t)p->frames)
        return tac_error_set(err, -TAC_E_DEVICE, device, 0, 0,
                             "has a buffer of %lu frames; blocks of at most %lu fit it", buffer,
                             buffer / 2);
    p->buffer_frames = (uint32_t)buffer;
    return 0;
}

static int set_hardware(struct tac_alsa_pcm *p, const char *device, uint32_t channels,
                        double rate_hz, struct tac_error *err)
{
    snd_pcm_hw_params_t *hw;
    snd_pcm_hw_params_alloca(&hw);
    int code = snd_pcm_hw_params_any(p->pcm, hw);
    if (code < 0)
        return failed(err, device, "cannot be configured", code);
    if ((code = choose_access(p, hw)) < 0)
        return failed(err, device, "no way of access", code);
    if ((code = choose_format(p, hw)) < 0)
        return failed(err, device, "no sample format that is known; plug: in front converts", code);
    if ((code = choose_channels(p, hw, device, channels, err)) < 0 ||
        (code = choose_rate(p, hw, device, rate_hz, err)) < 0 ||
        (code = choose_buffer(p, hw, device, err)) < 0)
        return code;
    code = snd_pcm_hw_params(p->pcm, hw);
    return code < 0 ? failed(err, device, "refuses the configuration", code) : 0;
}

/* Wake for each block; start only when told; stop at an under-run. */
static int set_software(struct tac_alsa_pcm *p, const char *device, struct tac_error *err)
{
    snd_pcm_sw_params_t *sw;
    snd_pcm_sw_params_alloca(&sw);
    int code = snd_pcm_sw_params_current(p->pcm, sw);
    if (code >= 0)
        code = snd_pcm_sw_params_set_avail_min(p->pcm, sw, p->frames);
    if (code >= 0)
        code = snd_pcm_sw_params_set_start_threshold(p->pcm, sw, p->buffer_frames * 16ul);
    if (code >= 0)
        code = snd_pcm_sw_params_set_stop_threshold(p->pcm, sw, p->buffer_frames);
    if (code >= 0)
        code = snd_pcm_sw_params(p->pcm, sw);
    return code < 0 ? failed(err, device, "refuses the thresholds", code) : 0;
}

static int make_block(struct tac_alsa_pcm *p, struct tac_error *err)
{
    size_t plane_bytes = p->frames * p->sample_bytes, n = p->channels;
    p->bytes = calloc(n, plane_bytes);
    p->area = calloc(n, sizeof *p->area);
    p->plane = calloc(n, sizeof *p->plane);
    p->silence = calloc(p->frames, sizeof *p->silence);
    if (!p->bytes || !p->area || !p->plane || !p->silence)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    for (size_t c = 0; c < n; c++) {
        p->plane[c] = p->bytes + c * plane_bytes;
        p->area[c].addr = p->bytes;
        p->area[c].first = (unsigned)(8 * (p->interleaved ? c * p->sample_bytes : c * plane_bytes));
        p->area[c].step = (unsigned)(8 * p->sample_bytes * (p->interleaved ? n : 1));
    }
    return 0;
}

int tac_alsa_pcm_open(struct tac_alsa_pcm *p, const char *device, snd_pcm_stream_t direction,
                      uint32_t channels, double rate_hz, uint32_t frames, struct tac_error *err)
{
    *p = (struct tac_alsa_pcm){.frames = frames};
    int code = snd_pcm_open(&p->pcm, device, direction, SND_PCM_NONBLOCK);
    if (code < 0) {
        p->pcm = NULL;
        return failed(err, device, not_opened, code);
    }
    code = set_hardware(p, device, channels, rate_hz, err);
    if (code >= 0)
        code = set_software(p, device, err);
    if (code >= 0)
        code = make_block(p, err);
    if (code < 0)
        tac_alsa_pcm_close(p);
    return code;
}

int tac_alsa_pcm_rate(const char *device, double *ret_hz, struct tac_error *err)
{
    snd_pcm_t *pcm;
    snd_pcm_hw_params_t *hw;
    unsigned hz = 48000;
    int code = snd_pcm_open(&pcm, device, SND_PCM_STREAM_PLAYBACK, SND_PCM_NONBLOCK);
    if (code < 0)
        code = snd_pcm_open(&pcm, device, SND_PCM_STREAM_CAPTURE, SND_PCM_NONBLOCK);
    if (code < 0)
        return failed(err, device, not_opened, code);
    snd_pcm_hw_params_alloca(&hw);
    code = snd_pcm_hw_params_any(pcm, hw);
    if (code >= 0)
        code = snd_pcm_hw_params_set_rate_near(pcm, hw, &hz, NULL);
    snd_pcm_close(pcm);
    if (code < 0)
        return failed(err, device, "no sample rate", code);
    *ret_hz = hz;
    return 0;
}

void tac_alsa_pcm_close(struct tac_alsa_pcm *p)
{
    if (p->pcm)
        snd_pcm_close(p->pcm);
    free(p->bytes);
    free(p->area);
    free(p->plane);
    free((void *)(uintptr_t)p->silence);
    *p = (struct tac_alsa_pcm){0};
}

static char *sample_at(const snd_pcm_channel_area_t *area, snd_pcm_uframes_t frame)
{
    return (char *)area->addr + (area->first + frame * area->step) / 8;
}

/* Convert frames of the block from frame `from` on; offset: where they are in the areas. */
static void convert(const struct tac_alsa_pcm *p, const snd_pcm_channel_area_t *area,
                    snd_pcm_uframes_t offset, float *const *data, uint32_t channels, uint32_t from,
                    uint32_t frames, bool put)
{
    for (uint32_t c = 0; c < p->channels; c++) {
        char *samples = sample_at(&area[c], offset);
        size_t step = area[c].step / 8;
        if (put)
            p->sample->put(samples, step, c < channels ? data[c] + from : p->silence, frames);
        else if (c < channels)
            p->sample->get(data[c] + from, samples, step, frames);
    }
}

static int move_mapped(struct tac_alsa_pcm *p, float *const *data, uint32_t channels, bool put)
{
    for (uint32_t done = 0; done < p->frames;) { // two rounds at most, as the ring wraps once
        const snd_pcm_channel_area_t *area;
        snd_pcm_uframes_t offset, n = p->frames - done;
        int code = snd_pcm_mmap_begin(p->pcm, &area, &offset, &n);
        if (code < 0)
            return code;
        if (n == 0)
            return -EPIPE;
        convert(p, area, offset, data, channels, done, (uint32_t)n, put);
        snd_pcm_sframes_t moved = snd_pcm_mmap_commit(p->pcm, offset, n);
        if (moved < 0 || (snd_pcm_uframes_t)moved != n)
            return moved < 0 ? (int)moved : -EPIPE;
        done += (uint32_t)n;
    }
    return 0;
}

static snd_pcm_sframes_t move_some(struct tac_alsa_pcm *p, uint32_t done, bool put)
{
    snd_pcm_uframes_t n = p->frames - done;
    if (p->interleaved) {
        void *at = p->bytes + (size_t)done * p->channels * p->sample_bytes;
        return put ? snd_pcm_writei(p->pcm, at, n) : snd_pcm_readi(p->pcm, at, n);
    }
    for (uint32_t c = 0; c < p->channels; c++)
        p->plane[c] = sample_at(&p->area[c], done);
    return put ? snd_pcm_writen(p->pcm, p->plane, n) : snd_pcm_readn(p->pcm, p->plane, n);
}

/* Some plug-ins take less than they announced; waiting for the rest ends after WAIT_MS. */
static int move_block(struct tac_alsa_pcm *p, bool put)
{
    for (uint32_t done = 0; done < p->frames;) {
        snd_pcm_sframes_t n = move_some(p, done, put);
        if (n == -EAGAIN || n == 0) {
            int ready = snd_pcm_wait(p->pcm, WAIT_MS);
            if (ready <= 0)
                return ready < 0 ? ready : -EPIPE;
        } else if (n < 0) {
            return (int)n;
        } else {
            done += (uint32_t)n;
        }
    }
    return 0;
}

int tac_alsa_pcm_put(struct tac_alsa_pcm *p, float *const *data, uint32_t channels)
{
    if (p->mmap)
        return move_mapped(p, data, channels, true);
    convert(p, p->area, 0, data, channels, 0, p->frames, true);
    return move_block(p, true);
}

int tac_alsa_pcm_get(struct tac_alsa_pcm *p, float *const *data, uint32_t channels)
{
    if (p->mmap)
        return move_mapped(p, data, channels, false);
    int code = move_block(p, false);
    if (code == 0)
        convert(p, p->area, 0, data, channels, 0, p->frames, false);
    return code;
}
