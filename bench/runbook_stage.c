/* bench/runbook_stage.c - where a runbook is played: its plans, log, Redis, services and producers, and what
 * the words in braces mean there. */
#include <stdlib.h>

#include "bench/runbook_parts.h"
#include "common/base/clock.h"
#include "common/base/directory.h"
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
    STOP_MS = 10000,
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

void play_stop_producing(struct play *play)
{
    play->producing_over = true;
    if (play->producing)
        pthread_join(play->producer, NULL);
    play->producing = false;
}

int play_turn_producers(struct play *play, const char *topic, struct err *err)
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

int play_backfill(struct play *play, struct err *err)
{
    pthread_mutex_lock(&play->lock);
    int rc = append(play, play->late_source, "{topic}", BACKFILL_EVENTS, err);
    pthread_mutex_unlock(&play->lock);
    return rc;
}

/* ---- opened and closed ---- */

static int make_places(struct play *play, struct err *err)
{
    snprintf(play->dir, sizeof play->dir, "%s/%s-%s", play->options->out, play->of->name,
             play->book->name);
    snprintf(play->state, sizeof play->state, "%s/state", play->dir);
    snprintf(play->log_uri, sizeof play->log_uri, "embedded:%s/log", play->state);
    snprintf(play->archive, sizeof play->archive, "%s/archive", play->state);
    snprintf(play->redis_dir, sizeof play->redis_dir, "%s/redis", play->state);
    play_remove(play->dir);
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
    play_stop_producing(play);
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
