// SPDX-License-Identifier: MIT
// rtaudio_player.cpp - plays two seconds of silence through RtAudio's JACK side; allocates in its callback.
// Built by rtaudio.py where RtAudio's headers are.
#include <rtaudio/RtAudio.h>

#include <cstring>
#include <memory>
#include <unistd.h>

static int fill(void *out, void *, unsigned frames, double, RtAudioStreamStatus, void *user)
{
    auto block = std::make_unique<float[]>(frames); // what a callback should not do
    std::memset(out, 0, frames * 2 * sizeof(float));
    ++*static_cast<int *>(user);
    return block ? 0 : 1;
}

int main()
{
    RtAudio audio(RtAudio::UNIX_JACK);
    int calls = 0;
    unsigned frames = 256;
    RtAudio::StreamParameters parameters;
    parameters.deviceId = audio.getDefaultOutputDevice();
    parameters.nChannels = 2;
    audio.openStream(&parameters, nullptr, RTAUDIO_FLOAT32, 48000, &frames, fill, &calls);
    audio.startStream();
    sleep(2);
    audio.stopStream();
    audio.closeStream();
    return calls > 50 ? 0 : 1;
}
