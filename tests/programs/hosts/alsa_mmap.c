/* SPDX-License-Identifier: MIT
 * alsa_mmap.c - plays silence through snd_pcm_mmap_begin() and snd_pcm_mmap_commit(), waiting in
 * snd_pcm_wait(); one period at a time, two periods of buffer. usage: alsa_mmap PCM */
#include "fault.h"

#include <alsa/asoundlib.h>
#include <stdio.h>

static int set_up(snd_pcm_t *pcm)
{
    snd_pcm_hw_params_t *p;
    unsigned rate_hz = RATE_HZ;
    snd_pcm_uframes_t period = PERIOD, buffer = 2 * PERIOD;
    snd_pcm_hw_params_alloca(&p);
    return snd_pcm_hw_params_any(pcm, p) < 0 ||
           snd_pcm_hw_params_set_access(pcm, p, SND_PCM_ACCESS_MMAP_INTERLEAVED) < 0 ||
           snd_pcm_hw_params_set_format(pcm, p, SND_PCM_FORMAT_S16_LE) < 0 ||
           snd_pcm_hw_params_set_channels(pcm, p, 2) < 0 ||
           snd_pcm_hw_params_set_rate_near(pcm, p, &rate_hz, NULL) < 0 ||
           snd_pcm_hw_params_set_period_size_near(pcm, p, &period, NULL) < 0 ||
           snd_pcm_hw_params_set_buffer_size_near(pcm, p, &buffer) < 0 ||
           snd_pcm_hw_params(pcm, p) < 0;
}

/* One period, or what there is room for. */
static int put(snd_pcm_t *pcm)
{
    const snd_pcm_channel_area_t *areas;
    snd_pcm_uframes_t offset, frames = PERIOD;
    if (snd_pcm_mmap_begin(pcm, &areas, &offset, &frames) < 0 ||
        snd_pcm_areas_silence(areas, offset, 2, frames, SND_PCM_FORMAT_S16_LE) < 0)
        return -1;
    return snd_pcm_mmap_commit(pcm, offset, frames) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    snd_pcm_t *pcm;
    if (argc < 2 || snd_pcm_open(&pcm, argv[1], SND_PCM_STREAM_PLAYBACK, 0) < 0 || set_up(pcm))
        return 3;
    for (unsigned i = 0; i < CYCLES; i++) {
        snd_pcm_sframes_t room = snd_pcm_avail_update(pcm);
        if (room < 0 && snd_pcm_recover(pcm, (int)room, 1) < 0)
            return 3;
        if (room >= PERIOD) {
            cycle_work(i);
            if (put(pcm) < 0 && snd_pcm_recover(pcm, -EPIPE, 1) < 0)
                return 3;
        }
        if (snd_pcm_state(pcm) == SND_PCM_STATE_PREPARED && snd_pcm_avail_update(pcm) < PERIOD)
            snd_pcm_start(pcm);
        if (room < PERIOD && snd_pcm_wait(pcm, 1000) < 0)
            snd_pcm_prepare(pcm);
    }
    return snd_pcm_close(pcm) ? 3 : 0;
}
