/* SPDX-License-Identifier: MIT
 * export.h - a capture in the formats of other tools. */
#ifndef TAC_CAPTURE_EXPORT_H
#define TAC_CAPTURE_EXPORT_H

#include "capture/capture.h"

#include <stdio.h>

/* Perfetto's protobuf (a row of TracePackets; ui.perfetto.dev, trace_processor). Times are shifted
 * to CLOCK_BOOTTIME, which that format takes as its default. 0 or -errno of the file. */
TAC_MUST_CHECK int tac_export_perfetto(const struct tac_capture *capture, FILE *file);

/* Statistics of zones, one line a name: CSV. */
TAC_MUST_CHECK int tac_export_csv(const struct tac_capture *capture, FILE *file);

#endif
