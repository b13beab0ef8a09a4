/* tests/chaos/flips_reader.c - see flips.h.
 *
 * What every answer must be:
 *   its rows are the contract of its version at its positions;
 *   between two verbs the version is the live one, or the canary for a key of its share;
 *   a key that the canary had it keeps while the share grows;
 *   no position lies below where the live version stood when the last verb that is done began.
 * The first is asked when all is over, and once a question: (version, positions, key, window) -> digest is kept,
 * and a second read that says the same of the same is judged with it. A key lives in one partition, the one
 * that its hash names, so its rows are those of a contract over that partition alone, above the floor of all
 * of them; a question of everything takes the whole contract. */
#include "tests/chaos/flips.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/map.h"
#include "common/op/window.h"
#include "common/store/read.h"
#include "workloads/oracle.h"

enum {
    KEYS = 20,
    ALL_KEYS = -1,
    WINDOWS = 16,      /* of the last answer of all windows, that are asked for */
    WHOLE_ONE_IN = 200 /* a whole read takes as long as a hundred others */
};

/* Bytes that name a question: no padding. */
struct question {
    int64_t window_ms;    /* INT64_MIN: every one */
    int32_t version, key; /* ALL_KEYS, or its number */
    int32_t next[PARTITIONS];
};
_Static_assert(sizeof(struct question) == 16 + 4 * PARTITIONS, "a map's key");

struct digest {
    char text[33];
};

struct reader {
    struct flips_board *board;
    struct lane *lane;
    const struct flips_readers *readers;
    struct view_reader *view;
    struct rng rng;
    struct map said; /* struct question -> struct digest */
    int64_t window[WINDOWS];
    int windows;
    uint64_t era;
    bool had[KEYS]; /* the canary answered for it in this era */
    /* to judge */
    struct log *log;
    struct oracle *oracle[FLIPS_VERSIONS];
    int64_t *floor_ms[PARTITIONS]; /* by position; INT64_MAX: not asked yet */
};

__attribute__((format(printf, 2, 3))) static void complain(struct flips_board *board,
                                                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!atomic_exchange(&board->failed, true))
        vsnprintf(board->why, sizeof board->why, format, args);
    va_end(args);
}

static void key_text(int number, char out[20])
{
    snprintf(out, 20, "[\"k%d\"]", number);
}

/* ---- to read ---- */

static void keep(struct reader *reader, const struct answer *got, struct question *question)
{
    bool fresh;
    char digest[33];
    question->version = got->version;
    for (int p = 0; p < PARTITIONS; p++)
        question->next[p] = got->parts[p].read ? (int32_t)got->parts[p].next : 0;
    struct bytes name = {(const char *)question, sizeof *question};
    struct digest *said = map_put(&reader->said, name, &fresh);
    answer_digest(got, digest);
    if (fresh)
        memcpy(said->text, digest, sizeof digest);
    else if (strcmp(said->text, digest) != 0)
        complain(reader->board, "version %d says two things of key %d at the same positions",
                 question->version, question->key);
}

/* A read under one board: nothing changed from before it to behind it. */
static void check_version(struct reader *reader, const struct answer *got, int number, uint64_t era)
{
    struct flips_board *board = reader->board;
    int live = board->live, canary = board->canary;
    bool by_canary = number >= 0 && canary && got->version == canary;
    if (era != reader->era)
        memset(reader->had, 0, sizeof reader->had);
    reader->era = era;
    if (got->version != live && !by_canary)
        complain(board, "version %d answers, and %d is live (canary %d, key %d)", got->version,
                 live, canary, number);
    if (number >= 0 && reader->had[number] && !by_canary)
        complain(board, "key k%d has moved back from the canary while its share grew", number);
    if (by_canary)
        reader->had[number] = true;
    board->by_canary += by_canary;
}

/* Mostly a window of a key, now and then all of them, seldom everything. */
static struct question choose_question(struct reader *reader)
{
    struct rng *rng = &reader->rng;
    struct question question = {.window_ms = INT64_MIN, .key = ALL_KEYS};
    if (rng_below(rng, WHOLE_ONE_IN) == 0)
        return question;
    question.key = (int32_t)rng_below(rng, KEYS);
    if (reader->windows && rng_below(rng, 8))
        question.window_ms = reader->window[rng_below(rng, (uint64_t)reader->windows)];
    return question;
}

/* The newest windows are behind. */
static void note_windows(struct reader *reader, const struct answer *got)
{
    reader->windows = 0;
    for (size_t i = got->count; i-- > 0 && reader->windows < WINDOWS;)
        reader->window[reader->windows++] = got->rows[i].window_ms;
}

