/* SPDX-License-Identifier: MIT
 * readings.c - see readings.h. */
#include "cli/readings.h"

#include <stdio.h>
#include <string.h>

/* The line that is being printed. */
struct line {
    const char *node;
    uint32_t channel;
    const char *unit;
};

static void end(struct line *line)
{
    if (line->node)
        printf(" %s\n", line->unit);
    line->node = NULL;
}

/* "loud, channel 2: momentary -23.1, short -23.0 LUFS, peak -6.2, rms -17.0 dB" */
static void print_reading(void *user, const struct tac_engine_reading *r)
{
    struct line *line = user;
    if (!line->node || strcmp(line->node, r->node) != 0 || line->channel != r->channel) {
        end(line);
        printf("%s", r->node);
        if (r->channels > 1)
            printf(", channel %u", r->channel + 1);
        printf(": ");
    } else {
        printf("%s%s, ", strcmp(line->unit, r->unit) ? " " : "",
               strcmp(line->unit, r->unit) ? line->unit : "");
    }
    printf("%s %.1f", r->name, (double)r->value);
    *line = (struct line){r->node, r->channel, r->unit};
}

void tac_readings_print(struct tac_player *player)
{
    for (uint32_t i = 0; i < player->engines; i++) {
        struct line line = {NULL, 0, ""};
        tac_engine_readings(player->engine[i], print_reading, &line);
        end(&line);
    }
}
