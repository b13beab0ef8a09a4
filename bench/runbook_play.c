/* bench/runbook_play.c - the stage of a runbook and its steps, played one after the other. */
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/runbook_parts.h"
#include "common/base/clock.h"
#include "common/base/directory.h"
#include "common/base/stop.h"
#include "common/plan/plan.h"
#include "workloads/publish.h"
#include "workloads/workload.h"

enum {
    SEED_EVENTS = 1500, /* in the log before anything starts */
    MORE_EVENTS = 500,  /* while things come to what the runbook is for */
    SOURCE_EVENTS = 1 << 20,
    EVENTS_PER_S = 1000, /* of the producers */
    EVENT_RATE = 50,     /* events a second of event time: 20 times as fast as the wall's */
    FEED_MS = 10,
    BACKFILL_EVENTS = 300,
    WARM_UP_MS = 400,
    LINGER_MS = 200, /* for the reader to see how it ended */
    POLL_MS = 10,
    WAIT_MS = 30000,
    STOP_MS = 10000,
    CUT_MS = 500, /* some spans */
};

const struct runbook_plan RUNBOOK_PLANS[] = {
    {"{plan}", "plan.json", "the view's plan: how often each campaign's ads were seen", {{0}}},
    {"{changed}",
     "changed.json",
     "the same view by another rule: clicks count, too",
     {{"[\"event_type\", \"=\", \"view\"]", "[\"event_type\", \"!=\", \"purchase\"]"}}},
    {"{renamed}",
     "renamed.json",
     "that rule as a view of its own",
     {{"[\"event_type\", \"=\", \"view\"]", "[\"event_type\", \"!=\", \"purchase\"]"},
      {"\"ad_views\"", "\"ad_views_2\""}}},
    {"{mistake}",
     "mistake.json",
     "the same view with a mistake: purchases alone count",
     {{"[\"event_type\", \"=\", \"view\"]", "[\"event_type\", \"=\", \"purchase\"]"}}},
    {"{mistaken}",
     "mistaken.json",
     "that mistake as a view of its own",
     {{"[\"event_type\", \"=\", \"view\"]", "[\"event_type\", \"=\", \"purchase\"]"},
      {"\"ad_views\"", "\"ad_views_2\""}}},
    {"{unlimited}",
     "unlimited.json",
     "the same view that takes late events, however late",
     {{"\"key\"", "\"allowed_lateness\": \"unlimited\",\n  \"key\""}}},
    {"{other}",
     "other.json",
     "another view of the same events: clicks, a minute a window",
     {{"\"view\"],", "\"click\"],"}, {"\"10s\"", "\"1m\""}, {"\"ad_views\"", "\"ad_clicks\""}}},
    {0},
};

void play_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("lk compare runbooks: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- words ---- */

static const struct runbook_plan *plan_row(const char *word)
{
    for (const struct runbook_plan *row = RUNBOOK_PLANS; row->word; row++)
        if (strcmp(row->word, word) == 0)
            return row;
    return NULL;
}

struct runbook_address play_address(struct runbook_address at)
{
    at.plan = at.plan ? at.plan : "{plan}";
    at.view = at.view ? at.view : "{view}";
    at.topic = at.topic ? at.topic : "{topic}";
    return at;
}

const char *play_word(const struct play *play, const char *word)
{
    const struct {
        const char *word, *text;
    } words[] = {{"{log}", play->log_uri},     {"{topic}", "ads"},     {"{wide}", "ads-wide"},
                 {"{archive}", play->archive}, {"{view}", play->view}, {"{anew}", play->anew},
                 {"{redis}", play->redis_dir}, {"{work}", play->dir}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].text;
    return NULL;
}

static void add_plan_path(const struct play *play, const struct runbook_plan *row, struct buf *out)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", play->dir, row->file);
    process_add_word(out, path.ptr);
    buf_release(&path);
}

void play_fill(const struct play *play, const char *command, struct buf *out)
{
    while (*command) {
        char word[32] = "";
        const char *end = *command == '{' ? strchr(command, '}') : NULL;
        if (end && end - command < 30)
            snprintf(word, sizeof word, "%.*s", (int)(end - command + 1), command);
        const char *text = *word ? play_word(play, word) : NULL;
        const struct runbook_plan *row = *word && !text ? plan_row(word) : NULL;
        if (text)
            process_add_word(out, text);
        if (row)
            add_plan_path(play, row, out);
        if (text || row)
            command = end + 1;
        else
            buf_add_char(out, *command++);
    }
}