static void check_positions(struct reader *reader, const struct answer *got, const int64_t *least)
{
    for (int p = 0; p < got->partitions; p++)
        if (got->parts[p].read && got->parts[p].next < least[p])
            complain(reader->board,
                     "version %d answers at %lld of partition %d, which had been at %lld",
                     got->version, (long long)got->parts[p].next, p, (long long)least[p]);
}

static void read_once(struct reader *reader)
{
    struct flips_board *board = reader->board;
    struct question question = choose_question(reader);
    char key[20];
    int64_t least[PARTITIONS];
    struct view_query query = {.key = question.key < 0 ? NULL : key,
                               .has_window = question.window_ms != INT64_MIN,
                               .window_ms = question.window_ms,
                               .exact = true};
    struct answer got;
    struct err err = {0};
    key_text(question.key, key);
    uint64_t before = board->epoch, era = board->era;
    for (int p = 0; p < PARTITIONS; p++)
        least[p] = board->least[p];
    if (view_reader_read(reader->view, &query, &got, &err) < 0) {
        board->refused++;
        if (err.code != ERR_AWAY)
            complain(board, "a read is refused: %s", err.text);
        return;
    }
    board->reads++;
    if (got.version < 1 || got.version > FLIPS_VERSIONS)
        complain(board, "version %d answers", got.version);
    else {
        board->by_version[got.version - 1]++;
        keep(reader, &got, &question);
        if (before == board->epoch && before % 2 == 0)
            check_version(reader, &got, question.key, era);
    }
    if (question.window_ms == INT64_MIN)
        note_windows(reader, &got);
    check_positions(reader, &got, least);
    answer_release(&got);
}

/* ---- to judge ---- */

static int oracle_for(struct reader *reader, int version, struct err *err)
{
    char text[2000];
    FILE *file = fopen(reader->readers->plan[version], "r");
    if (!file)
        return err_set(err, ERR_ENV, "no plan");
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = 0;
    return oracle_open(bytes_of(text), ".", reader->log, reader->lane->topic,
                       &reader->oracle[version], err);
}

static int open_oracles(struct reader *reader, struct err *err)
{
    int rc = log_open(reader->lane->log, false, &reader->log, err);
    for (int v = 0; rc == 0 && v < FLIPS_VERSIONS; v++)
        rc = oracle_for(reader, v, err);
    for (int p = 0; rc == 0 && p < PARTITIONS; p++) {
        int64_t end = oracle_end(reader->oracle[0], p);
        reader->floor_ms[p] = mem_alloc((size_t)(end + 1) * sizeof(int64_t));
        for (int64_t next = 0; next <= end; next++)
            reader->floor_ms[p][next] = INT64_MAX;
    }
    return rc;
}

/* The contract of these positions; one partition alone where p >= 0. */
static bool ask(struct reader *reader, const struct question *question, int p, struct answer *want)
{
    struct answer_part parts[PARTITIONS] = {0};
    struct err err = {0};
    for (int q = 0; q < PARTITIONS; q++)
        parts[q].next = p < 0 || p == q ? question->next[q] : 0;
    if (oracle_contract(reader->oracle[question->version - 1], parts, want, &err) == 0)
        return true;
    complain(reader->board, "oracle: %s", err.text);
    return false;
}

/* Of one partition at the question's position; time passes with what is filtered, too, so both versions have
 * the same. */
static int64_t floor_of(struct reader *reader, const struct question *question, int p)
{
    int64_t *floor_ms = &reader->floor_ms[p][question->next[p]];
    struct answer answer;
    if (*floor_ms == INT64_MAX && ask(reader, question, p, &answer)) {
        *floor_ms = answer.parts[p].floor_ms;
        answer_release(&answer);
    }
    return *floor_ms;
}

static int64_t floor_of_all(struct reader *reader, const struct question *question)
{
    int64_t floor_ms = WINDOW_FLOOR_NONE;
    for (int p = 0; p < PARTITIONS; p++)
        if (floor_of(reader, question, p) > floor_ms)
            floor_ms = floor_of(reader, question, p);
    return floor_ms;
}

/* The rows of all that the question asks for. */
static void digest_of(const struct answer *all, const struct question *question, int64_t floor_ms,
                      char out[33])
{
    char key[20];
    struct answer some = *all;
    some.rows = mem_alloc((all->count + 1) * sizeof *some.rows);
    some.count = 0;
    key_text(question->key, key);
    for (size_t i = 0; i < all->count; i++) {
        const struct answer_row *row = &all->rows[i];
        bool asked = question->window_ms == INT64_MIN || row->window_ms == question->window_ms;
        if (asked && row->window_ms >= floor_ms &&
            (question->key < 0 || bytes_equal(row->key, bytes_of(key))))
            some.rows[some.count++] = *row;
    }
    answer_digest(&some, out);
    free(some.rows);
}

