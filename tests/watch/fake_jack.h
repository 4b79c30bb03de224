/* SPDX-License-Identifier: MIT
 * fake_jack.h - the part of JACK's interface that the stand-in has. */
#ifndef TAC_TEST_FAKE_JACK_H
#define TAC_TEST_FAKE_JACK_H

#include <stdint.h>

#define FAKE_JACK_PERIOD_US 1333.3f
/* The second half of the cycles has periods twice as long. Before one of them the client sleeps
 * through some; before another the server does. */
enum {
    FAKE_JACK_FRAMES = 64,
    FAKE_JACK_CYCLES = 20,
    FAKE_JACK_CLIENT_SLEEPS = 14,
    FAKE_JACK_SERVER_SLEEPS = 17
};

#pragma GCC visibility push(default)
typedef struct _jack_client jack_client_t;

jack_client_t *fake_jack_open(const char *name);
int fake_jack_play(jack_client_t *c);
int jack_set_process_callback(jack_client_t *c, int (*process)(uint32_t, void *), void *argument);
int jack_set_thread_init_callback(jack_client_t *c, void (*init)(void *), void *argument);
int jack_set_buffer_size_callback(jack_client_t *c, int (*changed)(uint32_t, void *),
                                  void *argument);
uint32_t jack_get_buffer_size(jack_client_t *c);
uint32_t jack_get_sample_rate(jack_client_t *c);
char *jack_get_client_name(jack_client_t *c);
int jack_get_cycle_times(const jack_client_t *c, uint32_t *frames, uint64_t *now, uint64_t *next,
                         float *period);
#pragma GCC visibility pop

#endif
