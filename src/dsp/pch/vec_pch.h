/* SPDX-License-Identifier: MIT
 * vec_pch.h - what every block of every variant includes first, compiled once for each variant.
 *
 * How     The compiler's own headers of vector instructions are 60 000 lines, and a block is 200:
 *         without this, nine tenths of the time that a block takes to compile went into them. A
 *         build without precompiled headers (-Db_pch=false) gives the same code. */
#include "dsp/vec.h"
