/* tests/common/log/test_chain.c - an archive and its topic as one log: each event once, whatever retention
 * and archiving do meanwhile. */
#include "common/base/rng.h"
#include "common/log/archive.h"
#include "tests/common/log/scratch.h"

enum { PARTITIONS = 2, EVENTS = 3000 };

struct world {
    struct scratch scratch;
    struct log *topic, *chain;
    char archive[100];
};

/* Archive all of the topic below `end`. */
static void archive_up_to(struct world *world, int64_t end)
{
    struct archive_writer *writer;
    must(archive_open(world->archive, "t", PARTITIONS, &writer, &why));
    for (int p = 0; p < PARTITIONS; p++) {
        struct log_reader *reader;
        struct log_batch batch = {.next = 0};
        must(log_reader_open(world->topic, "t", &p, 1, &reader, &why));
        int64_t from = archive_next(writer, p);
        if (from < end)
            must(log_seek(reader, p, from, &why));
        while (from < end) {
            must(log_read(reader, end - from < 100 ? (int)(end - from) : 100, 0, &batch, &why));
            must(archive_add(writer, &batch, &why));
            from = batch.next;
        }
        must(archive_roll(writer, p, &why));
        log_reader_close(reader);
    }
    archive_close(writer);
}

static void trim(struct world *world, int64_t before)
{
    for (int p = 0; p < PARTITIONS; p++)
        must(log_trim(world->topic, "t", p, before, &why));
}

static void append(struct world *world, int64_t from, int count)
{
    for (int p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < count; i += 100)
            append_numbered(world->topic, p, from + i, 100, 20);
}

/* A topic of EVENTS a partition, archived below `archived`, gone below `gone`. */
static struct world world_make(int64_t archived, int64_t gone)
{
    struct world world = {.scratch = scratch_make()};
    char uri[300];
    world.topic = scratch_log(&world.scratch, PARTITIONS);
    snprintf(world.archive, sizeof world.archive, "%s/archive", world.scratch.path);
    append(&world, 0, EVENTS);
    archive_up_to(&world, archived);
    trim(&world, gone);
    snprintf(uri, sizeof uri, "chain:%s+%s", world.archive, world.scratch.uri);
    must(log_open(uri, false, &world.chain, &why));
    return world;
}

static void world_remove(struct world *world)
{
    log_close(world->chain);
    log_close(world->topic);
    scratch_remove(&world->scratch);
}

static struct log_reader *reader_at(struct world *world, int64_t position)
{
    static const int ALL[PARTITIONS] = {0, 1};
    struct log_reader *reader;
    must(log_reader_open(world->chain, "t", ALL, PARTITIONS, &reader, &why));
    for (int p = 0; p < PARTITIONS; p++)
        must(log_seek(reader, p, position, &why));
    return reader;
}

/* Read on until both partitions stand at end; each record must be the next one of its partition. */
static void read_to(struct log_reader *reader, int64_t *next, int64_t end, int max)
{
    int idle = 0;
    while (next[0] < end || next[1] < end) {
        struct log_batch batch;
        struct err err = {0};
        int count = log_read(reader, max, 10, &batch, &err);
        cr_assert_geq(count, 0, "%s", err.text);
        idle = count ? 0 : idle + 1;
        cr_assert_lt(idle, 100, "stands at %lld and %lld", (long long)next[0], (long long)next[1]);
        if (count == 0)
            continue;
        check_numbered(&batch);
        for (int i = 0; i < count; i++)
            cr_assert_eq(batch.offset[i], next[batch.partition]++);
    }
}

Test(chain, every_event_comes_once_from_any_position)
{
    struct world world = world_make(2000, 1000);
    int64_t first, end;
    must(log_range(world.chain, "t", 1, &first, &end, &why));
    cr_expect(first == 0 && end == EVENTS);
    for (int64_t position = 0; position <= EVENTS; position += 250) {
        struct log_reader *reader = reader_at(&world, position);
        int64_t next[PARTITIONS] = {position, position};
        read_to(reader, next, EVENTS, 64);
        log_reader_close(reader);
    }
    world_remove(&world);
}

Test(chain, the_archive_grows_and_retention_moves_under_a_reader)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world world = world_make(500, 500);
        struct rng rng;
        rng_init(&rng, seed);
        int64_t next[PARTITIONS] = {0, 0}, appended = EVENTS, archived = 500;
        struct log_reader *reader = reader_at(&world, 0);
        while (appended < EVENTS + 3000) {
            read_to(reader, next, (int64_t)rng_below(&rng, (uint64_t)appended), 50);
            archived += (int64_t)rng_below(&rng, (uint64_t)(appended - archived + 1));
            archive_up_to(&world, archived);
            trim(&world, archived - (int64_t)rng_below(&rng, 100));
            append(&world, appended, 300);
            appended += 300;
        }
        read_to(reader, next, appended, 500);
        log_reader_close(reader);
        world_remove(&world);
    }
}

