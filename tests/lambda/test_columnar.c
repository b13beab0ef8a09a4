/* tests/lambda/test_columnar.c - columns give the generation that the segments give, or are not used. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "lambda/columnar.h"
#include "lambda/columnar_fold.h"
#include "tests/lambda/kit.h"

enum { PARTITIONS = 2, SEGMENTS = 5, SEED = 20261122 };

/* Several blocks of 4,096 and their edges. */
static const int SIZES[SEGMENTS] = {9000, 50, 4096, 1, 3000};

#define SOURCE                                                                                     \
    "\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"                        \
    "\"id\":\"int\",\"k\":{\"type\":\"string\",\"optional\":true},\"type\":\"string\","            \
    "\"x\":{\"type\":\"int\",\"optional\":true},\"d\":\"decimal:2\",\"f\":\"double\","             \
    "\"b\":{\"type\":\"bool\",\"optional\":true},\"w\":{\"type\":\"string\",\"default\":\"none\"}" \
    "}"

/* rest: behind the members of "source", which it closes unless it adds some. by_codes: the plan is among those that codes are enough for. */
static const struct {
    const char *rest;
    bool by_codes;
} PLANS[] = {
    {"\"key\":[\"k\"],\"window\":{\"tumbling\":\"10s\"},\"values\":{\"n\":\"count\"}", true},
    {"\"where\":[\"type\",\"=\",\"view\"],\"key\":[\"type\"],\"window\":{\"tumbling\":\"1s\"},"
     "\"values\":{\"n\":\"count\",\"m\":\"count\"}",
     true},
    {"\"where\":{\"and\":[{\"or\":[[\"type\",\"prefix\",\"v\"],[\"k\",\"in\",[\"a\",\"k1\"]]]},"
     "{\"not\":[\"x\",\">\",100]},[\"k\",\"exists\"],[\"w\",\"!=\",\"none\"]]},"
     "\"key\":[\"w\",\"k\"],\"window\":{\"hopping\":[\"10s\",\"4s\"]},"
     "\"values\":{\"n\":\"count\"}",
     true},
    {"\"key\":[\"type\"],\"window\":{\"tumbling\":\"10s\"},\"values\":{\"n\":\"count\","
     "\"s\":{\"sum\":\"d\"},\"lo\":{\"min\":\"f\"},\"hi\":{\"max\":\"x\"},\"a\":{\"avg\":\"x\"},"
     "\"late\":{\"count\":true,\"where\":[\"x\",\">\",15]},"
     "\"v\":{\"sum\":\"x\",\"where\":{\"and\":[[\"type\",\"=\",\"view\"],[\"b\",\"=\",true]]}}}",
     true},
    {"\"key\":[],\"window\":\"none\",\"values\":{\"n\":\"count\",\"hi\":{\"max\":\"d\"}}", true},
    {"\"key\":[\"k\"],\"lookup\":{\"table\":\"{table}\",\"on\":\"k\",\"take\":[\"group\"],"
     "\"missing\":\"drop\"},\"window\":{\"tumbling\":\"10s\"},\"values\":{\"n\":\"count\"}",
     true},
    {"\"key\":[\"group\",\"type\"],\"lookup\":{\"table\":\"{table}\",\"on\":\"k\",\"take\":"
     "[\"group\"],\"missing\":\"keep\"},\"window\":{\"tumbling\":\"10s\"},"
     "\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"}}",
     true},
    {"\"dedupe\":{\"by\":\"id\",\"horizon\":\"10s\"},\"dedupe_scope\":\"partition\","
     "\"key\":[\"k\"],\"window\":{\"tumbling\":\"10s\"},\"values\":{\"n\":\"count\"}",
     false},
    {",\"max_ahead\":\"20s\"},\"key\":[\"k\"],\"window\":{\"tumbling\":\"10s\"},"
     "\"values\":{\"n\":\"count\"}",
     false},
    {"\"where\":[\"k\",\"=\",\"w\"],\"key\":[\"x\",\"b\",\"d\"],"
     "\"window\":{\"tumbling\":\"1h\"},\"values\":{\"n\":\"count\"}",
     false},
};
enum { PLAN_COUNT = sizeof PLANS / sizeof *PLANS };

struct place {
    char dir[64], archive[96], table[96];
};

static void place_open(struct place *place)
{
    *place = (struct place){.dir = "/tmp/lk-test-columnar.XXXXXX"};
    cr_assert_not_null(mkdtemp(place->dir));
    snprintf(place->archive, sizeof place->archive, "%s/archive", place->dir);
    snprintf(place->table, sizeof place->table, "%s/table.jsonl", place->dir);
    FILE *table = fopen(place->table, "w");
    for (int i = 0; i < 20; i += 2)
        fprintf(table, "{\"k\":\"k%d\",\"group\":\"g%d\"}\n", i, i % 3);
    fclose(table);
}

