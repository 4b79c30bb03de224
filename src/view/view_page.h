/* SPDX-License-Identifier: MIT
 * view_page.h - the page, its style and its script, put into the program by embed.py. */
#ifndef TAC_VIEW_VIEW_PAGE_H
#define TAC_VIEW_VIEW_PAGE_H

extern const char tac_view_html[];
extern const char tac_view_css[];
extern const char tac_view_js[];

#endif