int play_plan(const struct play *play, const char *word, struct plan **out, struct err *err)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", play->dir, plan_row(word)->file);
    return plan_load(path, out, NULL, err);
}

/* ---- plans ---- */

static void edit(struct buf *text, const char *from, const char *to)
{
    struct buf edited = {0};
    const char *at = strstr(text->ptr, from);
    if (!at)
        return;
    buf_add(&edited, text->ptr, (size_t)(at - text->ptr));
    buf_add_text(&edited, to);
    buf_add_text(&edited, at + strlen(from));
    buf_release(text);
    *text = edited;
}

static int write_plans(struct play *play, struct err *err)
{
    int rc = 0;
    for (const struct runbook_plan *row = RUNBOOK_PLANS; rc == 0 && row->word; row++) {
        struct buf text = {0};
        struct bytes own = workload_plan("ads.json");
        buf_add(&text, own.ptr, own.len);
        for (int i = 0; i < 3 && row->edits[i][0]; i++)
            edit(&text, row->edits[i][0], row->edits[i][1]);
        rc = workload_write(play->dir, row->file, buf_bytes(&text), err);
        buf_release(&text);
    }
    return rc;
}

/* ---- producers ---- */

static int append(struct play *play, void *source, const char *topic, int64_t count,
                  struct err *err)
{
    int partitions = strcmp(topic, "{wide}") == 0 ? RUNBOOK_WIDE : RUNBOOK_PARTITIONS;
    int64_t rc = 0;
    for (int64_t i = 0; rc >= 0 && i < count; i++) {
        struct workload_event event;
        rc = workload_ads.next(source, &event, err);
        event.number = play->fed++;
        struct log_record record = {.value = event.value, .due_ns = clock_wall_ns()};
        if (rc == 1)
            rc = log_append(play->log, play_word(play, topic),
                            publish_partition(&event, partitions), &record, 1, err);
    }
    return rc < 0 ? (int)rc : 0;
}

int play_feed(struct play *play, int64_t count, struct err *err)
{
    pthread_mutex_lock(&play->lock);
    int rc = play->topic ? append(play, play->source, play->topic, count, err) : 0;
    pthread_mutex_unlock(&play->lock);
    return rc;
}

static void *produce(void *context)
{
    struct play *play = context;
    for (int64_t due = clock_mono_ns(); !play->producing_over; due += FEED_MS * 1000000) {
        clock_sleep_until_ns(due);
        play_feed(play, EVENTS_PER_S * FEED_MS / 1000, NULL);
    }
    return NULL;
}

static void stop_producing(struct play *play)
{
    play->producing_over = true;
    if (play->producing)
        pthread_join(play->producer, NULL);
    play->producing = false;
}

/* The producers' topic from now on; NULL: they wait. */
static int turn_producers(struct play *play, const char *topic, struct err *err)
{
    struct log_shape wide = {.partitions = RUNBOOK_WIDE};
    int rc = topic && strcmp(topic, "{wide}") == 0
                 ? log_create_topic(play->log, play_word(play, topic), wide, err)
                 : 0;
    pthread_mutex_lock(&play->lock);
    if (play->topic && !topic)
        play->held_since_ns = clock_mono_ns();
    if (!play->topic && topic)
        play->result->held_seconds += (double)(clock_mono_ns() - play->held_since_ns) / 1e9;
    play->topic = topic;
    pthread_mutex_unlock(&play->lock);
    return rc;
}

/* ---- processes ---- */

struct process *play_actor(struct play *play, const char *who)
{
    if (strcmp(who, "redis") == 0)
        return &play->redis.process;
    for (int i = 0; i < play->actor_count; i++)
        if (strcmp(play->actors[i].name, who) == 0)
            return &play->actors[i];
    return NULL;
}

static void touch(struct play *play, const char *who)
{
    const struct process *process = play_actor(play, who);
    int bit = process == &play->redis.process ? ACTORS_MAX : (int)(process - play->actors);
    play->touched |= 1u << bit;
}

