/* workloads/flights.c - two weeks of real flights, published when their delay was known.
 *
 * workloads/data/README.md says where the rows are from. Event time is the departure; a record is
 * published at departure + max(0, delay), a model that puts 46 % of these two weeks out of order.
 * The rows are read at once and sorted by publish time (those of one minute in the file's order),
 * 40 MB for the file that comes with the program. The key is the origin airport. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/event/scan.h"
#include "workloads/csv.h"
#include "workloads/workload.h"

#define DATA_FILE "flights-2001-01-01_14.csv.zst"

struct flight {
    int64_t departure_ms, publish_ms;
    size_t at; /* in text: the value, then the key */
    uint32_t value_len, key_len;
};

struct flights {
    struct buf text;
    struct flight *flight;
    size_t count, capacity, next;
};

/* The data's place: $LK_DATA, the source tree we stand in, the program's own directory, or where
 * an install puts it. */
static int find_data(struct buf *path, struct err *err)
{
    char self[512];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    const char *data = getenv("LK_DATA");
    const struct {
        const char *base, *below;
    } places[] = {{data, ""},
                  {"workloads/data", ""},
                  {self, "/workloads/data"},
                  {self, "/../share/lk"},
                  {self, "/../../workloads/data"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i].base)
            continue;
        buf_clear(path);
        buf_printf(path, "%s%s/%s", places[i].base, places[i].below, DATA_FILE);
        if (access(path->ptr, R_OK) == 0)
            return 0;
    }
    return err_set(err, ERR_ENV,
                   "cannot find %s in $LK_DATA, workloads/data or beside the program; say where: "
                   "LK_DATA=DIR",
                   DATA_FILE);
}

static void flights_close(void *state)
{
    struct flights *flights = state;
    buf_release(&flights->text);
    free(flights->flight);
    free(flights);
}

/* What is read from a row besides its text. */
struct row_reader {
    struct field field[2]; /* departure, delay */
    struct schema schema;
    struct scanner *scanner;
    struct columns *columns;
    int origin;
};

static void row_reader_init(struct row_reader *reader)
{
    *reader = (struct row_reader){
        .field = {{.name = "departure",
                   .type = FIELD_TIME,
                   .time_format = TIME_STRPTIME,
                   .time_pattern = "%Y-%m-%dT%H:%MZ",
                   .paths = 1},
                  {.name = "delay", .type = FIELD_INT, .paths = 1}},
        .schema = {.scanned = 2, .count = 2},
    };
    reader->schema.fields = reader->field;
    for (int i = 0; i < 2; i++)
        field_path_parse(reader->field[i].name, &reader->field[i].path[0]);
    reader->scanner = scanner_new(&reader->schema, SCAN_BEST);
    reader->columns = columns_new(&reader->schema);
}

static void row_reader_release(struct row_reader *reader)
{
    scanner_free(reader->scanner);
    columns_free(reader->columns);
}

static int add_flight(struct flights *flights, struct row_reader *reader, const struct csv *csv,
                      const char *path, struct err *err)
{
    struct flight flight = {.at = flights->text.len};
    csv_add_json(csv, &flights->text);
    flight.value_len = (uint32_t)(flights->text.len - flight.at);
    struct bytes value = {flights->text.ptr + flight.at, flight.value_len};
    scanner_batch(reader->scanner, &value, 1, reader->columns);
    if (reader->columns->bad[0] != BAD_NOT) {
        struct buf why = {0};
        bad_describe(reader->columns->bad[0], &reader->schema, reader->columns->bad_field[0], &why);
        int rc = err_set(err, ERR_USAGE, "%s:%lld: %s", path, (long long)csv_line(csv), why.ptr);
        buf_release(&why);
        return rc;
    }
    int64_t delay_min = reader->columns->column[1].i64[0];
    flight.departure_ms = reader->columns->column[0].i64[0];
    flight.publish_ms = flight.departure_ms + (delay_min > 0 ? delay_min * 60000 : 0);
    struct bytes key = csv_cell(csv, reader->origin);
    flight.key_len = (uint32_t)key.len;
    buf_add(&flights->text, key.ptr, key.len);
    if (flights->count == flights->capacity) {
        flights->capacity = flights->capacity ? flights->capacity * 2 : 1 << 18;
        flights->flight = mem_grow(flights->flight, flights->capacity * sizeof flight);
    }
    flights->flight[flights->count++] = flight;
    return 0;
}

static int read_flights(struct flights *flights, const char *path, struct err *err)
{
    struct input *input;
    struct csv *csv = NULL;
    int rc = input_open(path, &input, err);
    if (rc == 0)
        rc = csv_open_take(input, &csv, err);
    if (rc < 0)
        return rc;
    struct row_reader reader;
    row_reader_init(&reader);
    reader.origin = csv_column(csv, "origin", err);
    rc = reader.origin < 0 ? reader.origin : 1;
    while (rc == 1 && (rc = csv_next(csv, err)) == 1) {
        int added = add_flight(flights, &reader, csv, path, err);
        rc = added < 0 ? added : rc;
    }
    row_reader_release(&reader);
    csv_close(csv);
    return rc;
}

static int by_publish(const void *a, const void *b)
{
    const struct flight *x = a, *y = b;
    if (x->publish_ms != y->publish_ms)
        return x->publish_ms < y->publish_ms ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at; /* the file's order */
}

static int flights_open(const struct workload_options *options, void **state, struct err *err)
{
    struct flights *flights = mem_zero(1, sizeof *flights);
    struct buf path = {0};
    int rc = 0;
    if (options->file)
        buf_add_text(&path, options->file);
    else
        rc = find_data(&path, err);
    if (rc == 0)
        rc = read_flights(flights, path.ptr, err);
    if (rc == 0 && options->tables_dir)
        rc = workload_write(options->tables_dir, workload_flights.plan,
                            workload_plan(workload_flights.plan), err);
    buf_release(&path);
    if (rc < 0) {
        flights_close(flights);
        return rc;
    }
    if (flights->count > 0)
        qsort(flights->flight, flights->count, sizeof *flights->flight, by_publish);
    *state = flights;
    return 0;
}

static int flights_next(void *state, struct workload_event *event, struct err *err)
{
    (void)err;
    struct flights *flights = state;
    if (flights->next == flights->count)
        return 0;
    const struct flight *flight = &flights->flight[flights->next++];
    const char *text = flights->text.ptr + flight->at;
    event->value = (struct bytes){text, flight->value_len};
    event->key = (struct bytes){text + flight->value_len, flight->key_len};
    event->event_ms = flight->departure_ms;
    event->publish_us = (flight->publish_ms - flights->flight[0].publish_ms) * 1000;
    return 1;
}

const struct workload workload_flights = {
    .name = "flights",
    .summary = "228,738 real flights of two weeks, many of them late",
    .plan = "flights.json",
    .open = flights_open,
    .next = flights_next,
    .close = flights_close,
};
