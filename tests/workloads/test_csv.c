/* tests/workloads/test_csv.c - rows as RFC 4180 has them, and as JSON. */
#include "scratch.h"
#include "workloads/csv.h"

/* All rows as JSON, each behind its line number; or the error. */
static void read_all(const char *path, struct buf *out)
{
    struct input *input;
    struct csv *csv = NULL;
    struct err err = {0};
    int rc = input_open(path, &input, &err);
    if (rc == 0)
        rc = csv_open_take(input, &csv, &err);
    while (rc >= 0 && (rc = csv_next(csv, &err)) == 1) {
        buf_printf(out, "%lld", (long long)csv_line(csv));
        csv_add_json(csv, out);
    }
    if (rc < 0)
        buf_printf(out, "error %d %s", rc, strrchr(err.text, '/'));
    csv_close(csv);
}

static const struct {
    const char *csv, *json;
} ROWS[] = {
    {"a,b\n1,x\n", "2{\"a\":1,\"b\":\"x\"}"},
    {"a,b\r\n1,x\r\n2,y\r\n", "2{\"a\":1,\"b\":\"x\"}3{\"a\":2,\"b\":\"y\"}"},
    {"a,b\n1,x", "2{\"a\":1,\"b\":\"x\"}"},
    {"\xef\xbb\xbf"
     "a,b\n1,x\n",
     "2{\"a\":1,\"b\":\"x\"}"},
    {"a,b\n\"1,5\",\"say \"\"hi\"\"\"\n", "2{\"a\":\"1,5\",\"b\":\"say \\\"hi\\\"\"}"},
    {"a,b\n\"two\nlines\",x\ny,z\n",
     "2{\"a\":\"two\\u000alines\",\"b\":\"x\"}4{\"a\":\"y\",\"b\":\"z\"}"},
    {"a,b\r\n\"two\r\nlines\",\"x\"\r\n", "2{\"a\":\"two\\u000d\\u000alines\",\"b\":\"x\"}"},
    {"a,b,c\n,,\n,\"\",3\n", "2{}3{\"c\":3}"},
    {"a,b\n\n1,2\n\r\n\n3,4\n\n", "3{\"a\":1,\"b\":2}6{\"a\":3,\"b\":4}"},
    {"a\n007\n-0\n1.\n.5\n-1.5e+3\n1e\n+1\n0x1\n 1\nNaN\n-\n1E9\n",
     "2{\"a\":\"007\"}3{\"a\":-0}4{\"a\":\"1.\"}5{\"a\":\".5\"}6{\"a\":-1.5e+3}7{\"a\":\"1e\"}"
     "8{\"a\":\"+1\"}9{\"a\":\"0x1\"}10{\"a\":\" "
     "1\"}11{\"a\":\"NaN\"}12{\"a\":\"-\"}13{\"a\":1E9}"},
    {"\"a,\"\"b\"\n1\n", "2{\"a,\\\"b\":1}"},
    {"a\nx\ry\n", "2{\"a\":\"x\\u000dy\"}"},
    {"a\nx\r", "2{\"a\":\"x\"}"},
    {"a,b\n1\n", "error -2 /t.csv:2: the row has 1 cells, the header 2"},
    {"a,b\n1,2\n1,2,3\n", "2{\"a\":1,\"b\":2}error -2 /t.csv:3: the row has 3 cells, the header 2"},
    {"a\n\"x\n", "error -2 /t.csv:2: a quote is not closed"},
    {"a\n\"x\"y\n",
     "error -2 /t.csv:2: text follows a closing quote (a quote inside a cell is written twice)"},
    {"a,a\n1,2\n", "error -2 /t.csv:1: two columns are called \"a\"; rename one"},
    {"", "error -2 /t.csv is empty: no header"},
};

Test(csv, rows_become_objects)
{
    struct scratch scratch = scratch_make();
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf out = {0};
        read_all(scratch_file(&scratch, "t.csv", bytes_of(ROWS[i].csv)), &out);
        cr_expect_str_eq(out.ptr, ROWS[i].json, "row %zu: %s", i, out.ptr);
        buf_release(&out);
    }
    scratch_remove(&scratch);
}

/* Rows across the window's end (256 KiB), at every place in a row where it can fall. */
Test(csv, a_row_may_cross_the_windows_end_anywhere)
{
    static const char row[] = "12,\"a\"\"b\nc\",x\ry\r\n";
    struct scratch scratch = scratch_make();
    for (size_t pad = 0; pad < sizeof row; pad++) {
        struct buf text = {0}, out = {0}, want = {0};
        buf_printf(&text, "n,%.*s,r\n", (int)pad + 1, "tttttttttttttttttttttt");
        int64_t line = 2;
        while (text.len < (256 << 10) + 100) {
            buf_add_text(&text, row);
            buf_printf(&want, "%lld{\"n\":12,\"%.*s\":\"a\\\"b\\u000ac\",\"r\":\"x\\u000dy\"}",
                       (long long)line, (int)pad + 1, "tttttttttttttttttttttt");
            line += 2;
        }
        read_all(scratch_file(&scratch, "t.csv", buf_bytes(&text)), &out);
        cr_expect(bytes_equal(buf_bytes(&out), buf_bytes(&want)), "pad %zu", pad);
        buf_release(&text);
        buf_release(&out);
        buf_release(&want);
    }
    scratch_remove(&scratch);
}
