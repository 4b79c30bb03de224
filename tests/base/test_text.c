/* SPDX-License-Identifier: MIT
 * test_text.c - the growing text, its escapes and the human numbers. */
#include "base/text.h"

#include "test.h"

static void text_grows_and_formats(void)
{
    struct tac_text t = {0};
    CHECK_STR(tac_text_string(&t), "");
    for (int i = 0; i < 1000; i++)
        tac_text_addf(&t, "%d,", i);
    CHECK(t.length == 10 * 2 + 90 * 3 + 900 * 4 && !t.failed);
    CHECK(!memcmp(t.data, "0,1,2,", 6));
    tac_text_fini(&t);
}

static void json_escapes_and_repairs(void)
{
    struct tac_text t = {0};
    tac_text_add_json(&t, "a\"b\\\n\xc3\xa4\xff\xe2\x82");
    CHECK_STR(tac_text_string(&t), "\"a\\\"b\\\\\\u000a\xc3\xa4\\ufffd\\ufffd\\ufffd\"");
    tac_text_fini(&t);
}

static void html_escapes(void)
{
    struct tac_text t = {0};
    tac_text_add_html(&t, "<a href=\"x\">&");
    CHECK_STR(tac_text_string(&t), "&lt;a href=&quot;x&quot;&gt;&amp;");
    tac_text_fini(&t);
}

static void human_numbers(void)
{
    char b[16];
    CHECK_STR(tac_text_bytes(512, b, sizeof b), "512 B");
    CHECK_STR(tac_text_bytes(1536, b, sizeof b), "1.5 KiB");
    CHECK_STR(tac_text_bytes(300.0 * 1024 * 1024, b, sizeof b), "300 MiB");
    CHECK_STR(tac_text_duration(812000, b, sizeof b), "812 us");
    CHECK_STR(tac_text_duration(1333333, b, sizeof b), "1.33 ms");
    CHECK_STR(tac_text_duration(2.5e9, b, sizeof b), "2.50 s");
}

static void a_strangers_text_steers_no_terminal(void)
{
    char text[] = "a\x1b[31m\nb\xc2\x9b"
                  "2J\xc3\xa4\x9b\x7f\te\xe2\x82";
    tac_text_clean(text);
    CHECK_STR(text, "a?[31m b??2J\xc3\xa4?? e??");
    char empty[] = "";
    tac_text_clean(empty);
    CHECK_STR(empty, "");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(text_grows_and_formats);
    TEST(json_escapes_and_repairs);
    TEST(html_escapes);
    TEST(human_numbers);
    TEST(a_strangers_text_steers_no_terminal);
    return test_end();
}