static void init_process(struct play *play, struct process *process, const char *name,
                         const char *program, const char *command)
{
    char output[500];
    snprintf(output, sizeof output, "%s/said-%d", play->dir, play->outputs++);
    process_init(process, play->of->name, name, program, command, output);
}

/* Of a step's verb; not started. */
struct process *play_process(struct play *play, const struct step *step)
{
    struct process *process = play_actor(play, step->who);
    struct buf command = {0};
    if (process)
        process_kill(process);
    if (process)
        process_release(process);
    else
        process = &play->actors[play->actor_count++];
    play_fill(play, step->command, &command);
    init_process(play, process, step->who, play->options->program, command.ptr);
    buf_release(&command);
    return process;
}

int play_start_redis(struct play *play, struct err *err)
{
    int rc = process_start(&play->redis.process, err);
    for (int waited = 0; rc == 0 && waited < WAIT_MS; waited += POLL_MS) {
        struct kv *kv;
        if (kv_open(play->view, &kv, NULL) == 0) {
            kv_close(kv);
            return 0;
        }
        clock_sleep_ms(POLL_MS);
    }
    return rc < 0 ? rc : err_set(err, ERR_ENV, "Redis does not come back");
}

/* What stands in a command behind "--plan " or "--view ", in braces; NULL: nothing. */
static const char *word_behind(const char *command, const char *flag, char out[32])
{
    const char *at = strstr(command, flag);
    if (!at)
        return NULL;
    at += strlen(flag);
    snprintf(out, 32, "%.*s", (int)strcspn(at, " "), at);
    return out;
}

/* A worker has begun once the registry knows its plan: who types the next verb would have looked. */
static int wait_until_begun(struct play *play, const struct step *step, struct err *err)
{
    char plan_word[32], view_word[32];
    struct plan *plan = NULL;
    if (!word_behind(step->command, "--plan ", plan_word))
        return 0;
    const char *view = play_word(play, word_behind(step->command, "--view ", view_word));
    int rc = play_plan(play, plan_word, &plan, err);
    struct process *process = play_actor(play, step->who);
    for (int waited = 0; rc == 0 && waited < WAIT_MS; waited += POLL_MS) {
        struct registry registry = {0};
        struct kv *kv = NULL;
        bool there = kv_open(view, &kv, NULL) == 0 &&
                     registry_read(kv, plan->view, play->of->arch, &registry, NULL) == 0 &&
                     registry_find(&registry, plan->hash);
        registry_release(&registry);
        kv_close(kv);
        if (there)
            break;
        if (process_ended(process))
            rc = err_set(err, ERR_CHECK, "%s ended: %s", step->who, process->fate);
        clock_sleep_ms(POLL_MS);
    }
    plan_free(plan);
    return rc;
}

static int start(struct play *play, const struct step *step, struct err *err)
{
    if (strcmp(step->who, "redis") == 0)
        return play_start_redis(play, err);
    struct process *process =
        step->command ? play_process(play, step) : play_actor(play, step->who);
    int rc = process_start(process, err);
    return rc == 0 && step->command ? wait_until_begun(play, step, err) : rc;
}

static int run_to_end(struct process *process, int exit, const char *command, struct err *err)
{
    int rc = process_start(process, err);
    int waited = 0;
    for (; rc == 0 && !process_ended(process) && waited < 2 * WAIT_MS; waited += POLL_MS / 2)
        clock_sleep_ms(POLL_MS / 2);
    if (rc == 0 && process->pid)
        rc = err_set(err, ERR_CHECK, "does not end: %s", command);
    else if (rc == 0 && (process->exit_status != exit || strstr(process->fate, "signal")))
        rc = err_set(err, ERR_CHECK, "expected exit %d, found \"%s\": %s", exit, process->fate,
                     command);
    process_kill(process);
    return rc;
}

static int run_verb(struct play *play, const struct step *step, struct err *err)
{
    struct process process;
    struct buf command = {0};
    play_fill(play, step->command, &command);
    init_process(play, &process, "verb", play->options->program, command.ptr);
    int rc = run_to_end(&process, step->exit, step->command, err);
    process_release(&process);
    buf_release(&command);
    return rc;
}

