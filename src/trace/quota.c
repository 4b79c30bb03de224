/* SPDX-License-Identifier: MIT
 * quota.c - see quota.h. Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and
 * Documentation/scheduler/sched-bwc.rst (cpu.cfs_quota_us). */
#include "trace/quota.h"

#include "trace/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one group. False when it has none. */
static bool read_quota(const char *group, char *text, size_t size)
{
    char path[512], period[32];
    snprintf(path, sizeof path, "%s/cpu.max", group); /* of version 2 */
    if (*tac_line_read(path, text, size))
        return strncmp(text, "max", 3) != 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", group);
    if (!*tac_line_read(path, text, size) || *text == '-')
        return false;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", group);
    size_t n = strlen(text);
    snprintf(text + n, size - n, " %s", tac_line_read(path, period, sizeof period));
    return true;
}

/* CPUs that it comes to. */
static double cpus_of(const char *quota)
{
    char *end;
    double us = strtod(quota, &end), period_us = strtod(end, NULL);
    return period_us > 0 ? us / period_us : 0;
}

bool tac_quota_find(char *group, size_t root_length, char *text, size_t size)
{
    char here[64];
    bool found = false;
    for (;;) {
        if (read_quota(group, here, sizeof here) && (!found || cpus_of(here) < cpus_of(text))) {
            snprintf(text, size, "%s", here);
            found = true;
        }
        char *slash = strrchr(group, '/');
        if (!slash || (size_t)(slash - group) < root_length)
            return found;
        *slash = 0;
    }
}