Test(chain, offsets_that_are_nowhere_are_an_error_that_names_them)
{
    struct world world = world_make(1000, 2000);
    int64_t first, end;
    struct err err = {0};
    must(log_range(world.topic, "t", 0, &first, &end, &why));
    cr_assert_gt(first, 1000, "retention has left no hole");
    cr_expect_eq(log_range(world.chain, "t", 0, &first, &end, &err), ERR_GONE);
    cr_expect(strstr(err.text, "its archive ends at 1000"), "%s", err.text);
    world_remove(&world);
}

Test(chain, a_hole_that_comes_under_a_reader_is_an_error_behind_the_last_event)
{
    struct world world = world_make(1000, 0);
    struct log_reader *reader = reader_at(&world, 0);
    int64_t next[PARTITIONS] = {0, 0};
    struct err err = {0};
    int rc = 0;
    read_to(reader, next, 900, 64);
    trim(&world, 2500);
    for (int i = 0; i < 200 && rc >= 0; i++) {
        struct log_batch batch;
        rc = log_read(reader, 64, 0, &batch, &err);
        for (int k = 0; k < rc; k++)
            cr_expect_eq(batch.offset[k], next[batch.partition]++);
    }
    cr_expect_eq(rc, ERR_GONE);
    cr_expect(strstr(err.text, "is nowhere"), "%s", err.text);
    cr_expect(next[0] <= 1000 && next[1] <= 1000);
    log_reader_close(reader);
    world_remove(&world);
}

Test(chain, a_paused_partition_is_not_delivered_from_either)
{
    struct world world = world_make(2000, 1000);
    struct log_reader *reader = reader_at(&world, 0);
    int64_t next[PARTITIONS] = {0, EVENTS};
    log_pause(reader, 1, true);
    read_to(reader, next, EVENTS, 64);
    log_pause(reader, 1, false);
    next[1] = 0;
    read_to(reader, next, EVENTS, 64);
    log_reader_close(reader);
    world_remove(&world);
}

Test(chain, a_record_and_a_time_are_found_in_whichever_has_them)
{
    struct world world = world_make(2000, 1000);
    struct log_reader *reader = reader_at(&world, 0);
    static const int64_t OFFSETS[] = {0, 999, 1999, 2000, EVENTS - 1};
    for (size_t i = 0; i < sizeof OFFSETS / sizeof *OFFSETS; i++) {
        struct log_batch batch;
        int64_t found;
        cr_assert_eq(log_get(reader, 0, OFFSETS[i], &batch, NULL), 1);
        check_numbered(&batch);
        must(log_offset_at(world.chain, "t", 0, batch.time_ms[0], &found, &why));
        cr_expect_leq(found, OFFSETS[i]);
        cr_assert_eq(log_get(reader, 0, found, &batch, NULL), 1);
    }
    struct log_batch batch;
    cr_expect_eq(log_get(reader, 0, EVENTS, &batch, NULL), 0);
    log_reader_close(reader);
    world_remove(&world);
}

Test(chain, what_is_no_chain_is_refused)
{
    struct world world = world_make(100, 0);
    struct err err = {0};
    struct log *log = NULL, *other = NULL;
    char uri[300];
    cr_expect_eq(log_open("chain:/tmp/a", false, &log, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "chain:ARCHIVE-DIR+kafka:"), "%s", err.text);
    err_clear(&err);
    cr_expect_eq(log_create_topic(world.chain, "u", (struct log_shape){.partitions = 1}, &err),
                 ERR_USAGE);
    cr_expect(strstr(err.text, "read only"), "%s", err.text);
    err_clear(&err);
    snprintf(uri, sizeof uri, "embedded:%s/other", world.scratch.path);
    must(log_open(uri, true, &other, &why));
    must(log_create_topic(other, "t", (struct log_shape){.partitions = 3}, &why));
    snprintf(uri, sizeof uri, "chain:%s+embedded:%s/other", world.archive, world.scratch.path);
    must(log_open(uri, false, &log, &why));
    cr_expect_eq(log_partitions(log, "t", &err), ERR_USAGE);
    cr_expect(strstr(err.text, "its archive 2"), "%s", err.text);
    log_close(log);
    log_close(other);
    world_remove(&world);
}