int play_shell(struct play *play, const char *line, struct err *err)
{
    struct process process;
    struct buf command = {0}, filled = {0};
    play_fill(play, line, &filled);
    buf_add_text(&command, "-c ");
    process_add_word(&command, filled.ptr);
    init_process(play, &process, "sh", "sh", command.ptr);
    int rc = run_to_end(&process, 0, line, err);
    process_release(&process);
    buf_release(&filled);
    buf_release(&command);
    return rc;
}

/* ---- waiting ---- */

static int log_ends(const struct play *play, struct log *log, const char *topic, int64_t *ends,
                    struct err *err)
{
    int count = log_partitions(log, play_word(play, topic), err);
    for (int p = 0; p < count; p++) {
        int64_t first;
        int rc = log_range(log, play_word(play, topic), p, &first, &ends[p], err);
        if (rc < 0)
            return rc;
    }
    return count;
}

static bool view_holds(struct play *play, struct runbook_address at, const int64_t *ends)
{
    struct answer answer;
    if (reader_ask(play, at, true, &answer, NULL) < 0)
        return false;
    bool holds = true;
    for (int p = 0; p < answer.partitions; p++)
        holds = holds && answer.parts[p].next >= ends[p];
    answer_release(&answer);
    return holds;
}

static bool archive_holds(struct play *play, struct runbook_address at, const int64_t *ends)
{
    struct log *archive;
    int64_t held[LOG_PARTITIONS_MAX];
    char uri[500];
    snprintf(uri, sizeof uri, "archive:%s", play->archive);
    if (log_open(uri, false, &archive, NULL) < 0)
        return false;
    int count = log_ends(play, archive, at.topic, held, NULL);
    log_close(archive);
    bool holds = count > 0;
    for (int p = 0; p < count; p++)
        holds = holds && held[p] >= ends[p];
    return holds;
}

static int wait_for(struct play *play, const struct step *step,
                    bool (*holds)(struct play *play, struct runbook_address at,
                                  const int64_t *ends),
                    struct err *err)
{
    struct runbook_address at = play_address(step->to);
    int64_t ends[LOG_PARTITIONS_MAX];
    int rc = log_ends(play, play->log, at.topic, ends, err);
    for (int waited = 0; rc >= 0; waited += POLL_MS) {
        if (holds(play, at, ends))
            return 0;
        if (waited > WAIT_MS)
            return err_set(err, ERR_CHECK, "%s does not reach the log's end of then within %d s",
                           step->kind == STEP_WAIT ? "the view" : "the archive", WAIT_MS / 1000);
        if (stop_asked())
            return err_set(err, ERR_INTERRUPTED, "interrupted");
        clock_sleep_ms(POLL_MS);
    }
    return rc;
}

static int backfill(struct play *play, struct err *err)
{
    pthread_mutex_lock(&play->lock);
    int rc = append(play, play->late_source, "{topic}", BACKFILL_EVENTS, err);
    pthread_mutex_unlock(&play->lock);
    return rc;
}

int play_step(struct play *play, const struct step *step, struct err *err)
{
    if (stop_asked())
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    int rc = reader_follow(play, err);
    if (rc < 0)
        return rc;
    switch (step->kind) {
    case STEP_RUN:
        return run_verb(play, step, err);
    case STEP_START:
        rc = start(play, step, err);
        break;
    case STEP_STOP:
        process_stop(play_actor(play, step->who), STOP_MS);
        break;
    case STEP_KILL:
        process_kill(play_actor(play, step->who));
        break;
    case STEP_SHELL:
        return play_shell(play, step->command, err);
    case STEP_BACKFILL:
        return backfill(play, err);
    case STEP_PRODUCERS:
        return turn_producers(play, step->to.topic, err);
    case STEP_READERS:
        reader_turn(play, play_address(step->to));
        return 0;
    case STEP_WAIT:
        return wait_for(play, step, view_holds, err);
    case STEP_WAIT_ARCHIVE:
        rc = wait_for(play, step, archive_holds, err);
        clock_sleep_ms(CUT_MS);
        return rc;
    case STEP_END:
        return 0;
    }
    touch(play, step->who);
    return rc;
}

int play_steps(struct play *play, const struct step *steps, struct err *err)
{
    int rc = 0;
    for (; rc == 0 && steps->kind != STEP_END; steps++)
        rc = play_step(play, steps, err);
    return rc;
}

