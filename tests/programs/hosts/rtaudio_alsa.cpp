// SPDX-License-Identifier: MIT
// rtaudio_alsa.cpp - plays silence through RtAudio's ALSA side on ALSA's default PCM.
#include "fault.h"

#include <rtaudio/RtAudio.h>

#include <cstring>
#include <unistd.h>

// RtAudio counts a device "default" when ALSA's default control opens; there is no card here.
extern "C" int snd_ctl_open(void **ret_ctl, const char *name, int)
{
    *ret_ctl = nullptr;
    return std::strcmp(name, "default") ? -1 : 0;
}
extern "C" int snd_ctl_close(void *)
{
    return 0;
}

static int fill(void *out, void *, unsigned frames, double, RtAudioStreamStatus, void *user)
{
    std::memset(out, 0, frames * 2 * sizeof(float));
    cycle_work(++*static_cast<unsigned *>(user));
    return 0;
}

int main()
{
    RtAudio audio(RtAudio::LINUX_ALSA);
    unsigned calls = 0, frames = PERIOD;
    RtAudio::StreamParameters parameters;
    RtAudio::StreamOptions options;
    parameters.deviceId = 0;
    parameters.nChannels = 2;
    options.flags = RTAUDIO_ALSA_USE_DEFAULT;
    options.numberOfBuffers = 2;
    audio.openStream(&parameters, nullptr, RTAUDIO_FLOAT32, RATE_HZ, &frames, fill, &calls, &options);
    audio.startStream();
    usleep(2500000);
    audio.stopStream();
    audio.closeStream();
    return calls > 50 ? 0 : 1;
}
