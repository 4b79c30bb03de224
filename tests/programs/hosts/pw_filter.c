/* SPDX-License-Identifier: MIT
 * pw_filter.c - a PipeWire filter with one output port that plays silence; ends by itself. */
#include "fault.h"

#include <pipewire/filter.h>
#include <pipewire/pipewire.h>
#include <string.h>

static struct pw_main_loop *loop;
static void *port;

static void process(void *user, struct spa_io_position *position)
{
    unsigned *number = user;
    uint32_t frames = (uint32_t)position->clock.duration;
    float *out = pw_filter_get_dsp_buffer(port, frames);
    if (out)
        memset(out, 0, frames * sizeof *out);
    cycle_work(++*number);
}

static void stop(void *data, uint64_t times)
{
    (void)data;
    (void)times;
    pw_main_loop_quit(loop);
}

int main(int argc, char **argv)
{
    static const struct pw_filter_events events = {PW_VERSION_FILTER_EVENTS, .process = process};
    unsigned number = 0;
    pw_init(&argc, &argv);
    loop = pw_main_loop_new(NULL);
    struct pw_filter *filter = pw_filter_new_simple(
        pw_main_loop_get_loop(loop), "planted",
        pw_properties_new(PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Filter",
                          PW_KEY_MEDIA_ROLE, "DSP", PW_KEY_NODE_ALWAYS_PROCESS, "true", NULL),
        &events, &number);
    port = pw_filter_add_port(filter, PW_DIRECTION_OUTPUT, PW_FILTER_PORT_FLAG_MAP_BUFFERS,
                              sizeof(int),
                              pw_properties_new(PW_KEY_FORMAT_DSP, "32 bit float mono audio",
                                                PW_KEY_PORT_NAME, "output", NULL),
                              NULL, 0);
    if (!port || pw_filter_connect(filter, PW_FILTER_FLAG_RT_PROCESS, NULL, 0) < 0)
        return 3;
    struct timespec seconds = {4, 0}, never = {0, 0};
    struct spa_source *timer = pw_loop_add_timer(pw_main_loop_get_loop(loop), stop, NULL);
    pw_loop_update_timer(pw_main_loop_get_loop(loop), timer, &seconds, &never, false);
    pw_main_loop_run(loop);
    pw_filter_destroy(filter);
    pw_main_loop_destroy(loop);
    return number > 50 ? 0 : 1;
}