/* ---- the stage ---- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info, (void)type, (void)ftw;
    return remove(path);
}

static int make_places(struct play *play, struct err *err)
{
    snprintf(play->dir, sizeof play->dir, "%s/%s-%s", play->options->out, play->of->name,
             play->book->name);
    snprintf(play->state, sizeof play->state, "%s/state", play->dir);
    snprintf(play->log_uri, sizeof play->log_uri, "embedded:%s/log", play->state);
    snprintf(play->archive, sizeof play->archive, "%s/archive", play->state);
    snprintf(play->redis_dir, sizeof play->redis_dir, "%s/redis", play->state);
    nftw(play->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (directory_make(play->state) < 0)
        return err_errno(err, ERR_ENV, "cannot make directory %s", play->state);
    return 0;
}

static int open_sources(struct play *play, struct err *err)
{
    struct workload_options options = {.seed = play->options->seed,
                                       .events = SOURCE_EVENTS,
                                       .event_rate = EVENT_RATE,
                                       .tables_dir = play->dir};
    int rc = workload_ads.open(&options, &play->source, err);
    return rc < 0 ? rc : workload_ads.open(&options, &play->late_source, err);
}

static int open_log(struct play *play, struct err *err)
{
    struct log_shape shape = {.partitions = RUNBOOK_PARTITIONS};
    int rc = log_open(play->log_uri, true, &play->log, err);
    if (rc == 0)
        rc = log_create_topic(play->log, play_word(play, "{topic}"), shape, err);
    play->topic = "{topic}";
    return rc < 0 ? rc : play_feed(play, SEED_EVENTS, err);
}

/* What the oracle of the view's plan has read stays read, whatever is trimmed later. */
static int open_oracle(struct play *play, struct err *err)
{
    struct plan *plan = NULL;
    struct oracle *oracle;
    int rc = play_plan(play, "{plan}", &plan, err);
    if (rc == 0)
        rc = reader_oracle(play, plan->json, "{topic}", &oracle, err);
    plan_free(plan);
    return rc;
}

static void go_live(struct play *play)
{
    play->producing = pthread_create(&play->producer, NULL, produce, play) == 0;
    reader_start(play);
    clock_sleep_ms(WARM_UP_MS);
}

int play_open(struct play *play, bool live, struct err *err)
{
    pthread_mutex_init(&play->lock, NULL);
    int rc = make_places(play, err);
    if (rc == 0)
        rc = open_sources(play, err);
    if (rc == 0)
        rc = write_plans(play, err);
    if (rc == 0)
        rc = open_log(play, err);
    if (rc == 0)
        rc = open_oracle(play, err);
    if (rc == 0)
        rc = redis_server_start(&play->redis, play->of->name, play->state, err);
    snprintf(play->view, sizeof play->view, "%.50s", play->redis.uri);
    snprintf(play->anew, sizeof play->anew, "%.50s/1", play->redis.uri);
    reader_turn(play, play_address((struct runbook_address){0}));
    if (rc == 0)
        rc = play_steps(play, play->of->services, err);
    if (rc == 0)
        rc = play_feed(play, MORE_EVENTS, err);
    if (rc == 0)
        rc = play_steps(play, play->book->prepare, err);
    struct step wait = {STEP_WAIT, .to = play->reader.at};
    if (rc == 0)
        rc = play_step(play, &wait, err);
    play->touched = 0;
    if (rc == 0 && live)
        go_live(play);
    return rc;
}

void play_close(struct play *play)
{
    stop_producing(play);
    reader_stop(play);
    for (int i = 0; i < play->actor_count; i++) {
        process_stop(&play->actors[i], STOP_MS);
        process_release(&play->actors[i]);
    }
    redis_server_stop(&play->redis);
    process_release(&play->redis.process);
    reader_release(play);
    log_close(play->log);
    if (play->source)
        workload_ads.close(play->source);
    if (play->late_source)
        workload_ads.close(play->late_source);
}

/* ---- one runbook, and all of them ---- */

static void count_steps(struct play *play)
{
    struct runbook_result *result = play->result;
    for (const struct step *step = play->book->steps; step->kind != STEP_END; step++) {
        bool command = step->kind == STEP_RUN || step->kind == STEP_SHELL ||
                       (step->kind == STEP_START && step->command);
        result->commands += command;
        result->pointers += step->pointer != NULL;
    }
    result->processes = __builtin_popcount(play->touched);
}

