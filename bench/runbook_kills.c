/* bench/runbook_kills.c - every step of a runbook that is a verb of lk, killed at each of its fault points.
 *
 *   as it stood before the step ── step, LK_FAULT=list ──> which points it passes, and where it ends
 *      ^                                                                                    │ the same?
 *      └─ put back (files of log, archive, Redis) ── step, LK_FAULT=POINT:1:kill ── picture ── step again
 *
 * Nothing arrives from outside while this goes on, and the other processes stand still (SIGSTOP) from the
 * strike until the picture is taken, so that what stands is what the killed verb left behind. */
#include <signal.h>
#include <stdlib.h>

#include "bench/runbook_parts.h"
#include "common/base/clock.h"
#include "common/base/stop.h"

enum {
    POINTS_MAX = 24,
    FEED_EVENTS = 400, /* before each step, so that there is something to do */
    POLL_MS = 20,
    REST_MS = 1300, /* a picture that stays so long the same is at rest: workers look each second */
    SAME_MS = 15000, /* to reach a picture that is to come */
    STRUCK_MS = 3000,
    END_MS = 60000,
};

struct struck_step {
    struct play *play;
    const struct step *step;
    char points[POINTS_MAX][48];
    int count;
    struct buf before, after; /* pictures without litter */
    bool ran[ACTORS_MAX];     /* which services ran before it */
};

/* ---- pictures ---- */

/* Until it stays the same for a while, or (wanted) is this one. */
static int picture_at_rest(struct play *play, const char *wanted, struct buf *out, struct err *err)
{
    struct buf now = {0};
    int64_t since_ns = clock_mono_ns(), began_ns = since_ns;
    int rc;
    buf_clear(out);
    while ((rc = picture_take(play, false, &now, err)) == 0) {
        bool same = out->ptr && now.ptr && strcmp(out->ptr, now.ptr) == 0;
        int64_t at_ns = clock_mono_ns();
        if (!same)
            since_ns = at_ns;
        buf_clear(out);
        buf_add(out, now.ptr, now.len);
        buf_clear(&now);
        if (wanted ? strcmp(out->ptr, wanted) == 0 : at_ns - since_ns > REST_MS * 1000000LL)
            break;
        if (at_ns - began_ns > SAME_MS * 1000000LL) {
            rc = wanted ? ERR_CHECK : 0;
            break;
        }
        if (stop_asked())
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
        if (rc < 0)
            break;
        clock_sleep_ms(POLL_MS);
    }
    buf_release(&now);
    return rc;
}

/* ---- as it stood before ---- */

static void stop_services(struct play *play)
{
    for (int i = 0; i < play->actor_count; i++)
        process_stop(&play->actors[i], END_MS);
}

static int start_services(struct struck_step *s, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < s->play->actor_count; i++)
        if (s->ran[i] && !s->play->actors[i].pid)
            rc = process_start(&s->play->actors[i], err);
    return rc;
}

static int keep_state(struct struck_step *s, struct err *err)
{
    struct play *play = s->play;
    for (int i = 0; i < play->actor_count; i++)
        s->ran[i] = play->actors[i].pid && !process_ended(&play->actors[i]);
    stop_services(play);
    redis_server_stop(&play->redis);
    int rc = play_shell(play, "rm -rf {work}/kept && cp -a {work}/state {work}/kept", err);
    if (rc == 0)
        rc = play_start_redis(play, err);
    return rc < 0 ? rc : start_services(s, err);
}

/* The files go back while nobody has them open, ourselves included. */
static int put_back(struct struck_step *s, struct err *err)
{
    struct play *play = s->play;
    for (int i = 0; i < play->actor_count; i++)
        process_kill(&play->actors[i]);
    play_kill(&play->redis.process);
    reader_forget(play);
    log_close(play->log);
    play->log = NULL;
    int rc = play_shell(play, "rm -rf {work}/state && cp -a {work}/kept {work}/state", err);
    if (rc == 0)
        rc = log_open(play->log_uri, false, &play->log, err);
    if (rc == 0)
        rc = play_start_redis(play, err);
    if (rc == 0)
        rc = start_services(s, err);
    struct buf now = {0};
    if (rc == 0)
        rc = picture_at_rest(play, s->before.ptr, &now, err);
    if (rc == ERR_CHECK)
        err_set(err, rc, "put back, it does not stand as before:\n%s", now.ptr);
    buf_release(&now);
    return rc;
}

/* ---- one run of the step ---- */

static void pause_others(struct play *play, const struct process *but, bool paused)
{
    for (int i = 0; i < play->actor_count; i++)
        if (&play->actors[i] != but && play->actors[i].pid)
            process_pause(&play->actors[i], paused);
}

/* With that fault, until it ends, or (a service) for so long. Its own words go to its output. */
static int run_struck(struct play *play, const struct step *step, const char *fault, int wait_ms,
                      char output[500], struct err *err)
{
    struct step verb = *step;
    verb.who = step->kind == STEP_RUN ? "verb" : step->who;
    struct process *process = verb.command ? play_process(play, &verb) : play_actor(play, verb.who);
    setenv("LK_FAULT", fault, 1);
    int rc = process_start(process, err);
    unsetenv("LK_FAULT");
    snprintf(output, 500, "%s", process->output);
    for (int waited = 0; rc == 0 && !process_ended(process) && waited < wait_ms; waited += POLL_MS)
        clock_sleep_ms(POLL_MS);
    return rc;
}

