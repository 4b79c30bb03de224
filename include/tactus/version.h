/* SPDX-License-Identifier: MIT
 * version.h - the version of the headers; tac_version() tells that of the library that was loaded.
 */
#ifndef TACTUS_VERSION_H
#define TACTUS_VERSION_H

#define TAC_VERSION_MAJOR 0
#define TAC_VERSION_MINOR 1
#define TAC_VERSION_PATCH 0
#define TAC_VERSION_STRING "0.1.0"

#endif
