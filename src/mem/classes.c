/* SPDX-License-Identifier: MIT
 * classes.c - the table of size classes.
 *
 * The reciprocal is ceil(2^32 / block): for offsets below 64 KiB the product's error is less than
 * offset * block / 2^32 < 1 / block of an index step, so the quotient is exact for every multiple
 * of the block size, and every address inside a block (tests/mem/test_classes.c tries all). */
#include "mem/classes.h"

#define CLASS(block, capacity, units)                                                              \
    {                                                                                              \
        block, (uint32_t)(((1ull << 32) + block - 1) / block), capacity, units                     \
    }

const struct tac_class tac_class_table[TAC_CLASSES] = {
    {0, 0, 0, 0},        CLASS(16, 1024, 4),  CLASS(32, 512, 4),   CLASS(48, 341, 4),
    CLASS(64, 256, 4),   CLASS(80, 204, 4),   CLASS(96, 170, 4),   CLASS(112, 146, 4),
    CLASS(128, 128, 4),  CLASS(144, 113, 4),  CLASS(160, 102, 4),  CLASS(176, 93, 4),
    CLASS(192, 85, 4),   CLASS(208, 78, 4),   CLASS(224, 73, 4),   CLASS(240, 68, 4),
    CLASS(256, 64, 4),   CLASS(272, 60, 4),   CLASS(288, 56, 4),   CLASS(304, 53, 4),
    CLASS(320, 51, 4),   CLASS(336, 48, 4),   CLASS(352, 46, 4),   CLASS(368, 44, 4),
    CLASS(384, 42, 4),   CLASS(400, 40, 4),   CLASS(416, 39, 4),   CLASS(432, 37, 4),
    CLASS(448, 36, 4),   CLASS(464, 35, 4),   CLASS(480, 34, 4),   CLASS(496, 33, 4),
    CLASS(512, 32, 4),   CLASS(528, 31, 4),   CLASS(544, 30, 4),   CLASS(560, 29, 4),
    CLASS(576, 28, 4),   CLASS(592, 27, 4),   CLASS(608, 26, 4),   CLASS(624, 26, 4),
    CLASS(640, 25, 4),   CLASS(656, 24, 4),   CLASS(672, 24, 4),   CLASS(688, 23, 4),
    CLASS(704, 23, 4),   CLASS(720, 22, 4),   CLASS(736, 22, 4),   CLASS(752, 21, 4),
    CLASS(768, 21, 4),   CLASS(784, 20, 4),   CLASS(800, 20, 4),   CLASS(816, 20, 4),
    CLASS(832, 19, 4),   CLASS(848, 19, 4),   CLASS(864, 18, 4),   CLASS(880, 18, 4),
    CLASS(896, 18, 4),   CLASS(912, 17, 4),   CLASS(928, 17, 4),   CLASS(944, 17, 4),
    CLASS(960, 17, 4),   CLASS(976, 16, 4),   CLASS(992, 16, 4),   CLASS(1008, 16, 4),
    CLASS(1024, 16, 4),  CLASS(1088, 15, 4),  CLASS(1168, 14, 4),  CLASS(1248, 13, 4),
    CLASS(1360, 12, 4),  CLASS(1488, 11, 4),  CLASS(1632, 10, 4),  CLASS(1808, 9, 4),
    CLASS(2048, 8, 4),   CLASS(2336, 28, 16), CLASS(2720, 24, 16), CLASS(3264, 20, 16),
    CLASS(3632, 18, 16), CLASS(4096, 16, 16), CLASS(4672, 14, 16), CLASS(5456, 12, 16),
    CLASS(6544, 10, 16), CLASS(7280, 9, 16),  CLASS(8192, 8, 16),  CLASS(9360, 7, 16),
    CLASS(10912, 6, 16), CLASS(13104, 5, 16), CLASS(16384, 4, 16),
};

/* Class of n * 128 bytes. */
const uint8_t tac_class_of_128[TAC_CLASS_MAX_BYTES / 128 + 1] = {
    0,  8,  16, 24, 32, 40, 48, 56, 64, 66, 68, 69, 70, 71, 71, 72, 72, 73, 73, 74, 74, 74,
    75, 75, 75, 75, 76, 76, 76, 77, 77, 77, 77, 78, 78, 78, 78, 79, 79, 79, 79, 79, 79, 80,
    80, 80, 80, 80, 80, 80, 80, 80, 81, 81, 81, 81, 81, 82, 82, 82, 82, 82, 82, 82, 82, 83,
    83, 83, 83, 83, 83, 83, 83, 83, 84, 84, 84, 84, 84, 84, 84, 84, 84, 84, 84, 84, 85, 85,
    85, 85, 85, 85, 85, 85, 85, 85, 85, 85, 85, 85, 85, 85, 85, 86, 86, 86, 86, 86, 86, 86,
    86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86,
};