static void read_points(struct struck_step *s, const char *output)
{
    char path[520], line[200], name[48];
    snprintf(path, sizeof path, "%s.err", output);
    FILE *file = fopen(path, "r");
    while (file && s->count < POINTS_MAX && fgets(line, sizeof line, file))
        if (sscanf(line, "fault point: %47[^\n]", name) == 1)
            snprintf(s->points[s->count++], sizeof *s->points, "%s", name);
    if (file)
        fclose(file);
}

static bool was_struck(const char *output, const char *point)
{
    char path[520], line[200], wanted[80];
    bool struck = false;
    snprintf(path, sizeof path, "%s.err", output);
    snprintf(wanted, sizeof wanted, "lk: fault: %s: kill", point);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        struck = struck || strncmp(line, wanted, strlen(wanted)) == 0;
    if (file)
        fclose(file);
    return struck;
}

/* The step as it is meant, and all at rest behind it. */
static int run_undisturbed(struct struck_step *s, const char *wanted, struct buf *picture,
                           struct err *err)
{
    int rc = play_step(s->play, s->step, err);
    return rc < 0 ? rc : picture_at_rest(s->play, wanted, picture, err);
}

/* ---- states ---- */

/* Each distinct picture once, between two lines of dashes, behind the first point that led to it. */
static void note_state(struct runbook_result *result, const struct step *step, const char *point,
                       const struct buf *picture)
{
    struct buf framed = {0};
    buf_printf(&framed, "--\n%s--\n", picture->ptr ? picture->ptr : "");
    result->kills++;
    if (!result->pictures.ptr || !strstr(result->pictures.ptr, framed.ptr)) {
        result->states++;
        buf_printf(&result->pictures, "killed at \"%s\" of lk %s\n%s", point, step->command,
                   framed.ptr);
    }
    buf_release(&framed);
}

/* The first line of a picture that the other does not have. */
static void odd_line(const char *found, const char *wanted, char out[200])
{
    snprintf(out, 200, "less than it should");
    while (*found) {
        int len = (int)strcspn(found, "\n") + 1;
        char line[200];
        snprintf(line, sizeof line, "%.*s", len, found);
        if (!strstr(wanted, line)) {
            snprintf(out, 200, "%.*s", len - 1, found);
            return;
        }
        found += len;
    }
}

static int strike(struct struck_step *s, const char *point, struct err *err)
{
    struct play *play = s->play;
    char fault[80], output[500];
    struct buf picture = {0};
    snprintf(fault, sizeof fault, "%s:1:kill", point);
    int rc = put_back(s, err);
    struct process *own = s->step->kind == STEP_START ? play_actor(play, s->step->who) : NULL;
    pause_others(play, own, true);
    if (rc == 0)
        rc = run_struck(play, s->step, fault, STRUCK_MS, output, err);
    bool struck = rc == 0 && was_struck(output, point);
    if (struck)
        rc = picture_take(play, true, &picture, err);
    pause_others(play, own, false);
    if (struck && rc == 0) {
        note_state(play->result, s->step, point, &picture);
        rc = run_undisturbed(s, s->after.ptr, &picture, err);
        char odd[200];
        if (rc == ERR_CHECK)
            odd_line(picture.ptr ? picture.ptr : "", s->after.ptr, odd);
        if (rc == ERR_CHECK)
            err_set(err, rc, "killed at \"%s\" and typed again, lk %.20s ... leaves: %s", point,
                    s->step->command, odd);
    }
    buf_release(&picture);
    return rc;
}

bool kills_strike(const char *kills, const struct step *step)
{
    return (step->kind == STEP_RUN || step->kind == STEP_START) && step->command &&
           step->exit == 0 && (strcmp(kills, "all") == 0 || strstr(step->command, kills));
}

static int list_points(struct struck_step *s, struct err *err)
{
    char output[500];
    int rc = run_struck(s->play, s->step, "list",
                        s->step->kind == STEP_RUN ? END_MS : STRUCK_MS / 2, output, err);
    struct step verb = *s->step;
    process_stop(play_actor(s->play, verb.kind == STEP_RUN ? "verb" : verb.who), END_MS);
    read_points(s, output);
    return rc;
}

static int strike_step(struct play *play, const struct step *step, struct err *err)
{
    struct struck_step s = {.play = play, .step = step};
    struct buf picture = {0};
    int rc = play_feed(play, FEED_EVENTS, err);
    if (rc == 0)
        rc = picture_at_rest(play, NULL, &picture, err);
    if (rc == 0)
        rc = keep_state(&s, err);
    if (rc == 0)
        rc = picture_at_rest(play, NULL, &s.before, err);
    if (rc == 0)
        rc = list_points(&s, err);
    if (rc == 0)
        rc = put_back(&s, err);
    if (rc == 0)
        rc = run_undisturbed(&s, NULL, &s.after, err);
    for (int i = 0; rc == 0 && i < s.count; i++)
        rc = strike(&s, s.points[i], err);
    buf_release(&picture);
    buf_release(&s.before);
    buf_release(&s.after);
    return rc;
}

int kills_run(struct play *play, struct err *err)
{
    int rc = play_open(play, false, err);
    for (const struct step *step = play->book->steps; rc == 0 && step->kind != STEP_END; step++)
        rc = kills_strike(play->options->kills, step) ? strike_step(play, step, err)
                                                      : play_step(play, step, err);
    play_close(play);
    return rc;
}
