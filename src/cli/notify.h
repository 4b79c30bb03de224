/* SPDX-License-Identifier: MIT
 * notify.h - tells the service manager how a long-running command is doing.
 *
 * How     The protocol of sd_notify(3): text in one datagram to the Unix socket that NOTIFY_SOCKET
 *         names ("@" in front: an abstract one). Where there is none, nothing happens. A service of
 *         Type=notify counts as started when it says ready, and with WatchdogSec= it must say that
 *         it is alive before that time is over.
 * Threads one, control. Not real-time.
 * Source  systemd's manual page sd_notify(3), which invites programs to speak it by themselves. */
#ifndef TAC_CLI_NOTIFY_H
#define TAC_CLI_NOTIFY_H

#include <stdbool.h>

/* The sound runs. */
void tac_notify_ready(void);

/* One line that the service manager shows. alive: also the sign of life. */
void tac_notify_status(const char *line, bool alive);

/* The command ends by its own will. */
void tac_notify_stopping(void);

#endif