static int partition_of(const struct question *question)
{
    char name[20];
    snprintf(name, sizeof name, "k%d", question->key);
    return question->key < 0 ? -1 : log_partition_of(bytes_of(name), PARTITIONS);
}

/* One after the other what the same contract answers. */
static int by_contract(const void *one, const void *other)
{
    const struct question *a = one, *b = other;
    int p = partition_of(a), q = partition_of(b);
    if (a->version != b->version || p != q)
        return a->version != b->version ? a->version - b->version : p - q;
    return p < 0 ? 0 : (a->next[p] > b->next[p]) - (a->next[p] < b->next[p]);
}

static bool same_contract(const struct question *a, const struct question *b)
{
    return partition_of(a) >= 0 && by_contract(a, b) == 0;
}

/* All questions, in the order of their contracts; owned. */
static struct question *questions_of(const struct reader *reader)
{
    size_t count = reader->said.count;
    struct question *asked = mem_alloc((count + 1) * sizeof *asked);
    for (size_t i = 0; i < count; i++) {
        struct bytes name;
        map_at(&reader->said, i, &name);
        memcpy(&asked[i], name.ptr, sizeof *asked);
    }
    qsort(asked, count, sizeof *asked, by_contract);
    return asked;
}

/* Is what was said of it what its contract (want) says? */
static void judge_one(struct reader *reader, const struct question *question,
                      const struct answer *want)
{
    struct bytes name = {(const char *)question, sizeof *question};
    const struct digest *said = map_get(&reader->said, name);
    bool whole = question->key == ALL_KEYS;
    char digest[33];
    digest_of(want, question, whole ? WINDOW_FLOOR_NONE : floor_of_all(reader, question), digest);
    if (strcmp(digest, said->text) != 0)
        complain(reader->board,
                 "an answer of version %d (key %d, -1 all; window %lld) is not its contract's",
                 question->version, question->key, (long long)question->window_ms);
}

static void judge(struct reader *reader)
{
    size_t count = reader->said.count;
    struct question *asked = questions_of(reader);
    struct answer want = {0};
    for (size_t i = 0; i < count && !reader->board->failed; i++) {
        if (i == 0 || !same_contract(&asked[i - 1], &asked[i])) {
            answer_release(&want);
            if (!ask(reader, &asked[i], partition_of(&asked[i]), &want))
                break;
        }
        judge_one(reader, &asked[i], &want);
        reader->board->questions++;
    }
    answer_release(&want);
    free(asked);
}

/* ---- a process ---- */

static void be_reader(const struct flips_readers *readers, int number)
{
    struct lane *lane = readers->lane;
    struct reader reader = {.board = readers->board, .lane = lane, .readers = readers};
    struct err err = {0};
    struct kv *kv = NULL;
#ifdef LK_BUGS
    bug_plant(lane->bug);
#endif
    rng_init(&reader.rng, lane->seed * 31 + (uint64_t)number);
    map_init(&reader.said, sizeof(struct digest));
    int rc = kv_open(lane->uri, &kv, &err);
    if (rc == 0)
        reader.view = view_reader_new(kv, lane->view, ARCH_KAPPA);
    while (rc == 0 && !reader.board->over && !reader.board->failed)
        read_once(&reader);
    rc = rc < 0 ? rc : open_oracles(&reader, &err);
    if (rc < 0)
        complain(reader.board, "reader: %s", err.text);
    else
        judge(&reader);
    _exit(0);
}

bool flips_readers_start(struct flips_readers *readers)
{
    fflush(NULL);
    for (int i = 0; i < FLIPS_READERS; i++) {
        readers->reader[i] = fork();
        if (readers->reader[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            be_reader(readers, i);
        }
        if (readers->reader[i] < 0)
            return lane_fail(readers->lane, "cannot fork");
    }
    return true;
}

void flips_readers_stop(struct flips_readers *readers)
{
    readers->board->over = true;
    for (int i = 0; i < FLIPS_READERS; i++) {
        int status = 0;
        if (readers->reader[i] > 0 && waitpid(readers->reader[i], &status, 0) > 0 && status != 0)
            complain(readers->board, "a reader died (status %d), its answers were not judged",
                     status);
    }
}
