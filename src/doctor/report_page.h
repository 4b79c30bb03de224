/* SPDX-License-Identifier: MIT
 * report_page.h - the page, its style and its script, and what the view shares with them, put into
 * the program by embed.py. */
#ifndef TAC_DOCTOR_REPORT_PAGE_H
#define TAC_DOCTOR_REPORT_PAGE_H

extern const char tac_page_html[];
extern const char tac_page_css[];
extern const char tac_page_js[];
extern const char tac_shared_css[];
extern const char tac_shared_js[];

#endif
