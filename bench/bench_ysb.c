/* bench/bench_ysb.c - the Yahoo streaming benchmark from real Kafka: plain loop, kappa, archive; and a
 * batch of columns.
 *
 * Each contender is a process: its wall time is from start to end, connecting included, its CPU what
 * the kernel counted for it; the broker's and Redis's are not in it. Rounds are interleaved ABCABC, and
 * ratios are taken within a round, since the machine's speed changes from one to the next. The plain
 * loop has as many handles as kappa has workers; the archive has one. The batch folds columns of the
 * same events, archived and made once before the rounds; it is held against kappa's replay of the same
 * round, with its whole process and with its fold alone (to the generation file, without the load). */
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "bench/ads_log.h"
#include "bench/bench_kafka.h"
#include "bench/redis_server.h"
#include "common/base/clock.h"
#include "common/base/stop.h"

enum { SEED = 7, ROUNDS_MAX = 100, FOLD_WANTED = 20 };

enum contender { RAW, KAPPA, ARCHIVE, COLUMNAR, CONTENDERS };

struct figure {
    double seconds, cpu_s;
    double fold_s; /* columnar: of seconds */
};

struct bench {
    const struct ysb_options *options;
    char dir[64], archive[96], columns[96], topic[32];
    struct log *log;
    struct straight expected, found;
    struct redis_server redis;
    struct kv *kv;
    bool topic_made;
    int archives;
    struct figure figures[CONTENDERS][ROUNDS_MAX];
};

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

/* ---- what is prepared ---- */

static int fill(struct bench *bench, struct err *err)
{
    const struct ysb_options *options = bench->options;
    struct log_shape shape = {.partitions = options->partitions, .replication = 1};
    int64_t began_ns = clock_mono_ns();
    struct workload_options ads = {
        .seed = SEED, .events = options->events, .tables_dir = bench->dir};
    int rc = log_create_topic(bench->log, bench->topic, shape, err);
    bench->topic_made = rc == 0;
    rc = rc ? rc : ads_log_fill_bare(bench->log, bench->topic, &ads, options->partitions, err);
    rc = rc ? rc : ads_count(&ads, &bench->expected, err);
    if (rc == 0)
        fprintf(stderr, "ysb: %lld events in topic %s after %.1f s\n", (long long)options->events,
                bench->topic, (double)(clock_mono_ns() - began_ns) / 1e9);
    return rc;
}

