/* tests/fuzz/fuzz_scan.c - libFuzzer's way into agree.h: an input is lines, read one after the other.
 *
 * Each line is also made into cells of every type, for the sanitizers to see. */
#include <stdlib.h>

#include "common/event/scan.h"
#include "tests/fuzz/agree.h"

#define FIELD(word, kind) .name = (word), .type = (kind), .optional = true, .paths = 1
enum { FIELDS = 7 };

static void check_typed(struct scanner **scanner, struct columns **columns, struct bytes line)
{
    static struct field fields[FIELDS] = {
        {FIELD("event_time", FIELD_TIME), .time_format = TIME_US},
        {FIELD("a", FIELD_INT)},
        {FIELD("b", FIELD_DECIMAL), .scale = 3},
        {FIELD("d", FIELD_DOUBLE)},
        {FIELD("ad_id", FIELD_STRING)},
        {FIELD("c", FIELD_TIME), .time_format = TIME_RFC3339},
        {FIELD("aa", FIELD_TIME), .time_format = TIME_STRPTIME, .time_pattern = "%Y-%m-%dT%H:%MZ"},
    };
    static const struct schema SCHEMA = {fields, FIELDS, FIELDS};
    for (int i = 0; i < FIELDS && !*scanner; i++)
        field_path_parse(fields[i].name, &fields[i].path[0]);
    if (!*scanner) {
        *scanner = scanner_new(&SCHEMA, SCAN_BEST);
        *columns = columns_new(&SCHEMA);
    }
    scanner_batch(*scanner, &line, 1, *columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scanner *scanner; /* for the cells only: these need no fresh one */
    static struct columns *columns;
    struct agree *agree = agree_new();
    const char *at = (const char *)data, *end = at + size;
    for (;;) {
        const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!line_end)
            line_end = end;
        struct bytes line = {at, (size_t)(line_end - at)};
        if (agree_check(agree, line) == AGREE_DIFFERENT)
            abort();
        check_typed(&scanner, &columns, line);
        if (line_end == end)
            break;
        at = line_end + 1;
    }
    agree_free(agree);
    return 0;
}
