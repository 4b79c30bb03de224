/* SPDX-License-Identifier: MIT
 * pa_blocking.c - plays silence by PortAudio's Pa_WriteStream() on the default device. With the
 * word "read" it records by Pa_ReadStream(). */
#include "fault.h"

#include <portaudio.h>

int main(int argc, char **argv)
{
    static float block[PERIOD * 2];
    PaStream *stream;
    int reads = argc > 1;
    (void)argv;
    if (Pa_Initialize())
        return 3;
    PaStreamParameters side = {.channelCount = 2,
                               .sampleFormat = paFloat32,
                               .suggestedLatency = 2.0 * PERIOD / RATE_HZ,
                               .device = reads ? Pa_GetDefaultInputDevice()
                                               : Pa_GetDefaultOutputDevice()};
    if (Pa_OpenStream(&stream, reads ? &side : NULL, reads ? NULL : &side, RATE_HZ, PERIOD,
                      paNoFlag, NULL, NULL) ||
        Pa_StartStream(stream))
        return 3;
    for (unsigned i = 0; i < CYCLES; i++) {
        cycle_work(i);
        int r =
            reads ? Pa_ReadStream(stream, block, PERIOD) : Pa_WriteStream(stream, block, PERIOD);
        if (r && r != paOutputUnderflowed && r != paInputOverflowed)
            return 3;
    }
    return Pa_CloseStream(stream) || Pa_Terminate() ? 3 : 0;
}