static int prepare(struct bench *bench, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(bench->dir, sizeof bench->dir, "%.40s/lk-ysb.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(bench->dir))
        return err_errno(err, ERR_ENV, "cannot make %s", bench->dir);
    snprintf(bench->topic, sizeof bench->topic, "ysb-%llx", (long long)clock_wall_ms());
    int rc = log_open(bench->options->log_uri, false, &bench->log, err);
    if (rc == 0)
        rc = redis_server_start(&bench->redis, "kappa", bench->dir, err);
    if (rc == 0)
        rc = kv_open(bench->redis.uri, &bench->kv, err);
    if (rc == 0)
        rc = fill(bench, err);
    if (rc == 0) {
        char table[96];
        snprintf(table, sizeof table, "%s/campaigns.jsonl", bench->dir);
        rc = straight_init(&bench->found, table, err);
    }
    return rc;
}

static void release(struct bench *bench)
{
    if (bench->topic_made)
        log_delete_topic(bench->log, bench->topic, NULL);
    kv_close(bench->kv);
    redis_server_stop(&bench->redis);
    process_release(&bench->redis.process);
    straight_release(&bench->expected);
    straight_release(&bench->found);
    log_close(bench->log);
    if (*bench->dir)
        nftw(bench->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the contenders ---- */

static int check_raw(struct bench *bench, const char *said, struct err *err)
{
    long long events = 0, bytes = 0;
    int found = sscanf(said, "{\"events\":%lld,\"bytes\":%lld", &events, &bytes);
    if (found == 2 && events == bench->expected.events && bytes == bench->expected.bytes)
        return 0;
    return err_set(err, ERR_CHECK, "the plain loop counted %lld events of %lld bytes: no figure",
                   events, bytes);
}

static int clear_view(struct bench *bench, struct err *err)
{
    struct kv_reply *replies;
    kv_words(bench->kv, "FLUSHALL", NULL);
    int rc = kv_roundtrip(bench->kv, &replies, err);
    return rc < 0 ? rc : 0;
}

static int check_kappa(struct bench *bench, const char *said, struct err *err)
{
    (void)said;
    return straight_check_view(&bench->expected, bench->kv, ARCH_KAPPA, "ad_views", err);
}

static int check_columnar(struct bench *bench, const char *said, struct err *err)
{
    const char *segments = strstr(said, "\"columnar_segments\":");
    if (!segments || strtoll(segments + strlen("\"columnar_segments\":"), NULL, 10) == 0)
        return err_set(err, ERR_CHECK, "the batch folded no columns: no figure");
    return straight_check_view(&bench->expected, bench->kv, ARCH_LAMBDA, "ad_views", err);
}

/* A directory of its own: ext4 is slow to give out the inodes of files that were just removed. */
static int new_archive(struct bench *bench, struct err *err)
{
    (void)err;
    bench->archives++;
    snprintf(bench->archive, sizeof bench->archive, "%s/archive-%d", bench->dir, bench->archives);
    return 0;
}

/* The straight-line program answers from the archive what it did from the events themselves. */
static int check_archive(struct bench *bench, const char *said, struct err *err)
{
    (void)said;
    struct log *archive;
    char uri[112];
    snprintf(uri, sizeof uri, "archive:%s", bench->archive);
    int rc = log_open(uri, false, &archive, err);
    if (rc < 0)
        return rc;
    rc = straight_count(&bench->found, archive, bench->topic, err);
    log_close(archive);
    if (rc == 0 && !straight_equal(&bench->expected, &bench->found))
        rc = err_set(err, ERR_CHECK, "the archive holds other events than the topic: no figure");
    return rc;
}

static const struct {
    const char *name, *command, *does;
    double rate_wanted, cpu_wanted; /* ratios; 0: not asked for */
    enum contender against;         /* whom the ratios are to */
    int (*clear)(struct bench *bench, struct err *err);
    int (*check)(struct bench *bench, const char *said, struct err *err);
} TABLE[CONTENDERS] = {
    [RAW] = {"raw", "bench raw --workers {workers} --json --log {log} --topic {topic}",
             "counts bytes", 0, 0, RAW, NULL, check_raw},
    [KAPPA] = {"kappa",
               "kappa run --plan {dir}/ads.json --view {view} --workers {workers} --commit 100ms "
               "--until-end --log {log} --topic {topic}",
               "commits to Redis every 100 ms", 0.8, 1.6, RAW, clear_view, check_kappa},
    [ARCHIVE] = {"archive",
                 "lambda archive --archive {archive} --until-end --log {log} --topic {topic}",
                 "writes segments, synced", 0.8, 0, RAW, new_archive, check_archive},
    [COLUMNAR] = {"columnar",
                  "lambda batch --columnar --plan {dir}/ads.json --archive {columns} --view {view} "
                  "--workers {workers} --json",
                  "folds columns into a generation, loads it into Redis", 0, 0, KAPPA, clear_view,
                  check_columnar},
};

static void fill_in(const struct bench *bench, const char *command, struct buf *out)
{
    char workers[16];
    snprintf(workers, sizeof workers, "%d", bench->options->workers);
    const char *const names[][2] = {
        {"{workers}", workers},       {"{log}", bench->options->log_uri},
        {"{topic}", bench->topic},    {"{view}", bench->redis.uri},
        {"{dir}", bench->dir},        {"{archive}", bench->archive},
        {"{columns}", bench->columns}};
    while (*command) {
        size_t i = 0, count = sizeof names / sizeof *names;
        while (i < count && strncmp(command, names[i][0], strlen(names[i][0])) != 0)
            i++;
        if (i < count)
            process_add_word(out, names[i][1]);
        else
            buf_add_char(out, *command);
        command += i < count ? strlen(names[i][0]) : 1;
    }
}

static int read_said(const char *path, char *said, size_t bytes, struct err *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return err_errno(err, ERR_ENV, "cannot read %s", path);
    said[fread(said, 1, bytes - 1, file)] = 0;
    fclose(file);
    return 0;
}

/* Run lk with a command as the table has them, under a name: its figure, and the beginning of what
 * it said. */
static int run_child(struct bench *bench, const char *name, const char *words,
                     struct figure *figure, char *said, size_t said_bytes, struct err *err)
{
    struct process process;
    struct buf command = {0};
    char output[80];
    siginfo_t info;
    snprintf(output, sizeof output, "%s/%s.out", bench->dir, name);
    (void)remove(output); /* of the round before */
    fill_in(bench, words, &command);
    process_init(&process, "ysb", name, bench->options->program, command.ptr, output);
    int rc = process_start(&process, err);
    /* Without looking now and then: there are but so many cores. */
    while (rc == 0 && waitid(P_PID, (id_t)process.pid, &info, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR && !stop_asked())
        continue;
    if (rc == 0 && stop_asked())
        rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    process_stop(&process, 1000);
    if (rc == 0 && (process.failed || process.exit_status != 0))
        rc = err_set(err, ERR_ENV, "lk %s: %s", command.ptr, process.fate);
    if (rc == 0)
        rc = read_said(output, said, said_bytes, err);
    const char *fold = rc == 0 ? strstr(said, "\"fold_seconds\":") : NULL;
    *figure = (struct figure){(double)(process.ended_ns - process.began_ns) / 1e9, process.cpu_s,
                              fold ? strtod(fold + strlen("\"fold_seconds\":"), NULL) : 0};
    process_release(&process);
    buf_release(&command);
    return rc;
}

/* Archive the topic with columns, once; before the rounds. */
static int make_columns(struct bench *bench, struct err *err)
{
    char said[512];
    struct figure figure;
    snprintf(bench->columns, sizeof bench->columns, "%s/columns", bench->dir);
    int rc = run_child(bench, "columns",
                       "lambda archive --columnar {dir}/ads.json --archive {columns} --until-end "
                       "--log {log} --topic {topic}",
                       &figure, said, sizeof said, err);
    if (rc == 0)
        fprintf(stderr, "ysb: columns of %lld events made after %.1f s\n",
                (long long)bench->options->events, figure.seconds);
    return rc;
}

static int run_one(struct bench *bench, enum contender who, struct figure *figure, struct err *err)
{
    char said[512];
    int rc = TABLE[who].clear ? TABLE[who].clear(bench, err) : 0;
    if (rc == 0)
        rc = run_child(bench, TABLE[who].name, TABLE[who].command, figure, said, sizeof said, err);
    if (rc == 0)
        rc = TABLE[who].check(bench, said, err);
    if (rc == 0)
        fprintf(stderr, "ysb: %-8s %6.2f M events/s, %.3f us CPU an event\n", TABLE[who].name,
                (double)bench->options->events / 1e6 / figure->seconds,
                figure->cpu_s * 1e6 / (double)bench->options->events);
    return rc;
}

static int run_rounds(struct bench *bench, struct err *err)
{
    struct figure warm;
    int rc = run_one(bench, RAW, &warm, err); /* the broker's code and the page cache */
    rc = rc ? rc : make_columns(bench, err);
    for (int round = 0; rc == 0 && round < bench->options->rounds; round++)
        for (int who = 0; rc == 0 && who < CONTENDERS; who++)
            rc = run_one(bench, who, &bench->figures[who][round], err);
    return rc;
}

/* ---- the answer ---- */

struct spread {
    double median, min, max;
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread_of(double *list, int count)
{
    qsort(list, (size_t)count, sizeof *list, by_size);
    double median = count % 2 ? list[count / 2] : (list[count / 2 - 1] + list[count / 2]) / 2;
    return (struct spread){median, list[0], list[count - 1]};
}

struct summary {
    struct spread rate, cpu_us;          /* million events a second, us an event */
    struct spread rate_ratio, cpu_ratio; /* to another of the same round */
    struct spread fold_rate, fold_ratio; /* columnar: of the fold alone */
};

static struct summary summarize(const struct bench *bench, enum contender who)
{
    double list[6][ROUNDS_MAX], events = (double)bench->options->events;
    int rounds = bench->options->rounds;
    for (int i = 0; i < rounds; i++) {
        const struct figure *mine = &bench->figures[who][i];
        const struct figure *other = &bench->figures[TABLE[who].against][i];
        double fold_s = mine->fold_s > 0 ? mine->fold_s : mine->seconds;
        list[0][i] = events / 1e6 / mine->seconds;
        list[1][i] = mine->cpu_s * 1e6 / events;
        list[2][i] = other->seconds / mine->seconds;
        list[3][i] = mine->cpu_s / other->cpu_s;
        list[4][i] = events / 1e6 / fold_s;
        list[5][i] = other->seconds / fold_s;
    }
    return (struct summary){spread_of(list[0], rounds), spread_of(list[1], rounds),
                            spread_of(list[2], rounds), spread_of(list[3], rounds),
                            spread_of(list[4], rounds), spread_of(list[5], rounds)};
}

static void print_ratio(FILE *out, const char *what, struct spread ratio, double wanted, bool most)
{
    fprintf(out, "; %s %.2fx (%.2f to %.2f", what, ratio.median, ratio.min, ratio.max);
    if (wanted > 0)
        fprintf(out, "; wanted: %s %.2f%s", most ? "at most" : "at least", wanted,
                (most ? ratio.median <= wanted : ratio.median >= wanted) ? "" : ": MISSED");
    fputc(')', out);
}

static void print_text(const struct bench *bench, FILE *out)
{
    fprintf(out,
            "ysb: %lld ads events, %d partitions, %d rounds, interleaved; all answers are right\n",
            (long long)bench->options->events, bench->options->partitions, bench->options->rounds);
    for (int who = 0; who < CONTENDERS; who++) {
        struct summary s = summarize(bench, who);
        fprintf(out, "%-8s %s: %.2f M events/s, %.3f us CPU an event", TABLE[who].name,
                TABLE[who].does, s.rate.median, s.cpu_us.median);
        if (who != RAW) {
            print_ratio(out, "rate", s.rate_ratio, TABLE[who].rate_wanted, false);
            print_ratio(out, "CPU", s.cpu_ratio, TABLE[who].cpu_wanted, true);
        }
        if (TABLE[who].against != RAW)
            fprintf(out, "; ratios to %s", TABLE[TABLE[who].against].name);
        fputc('\n', out);
    }
    struct summary columnar = summarize(bench, COLUMNAR);
    fprintf(out, "columnar its fold alone, to the generation file: %.2f M events/s",
            columnar.fold_rate.median);
    print_ratio(out, "rate to kappa", columnar.fold_ratio, FOLD_WANTED, false);
    fputc('\n', out);
}

static void print_json(const struct bench *bench, FILE *out)
{
    const struct ysb_options *options = bench->options;
    fprintf(out, "{\"bench\":\"ysb\",\"events\":%lld,\"partitions\":%d,\"workers\":%d,\"rounds\":[",
            (long long)options->events, options->partitions, options->workers);
    for (int i = 0; i < options->rounds; i++) {
        fputs(i ? ",{" : "{", out);
        for (int who = 0; who < CONTENDERS; who++)
            fprintf(out, "%s\"%s\":{\"seconds\":%.3f,\"cpu_seconds\":%.3f}", who ? "," : "",
                    TABLE[who].name, bench->figures[who][i].seconds, bench->figures[who][i].cpu_s);
        fputc('}', out);
    }
    fputc(']', out);
    for (int who = KAPPA; who < CONTENDERS; who++) {
        struct summary s = summarize(bench, who);
        fprintf(out, ",\"%s\":{\"rate_ratio\":%.3f,\"cpu_ratio\":%.3f}", TABLE[who].name,
                s.rate_ratio.median, s.cpu_ratio.median);
    }
    fprintf(out, ",\"columnar_fold\":{\"rate_ratio\":%.3f}",
            summarize(bench, COLUMNAR).fold_ratio.median);
    fputs("}\n", out);
}

int bench_ysb(const struct ysb_options *options, FILE *out, struct err *err)
{
    struct bench *bench = mem_zero(1, sizeof *bench);
    bench->options = options;
    int rc = prepare(bench, err);
    if (rc == 0)
        rc = run_rounds(bench, err);
    if (rc == 0)
        (options->json ? print_json : print_text)(bench, out);
    release(bench);
    free(bench);
    return rc;
}