static void place_close(struct place *place)
{
    nftw(place->dir, kit_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static struct plan *make_plan(const struct place *place, const char *rest)
{
    struct buf text = {0};
    buf_printf(&text, "{\"view\":\"v\"," SOURCE "%s", *rest == ',' ? "" : "},");
    const char *mark = strstr(rest, "{table}");
    if (mark) {
        buf_add(&text, rest, (size_t)(mark - rest));
        buf_add_text(&text, place->table);
        rest = mark + strlen("{table}");
    }
    buf_printf(&text, "%s}", rest);
    struct plan *plan = kit_plan(text.ptr);
    buf_release(&text);
    return plan;
}

/* An event of all that goes wrong: absent, null, mistyped, escaped, cut off, far ahead, repeated. */
static void make_event(struct rng *rng, int64_t n, struct buf *out)
{
    static const char *const TYPES[] = {"view", "view", "click", "vi\\u0065w", "\\u00e9\\n"};
    buf_clear(out);
    if (rng_below(rng, 40) == 0) {
        buf_add_text(out, rng_below(rng, 2) ? "[1,2]" : "{\"t\":17");
        return;
    }
    int64_t t = KIT_START_MS + n * 3 + (int64_t)rng_below(rng, 30000);
    static const int64_t ODD[] = {-5, 5, INT64_MIN + 3, INT64_MAX};
    if (rng_below(rng, 300) == 0)
        t = ODD[rng_below(rng, 4)];
    buf_printf(out, "{\"t\":%lld,\"id\":%lld", (long long)t,
               (long long)(n - (int64_t)rng_below(rng, 4) * 9));
    if (rng_below(rng, 10))
        buf_printf(out, ",\"k\":\"k%d\"", (int)rng_below(rng, 20));
    if (rng_below(rng, 60))
        buf_printf(out, ",\"type\":\"%s\"", TYPES[rng_below(rng, 5)]);
    if (rng_below(rng, 5))
        buf_printf(out, ",\"x\":%d", (int)rng_below(rng, 300) - 100);
    buf_printf(out, ",\"d\":\"%d.%02d\",\"f\":%d.5", (int)rng_below(rng, 50),
               (int)rng_below(rng, 100), (int)rng_below(rng, 9) - 4);
    if (rng_below(rng, 3))
        buf_add_text(out, rng_below(rng, 2) ? ",\"b\":true" : ",\"b\":false");
    if (rng_below(rng, 3))
        buf_printf(out, ",\"w\":\"k%d\"", (int)rng_below(rng, 4));
    buf_add_text(out, rng_below(rng, 80) ? "}" : ",\"d\":1.234}");
}

/* Archive all segments of a partition; offsets have gaps. Returns the archive's end. */
static int64_t fill_partition(struct archive_writer *writer, int partition)
{
    struct err err = {0};
    struct rng rng;
    struct buf text = {0};
    rng_init(&rng, SEED + (uint64_t)partition);
    int64_t offset = 0, due_ns = 0;
    for (int s = 0; s < SEGMENTS; s++) {
        for (int i = 0; i < SIZES[s]; i++) {
            make_event(&rng, offset, &text);
            int64_t time_ms = KIT_START_MS + offset * 3, at = offset;
            struct bytes key = {0}, value = buf_bytes(&text);
            offset += 1 + (s != 2 && rng_below(&rng, 10) == 0);
            struct log_batch batch = {partition, 1, &at, &time_ms, &due_ns, &key, &value, offset};
            cr_assert_eq(archive_add(writer, &batch, &err), 0, "%s", err.text);
        }
        cr_assert_geq(archive_roll(writer, partition, &err), 0, "%s", err.text);
    }
    buf_release(&text);
    return offset;
}

static void fill(const struct place *place, int64_t *ends)
{
    struct archive_writer *writer = NULL;
    struct err err = {0};
    cr_assert_eq(archive_open(place->archive, "t", PARTITIONS, &writer, &err), 0, "%s", err.text);
    for (int p = 0; p < PARTITIONS; p++)
        ends[p] = fill_partition(writer, p);
    archive_close(writer);
}

static int make_columns(const struct place *place, const struct plan *plan)
{
    struct columnar_maker *maker = NULL;
    struct err err = {0};
    cr_assert_eq(columnar_maker_open(place->archive, "t", PARTITIONS, plan, &maker, &err), 0, "%s",
                 err.text);
    int made = columnar_maker_fill(maker, &err);
    cr_assert_geq(made, 0, "%s", err.text);
    columnar_maker_close(maker);
    return made;
}

struct outcome {
    char checksum[PARTITIONS][FOLDER_ID_BYTES];
    int64_t segments, bad;
};

static struct outcome batch(const struct place *place, const struct plan *plan, bool columnar,
                            const int64_t *boundaries, size_t memory_bytes)
{
    struct batch_options options = {.plan = plan,
                                    .archive = place->archive,
                                    .workers = 1,
                                    .memory_bytes = memory_bytes,
                                    .keep = 1,
                                    .columnar = columnar};
    struct batch_result result = {0};
    struct manifest manifest = {0};
    struct folder *folder = NULL;
    struct outcome out = {0};
    struct err err = {0};
    cr_assert_eq(folder_open(place->archive, "t", "v", &folder, &err), 0, "%s", err.text);
    cr_assert_eq(batch_compute(&options, "t", boundaries, folder, &manifest, &result, &err), 0,
                 "%s", err.text);
    for (int p = 0; p < PARTITIONS; p++) {
        memcpy(out.checksum[p], manifest.files[p].checksum, FOLDER_ID_BYTES);
        cr_assert(counters_balance(&result.parts[p].counters));
        out.bad += result.parts[p].counters.bad;
    }
    out.segments = result.segments_columnar;
    manifest_release(&manifest);
    batch_release(&result);
    folder_close(folder);
    return out;
}

static bool same_bytes(const struct outcome *a, const struct outcome *b)
{
    return memcmp(a->checksum, b->checksum, sizeof a->checksum) == 0;
}

Test(columnar, every_plan_gives_the_same_bytes_from_columns_as_from_segments)
{
    struct place place;
    int64_t ends[PARTITIONS], within[PARTITIONS];
    place_open(&place);
    fill(&place, ends);
    for (int p = 0; p < PARTITIONS; p++)
        within[p] = ends[p] - 2500; /* in the last segment, and in the middle of a block */
    for (int i = 0; i < PLAN_COUNT; i++) {
        struct plan *plan = make_plan(&place, PLANS[i].rest);
        struct columnar_fold *by_codes = columnar_fold_new(plan);
        cr_expect_eq(by_codes != NULL, PLANS[i].by_codes, "plan %d", i);
        columnar_fold_free(by_codes);
        make_columns(&place, plan);
        for (int round = 0; round < 3; round++) {
            const int64_t *boundaries = round == 1 ? within : ends;
            size_t memory_bytes = round == 2 ? 30000 : 64 << 20;
            struct outcome raw = batch(&place, plan, false, boundaries, memory_bytes);
            struct outcome columns = batch(&place, plan, true, boundaries, memory_bytes);
            cr_expect(same_bytes(&raw, &columns), "plan %d, round %d (seed %d)", i, round, SEED);
            cr_expect_geq(columns.segments, PARTITIONS * SEGMENTS, "plan %d", i);
            cr_expect(raw.segments == 0 && raw.bad > 100 && raw.bad == columns.bad);
        }
        plan_free(plan);
    }
    place_close(&place);
}

/* The columnar files of partition 0, in order; returns how many. */
static int list_files(const struct place *place, char out[][400])
{
    char directory[128];
    struct dirent **names;
    int found = 0;
    snprintf(directory, sizeof directory, "%s/t/0", place->archive);
    int count = scandir(directory, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.' && strstr(names[i]->d_name, ".columns") && found < SEGMENTS)
            snprintf(out[found++], 400, "%s/%s", directory, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return found;
}

static void remove_columns(const struct place *place, int partition)
{
    char directory[128], path[400];
    snprintf(directory, sizeof directory, "%s/t/%d", place->archive, partition);
    DIR *dir = opendir(directory);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (strstr(entry->d_name, ".columns"))
            unlink(path);
    }
    closedir(dir);
}

static void flip_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    int c = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(c ^ 0x10, file);
    fclose(file);
}

static void count_damaged(const struct err *why, void *context)
{
    cr_log_info("%s", why->text);
    ++*(int *)context;
}

static struct archive_health verify(const struct place *place)
{
    struct archive_health health;
    struct err err = {0};
    int damaged = 0;
    cr_assert_eq(archive_verify(place->archive, "t", count_damaged, &damaged, &health, &err), 0);
    cr_assert_eq(damaged, health.damaged + health.columnar_damaged);
    return health;
}

Test(columnar, a_file_that_is_damaged_is_told_not_used_and_made_anew)
{
    struct place place;
    int64_t ends[PARTITIONS];
    char files[SEGMENTS][400];
    place_open(&place);
    fill(&place, ends);
    struct plan *plan = make_plan(&place, PLANS[3].rest);
    cr_assert_eq(make_columns(&place, plan), PARTITIONS * SEGMENTS);
    cr_assert_eq(make_columns(&place, plan), 0, "nothing is made twice");
    struct outcome raw = batch(&place, plan, false, ends, 64 << 20);
    cr_assert_eq(list_files(&place, files), SEGMENTS);
    static const long PLACES[] = {0, 7, 8, 30, 41, 50, 64, 80, 95, 96, 120, 400, -1, -300};
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        flip_byte(files[0], PLACES[i]);
        struct outcome columns = batch(&place, plan, true, ends, 64 << 20);
        cr_expect(same_bytes(&raw, &columns), "byte %ld", PLACES[i]);
        cr_expect_eq(columns.segments, PARTITIONS * SEGMENTS - 1, "byte %ld", PLACES[i]);
        flip_byte(files[0], PLACES[i]);
    }
    flip_byte(files[0], 200);
    cr_assert_eq(truncate(files[2], 90), 0);
    cr_assert_eq(verify(&place).columnar_damaged, 2);
    cr_assert_eq(make_columns(&place, plan), 2);
    struct archive_health health = verify(&place);
    cr_assert(health.columnar == PARTITIONS * SEGMENTS && health.columnar_damaged == 0);
    struct outcome columns = batch(&place, plan, true, ends, 64 << 20);
    cr_assert(same_bytes(&raw, &columns));
    cr_assert_eq(columns.segments, PARTITIONS * SEGMENTS);
    plan_free(plan);
    place_close(&place);
}

/* Make columns in a process that a fault kills. */
static void make_killed(const struct place *place, const struct plan *plan, const char *fault)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct err err = {0};
        fault_set(fault, &err);
        make_columns(place, plan);
        _exit(0);
    }
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s", fault);
}