/* Producers stop, the last events are awaited where that can be, the reader looks once more. */
static int finish(struct play *play, struct err *err)
{
    stop_producing(play);
    pthread_mutex_lock(&play->reader.lock);
    struct step wait = {STEP_WAIT, .to = play->reader.at};
    pthread_mutex_unlock(&play->reader.lock);
    int rc = play_step(play, &wait, err);
    clock_sleep_ms(LINGER_MS);
    reader_stop(play);
    return rc < 0 ? rc : reader_judge(play, err);
}

static void verdict(struct runbook_result *result)
{
    const char *why = NULL;
    if (result->wrong)
        why = "a reader was told what the oracle denies";
    else if (result->answers == 0)
        why = "no reader was answered at all";
    else if (result->book->reaches_truth && result->final_rows_wrong)
        why = "events are still missing at its end";
    result->pass = !why;
    if (why)
        snprintf(result->why, sizeof result->why, "%s", why);
}

static int play_live(struct play *play, struct err *err)
{
    int rc = play_open(play, true, err);
    int64_t began_ns = clock_mono_ns();
    if (rc == 0)
        rc = play_steps(play, play->book->steps, err);
    play->result->seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
    if (rc == 0)
        rc = finish(play, err);
    if (rc == 0) {
        count_steps(play);
        verdict(play->result);
    }
    play_close(play);
    return rc;
}

/* A runbook that does not end as it should is a result; an interrupt ends all. */
static int play_book(const struct runbook_options *options, struct runbook_result *result,
                     int (*how)(struct play *play, struct err *err), struct err *err)
{
    struct play *play = mem_zero(1, sizeof *play);
    struct err why = {0};
    *play =
        (struct play){.options = options, .of = result->of, .book = result->book, .result = result};
    int rc = how(play, &why);
    char dir[400];
    snprintf(dir, sizeof dir, "%s", play->dir);
    free(play);
    if (rc == ERR_INTERRUPTED || rc == ERR_ENV)
        return err_set(err, rc, "%s", why.text);
    if (rc < 0) {
        result->pass = false;
        snprintf(result->why, sizeof result->why, "%.250s; see %s", why.text, dir);
    } else if (result->pass) {
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return 0;
}

static bool wanted(const struct runbook_options *options, const struct runbooks *of,
                   const struct runbook *book)
{
    return (!options->arch || strcmp(options->arch, of->name) == 0) &&
           (!options->only || strcmp(options->only, book->name) == 0);
}

enum { RESULTS_MAX = 32 };

static int list_wanted(const struct runbook_options *options, struct runbook_result *results)
{
    const struct runbooks *const both[] = {&RUNBOOKS_LAMBDA, &RUNBOOKS_KAPPA};
    int count = 0;
    for (int i = 0; i < 2; i++)
        for (const struct runbook *book = both[i]->list; book->name; book++)
            if (wanted(options, both[i], book) && count < RESULTS_MAX)
                results[count++] = (struct runbook_result){.of = both[i], .book = book};
    return count;
}

int runbooks_run(const struct runbook_options *options, FILE *out, bool *pass, struct err *err)
{
    struct runbook_result results[RESULTS_MAX];
    int count = list_wanted(options, results), rc = 0;
    if (count == 0)
        return err_set(err, ERR_USAGE,
                       "--only: there is no runbook \"%s\"; they stand in "
                       "docs/runbooks.md",
                       options->only);
    *pass = true;
    for (int i = 0; rc == 0 && i < count; i++) {
        struct runbook_result *result = &results[i];
        play_say("%s: %s", result->of->name, result->book->name);
        rc = play_book(options, result, play_live, err);
        if (rc == 0 && options->kills && result->pass)
            rc = play_book(options, result, kills_run, err);
        if (!result->pass && rc == 0)
            play_say("FAILED: %s", result->why);
        *pass = *pass && result->pass;
    }
    if (rc == 0)
        (options->json ? results_json : results_print)(results, count, out);
    for (int i = 0; i < count; i++)
        buf_release(&results[i].pictures);
    return rc;
}
