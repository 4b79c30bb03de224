/* SPDX-License-Identifier: MIT
 * make_everything.c - a recording with each kind of event in known numbers, for exports.py, which
 * counts them again. usage: make_everything FILE [CYCLES] */
#include "make_recording.h"

#include <stdlib.h>

enum { CYCLES = 100 };

static void one_cycle(struct tac_make *m, uint32_t audio, uint32_t gui, uint64_t i)
{
    uint64_t t = 10000 * (i + 1);
    tac_make_cycle(m, audio, 0, t, t + 8000, t + (i == 5 ? 9000 : 7000), 64, NULL);
    tac_make_zone(m, audio, TAC_CAT_NODE, "outer", t + 100, t + 3000);
    tac_make_zone_value(m, audio, t + 101, i + 1);
    tac_make_zone(m, audio, TAC_CAT_NODE, "inner", t + 100, t + 200);
    tac_make_zone(m, gui, TAC_CAT_APP, "draw", t - 50, t + 5000);
    tac_make_memory(m, audio, TAC_MEMORY_ALLOC, 0x1000 + i, 64, t + 400, t + 500);
    tac_make_plot(m, gui, "memory", "B", t, (double)i);
    tac_make_flow(m, gui, 0, i, t + 10);
    tac_make_flow(m, audio, 2, i, t + 50);
    tac_make_message(m, gui, "hello", t + 20);
    tac_make_text(m, gui, "made at run time", t + 30);
    tac_make_lock_wait(m, audio, 0x99, 12, t + 600, t + 700);
    tac_make_kernel(m, (struct tac_format_kernel){t + 800, TAC_KERNEL_SWITCH, 1, 11,
                                                  12ull << 32 | 120, 1ull << 32 | 19});
    tac_make_kernel(m, (struct tac_format_kernel){t + 810, TAC_KERNEL_WAKING, 1, 12,
                                                  11ull << 32 | 19, 1ull << 32});
    tac_make_kernel(m, (struct tac_format_kernel){t + 820, TAC_KERNEL_SWITCH, 1, 12,
                                                  11ull << 32 | 19, 0ull << 32 | 120});
}

int main(int argc, char **argv)
{
    uint64_t cycles = argc > 2 ? strtoull(argv[2], NULL, 10) : CYCLES;
    if (argc < 2)
        return 2;
    struct tac_make *m = tac_make_open(argv[1]);
    tac_make_meta(m, "program", "everything");
    tac_make_meta(m, "kernel", "6.1.0 made by hand");
    tac_make_source(m, 0, "callback", 10000);
    uint32_t audio = tac_make_thread(m, 11, "audio"), gui = tac_make_thread(m, 12, "gui");
    for (uint64_t i = 0; i < cycles; i++)
        one_cycle(m, audio, gui, i);
    tac_make_mapping(m, 0x10000, 0x20000, 0x1000, "0011223344556677889900112233445566778899",
                     "/opt/synth");
    tac_make_stack(m, audio, 55001, (uint64_t[]){0x10010, 0x10020, 0x999}, 3);
    tac_make_symbol(m, 0xffffffff81000000, "schedule");
    tac_make_kernel_stack(m, 55100, 11, TAC_STACK_KERNEL, (uint64_t[]){0xffffffff81000010, 0x10},
                          2);
    tac_make_kernel_stack(m, 55100, 11, TAC_STACK_USER, (uint64_t[]){0x10010, 0x10020}, 2);
    tac_make_gap(m, audio, 44000, 45000, 3);
    tac_make_gap(m, audio, 84000, 85000, 4);
    tac_make_kernel(m, (struct tac_format_kernel){25100, TAC_KERNEL_LOST, 0, 0, 70, 0});
    tac_make_kernel(m, (struct tac_format_kernel){25200, TAC_KERNEL_IRQ_BEGIN, 0, 12, 9, 0});
    tac_make_close(m);
    return 0;
}