Test(columnar, killed_at_any_step_the_maker_goes_on_where_files_are_missing)
{
    static const char *const POINTS[] = {"segment temp", "segment sync", "segment rename"};
    struct place place;
    int64_t ends[PARTITIONS];
    char files[SEGMENTS][400], fault[64];
    place_open(&place);
    fill(&place, ends);
    struct plan *plan = make_plan(&place, PLANS[3].rest);
    struct outcome raw = batch(&place, plan, false, ends, 64 << 20);
    for (int i = 0; i < 3; i++) {
        snprintf(fault, sizeof fault, "%s:3:kill", POINTS[i]);
        make_killed(&place, plan, fault);
        cr_expect_eq(list_files(&place, files), 2, "%s", fault);
        struct outcome columns = batch(&place, plan, true, ends, 64 << 20);
        cr_expect(same_bytes(&raw, &columns) && columns.segments == 2, "%s", fault);
        cr_expect_eq(make_columns(&place, plan), PARTITIONS * SEGMENTS - 2, "%s", fault);
        cr_expect_eq(verify(&place).columnar, PARTITIONS * SEGMENTS, "%s", fault);
        for (int p = 0; p < PARTITIONS; p++)
            remove_columns(&place, p);
    }
    plan_free(plan);
    place_close(&place);
}

