/* SPDX-License-Identifier: MIT
 * test_quota.c - of the quotas of a control group and those above it the tightest holds, in the
 * forms of both versions. */
#include "trace/quota.h"

#include "test.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/tactus-quota-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    REQUIRE(file);
    fputs(text, file);
    fclose(file);
}

static const char *found(const char *group)
{
    static char text[64];
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, group);
    return tac_quota_find(path, strlen(root), text, sizeof text) ? text : "none";
}

static void none_is_none(void)
{
    put("a/cpu.max", "max 100000\n");
    put("a/b/cpu.max", "max 100000\n");
    CHECK_STR(found("/a/b"), "none");
    CHECK_STR(found("/"), "none");
}

static void the_tightest_holds(void)
{
    put("a/cpu.max", "20000 100000\n");
    put("a/b/cpu.max", "90000 100000\n");
    CHECK_STR(found("/a/b"), "20000 100000");
    put("a/b/cpu.max", "5000 50000\n");
    CHECK_STR(found("/a/b"), "5000 50000");
    put("a/b/cpu.max", "max 100000\n");
    CHECK_STR(found("/a/b"), "20000 100000");
}

static void so_it_is_of_version_one(void)
{
    put("c/cpu.cfs_quota_us", "10000\n");
    put("c/cpu.cfs_period_us", "100000\n");
    put("c/d/cpu.cfs_quota_us", "50000\n");
    put("c/d/cpu.cfs_period_us", "100000\n");
    CHECK_STR(found("/c/d"), "10000 100000");
    put("c/cpu.cfs_quota_us", "-1\n");
    CHECK_STR(found("/c/d"), "50000 100000");
}

int main(int argc, char **argv)
{
    static const char *const folders[] = {"a", "a/b", "c", "c/d"};
    char path[PATH_MAX];
    test_begin(argc, argv);
    if (!mkdtemp(root))
        return 1;
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        if (mkdir(path, 0700))
            return 1;
    }
    TEST(none_is_none);
    TEST(the_tightest_holds);
    TEST(so_it_is_of_version_one);
    snprintf(path, sizeof path, "rm -r %s", root);
    return system(path) ? 1 : test_end();
}
