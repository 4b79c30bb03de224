/* SPDX-License-Identifier: MIT
 * test_loadable.c - a library whose path the loader would cut is spelt without what cuts it; the
 * same path has the same spelling, other paths have others. */
#include "base/loadable.h"

#include "test.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_plain_path_stays(void)
{
    char path[PATH_MAX] = "/usr/lib/tactus/watch/libtactus-watch.so";
    CHECK(tac_loadable_spell(path, sizeof path) == 0);
    CHECK_STR(path, "/usr/lib/tactus/watch/libtactus-watch.so");
}

/* A folder with a space and a colon in its name, and a file two folders below. */
static void make_tree(char *folder, char *file)
{
    char path[PATH_MAX];
    strcpy(folder, "/tmp/tactus test:XXXXXX");
    REQUIRE(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/watch", folder);
    REQUIRE(mkdir(path, 0700) == 0);
    snprintf(file, PATH_MAX, "%s/watch/lib.so", folder);
    FILE *f = fopen(file, "w");
    REQUIRE(f);
    fputs("here", f);
    fclose(f);
}

static void remove_tree(const char *folder, const char *file)
{
    char path[2 * PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/watch", folder);
    unlink(file);
    rmdir(path);
    rmdir(folder);
}

static void one_that_would_be_cut_is_reached_by_another_name(void)
{
    char folder[2][PATH_MAX], file[2][PATH_MAX], spelt[2][PATH_MAX], again[PATH_MAX];
    for (int i = 0; i < 2; i++) {
        make_tree(folder[i], file[i]);
        strcpy(spelt[i], file[i]);
        REQUIRE(tac_loadable_spell(spelt[i], sizeof spelt[i]) == 0);
        CHECK(!strpbrk(spelt[i], " :") && !access(spelt[i], R_OK));
        CHECK(strlen(spelt[i]) > 13 && !strcmp(spelt[i] + strlen(spelt[i]) - 13, "/watch/lib.so"));
    }
    strcpy(again, file[0]);
    CHECK(tac_loadable_spell(again, sizeof again) == 0);
    CHECK_STR(again, spelt[0]);
    CHECK(strcmp(spelt[0], spelt[1]) != 0);
    for (int i = 0; i < 2; i++) {
        remove_tree(folder[i], file[i]);
        *strrchr(spelt[i], '/') = 0;
        *strrchr(spelt[i], '/') = 0;
        CHECK(unlink(spelt[i]) == 0); /* the link that stays */
    }
}

/* Where the link does not help. */
static void one_whose_own_name_would_be_cut_is_refused(void)
{
    static const char *const refused[] = {
        "/a b.so",           "/usr/lib x/a.so", "/usr/lib/a b:c/a.so",
        "/usr/lib/x/a:b.so", "a b.so",          "a b/c.so"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char path[PATH_MAX];
        strcpy(path, refused[i]);
        int r = tac_loadable_spell(path, sizeof path);
        CHECK_MSG(r == -EINVAL, "%s: %d", refused[i], r);
        CHECK_STR(path, refused[i]);
    }
}

static void a_buffer_that_is_too_short_is_refused(void)
{
    char path[24] = "/a b/watch/lib.so";
    CHECK(tac_loadable_spell(path, sizeof path) == -ENAMETOOLONG);
    CHECK_STR(path, "/a b/watch/lib.so");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_plain_path_stays);
    TEST(one_that_would_be_cut_is_reached_by_another_name);
    TEST(one_whose_own_name_would_be_cut_is_refused);
    TEST(a_buffer_that_is_too_short_is_refused);
    return test_end();
}