Test(columnar, a_file_that_is_missing_or_of_another_segment_is_read_from_the_segment)
{
    struct place place;
    int64_t ends[PARTITIONS];
    char files[SEGMENTS][400];
    place_open(&place);
    fill(&place, ends);
    struct plan *plan = make_plan(&place, PLANS[7].rest); /* with ids, whose table goes on across */
    make_columns(&place, plan);
    struct outcome raw = batch(&place, plan, false, ends, 64 << 20);
    cr_assert_eq(list_files(&place, files), SEGMENTS);
    cr_assert_eq(rename(files[1], files[2]), 0); /* one is gone, one another's */
    struct outcome columns = batch(&place, plan, true, ends, 64 << 20);
    cr_assert(same_bytes(&raw, &columns));
    cr_assert_eq(columns.segments, PARTITIONS * SEGMENTS - 2);
    cr_assert_eq(verify(&place).columnar_damaged, 1);
    plan_free(plan);
    place_close(&place);
}

Test(columnar, plans_share_columns_where_their_fields_are_the_same_and_only_there)
{
    struct place place;
    int64_t ends[PARTITIONS];
    place_open(&place);
    fill(&place, ends);
    struct plan *plan = make_plan(&place, PLANS[0].rest), *other = make_plan(&place, PLANS[3].rest);
    struct plan *fewer =
        kit_plan("{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\","
                 "\"format\":\"ms\"},\"fields\":{\"type\":\"string\"}},"
                 "\"key\":[\"type\"],\"window\":\"none\",\"values\":{\"n\":\"count\"}}");
    make_columns(&place, plan);
    cr_assert_eq(batch(&place, other, true, ends, 64 << 20).segments, PARTITIONS * SEGMENTS);
    struct outcome raw = batch(&place, fewer, false, ends, 64 << 20);
    struct outcome columns = batch(&place, fewer, true, ends, 64 << 20);
    cr_assert(same_bytes(&raw, &columns));
    cr_assert_eq(columns.segments, 0);
    plan_free(plan);
    plan_free(other);
    plan_free(fewer);
    place_close(&place);
}
