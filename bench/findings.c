/* bench/findings.c - a run's numbers as sentences that a manager understands. */
#include <stdarg.h>
#include <string.h>

#include "bench/metrics.h"

enum { EVENTS_FEW = 100000 };

static void finding(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void finding(json_t *list, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

static const char *less_and_more(double a, double b, char out[80])
{
    double ratio = a > b ? a / (b > 0 ? b : 1e-9) : b / (a > 0 ? a : 1e-9);
    if (ratio < 1.1)
        snprintf(out, 80, "about the same");
    else
        snprintf(out, 80, "%.1f times as much for %s", ratio, a > b ? "lambda" : "kappa");
    return out;
}

static void say_freshness(json_t *list, const struct run *run, const struct side *l,
                          const struct side *k)
{
    if (!l->fresh_us.total || !k->fresh_us.total)
        return; /* came when all was over */
    finding(
        list,
        "Freshness: half of all events were visible after %.0f ms (lambda) and %.0f ms (kappa), "
        "99 of 100 after %.0f ms and %.0f ms.",
        metric_value(run, l, "freshness p50"), metric_value(run, k, "freshness p50"),
        metric_value(run, l, "freshness p99"), metric_value(run, k, "freshness p99"));
}

static void say_error(json_t *list, const struct run *run, const struct side *l,
                      const struct side *k)
{
    double lambda_worst = metric_value(run, l, "events missing, worst");
    double kappa_worst = metric_value(run, k, "events missing, worst");
    if (l->late == 0 && k->late == 0) {
        finding(list,
                "No event came later than the plan allows: answers differed from truth only by "
                "what was "
                "not visible yet, at worst %.1f %% of the events due (lambda) and %.1f %% (kappa).",
                lambda_worst, kappa_worst);
        return;
    }
    finding(list,
            "Both live views leave out what comes later than their plan allows: %.1f %% of all "
            "events by "
            "lambda's speed layer, %.1f %% by kappa's first version.",
            metric_value(run, l, "left out as late"), metric_value(run, k, "left out as late"));
    finding(list,
            "So answers were wrong for a while: at worst %.1f %% (lambda) and %.1f %% (kappa) of "
            "the events "
            "due by then were missing; over the run that adds up to %.2f and %.2f error-seconds.",
            lambda_worst, kappa_worst, l->error_seconds, k->error_seconds);
}

static void say_healing(json_t *list, const struct run *run, const struct side *l,
                        const struct side *k)
{
    int batches;
    double seconds = metric_from_output(l, "batch", "seconds", false, &batches);
    bool heals = l->late > 0 || k->late > 0; /* else there was nothing to heal, only to do again */
    const char *did = heals ? "healed" : "computed everything again";
    if (batches == 1)
        finding(list, "Lambda %s at its one batch, which folded the whole archive in %.2f s.", did,
                seconds);
    else
        finding(list,
                "Lambda %s at each of its %d batches, which folded the whole archive again every "
                "time: %.1f s of work in all; the last one took %.2f s.",
                did, batches, seconds, metric_value(run, l, "reprocess"));
    const char *lateness = run->options.heal_lateness;
    bool unlimited = strcmp(lateness, "unlimited") == 0;
    if (k->healing_done_ns)
        finding(
            list,
            "Kappa %s once, when somebody decided to: a version with %s%s was deployed, the log "
            "replayed into it, compared and promoted, in %.2f s, at the price of a second table "
            "in Redis (%.1f MB with both tables; lambda %.1f MB).",
            heals ? "healed" : "did so",
            unlimited ? "unlimited lateness" : "an allowed lateness of ", unlimited ? "" : lateness,
            metric_value(run, k, "reprocess"), k->redis_mb, l->redis_mb);
}

static void say_cost(json_t *list, const struct run *run, const struct side *l,
                     const struct side *k)
{
    char words[80];
    double lambda_s = metric_value(run, l, "CPU per million events");
    double kappa_s = metric_value(run, k, "CPU per million events");
    finding(list, "CPU-seconds per million events: %.1f for lambda, %.1f for kappa: %s.%s",
            lambda_s, kappa_s, less_and_more(lambda_s, kappa_s, words),
            run->events < EVENTS_FEW
                ? " With so few events that is mostly the cost of standing by, not of the events."
                : "");
}

static void say_recovery(json_t *list, const struct run *run, const struct side *l,
                         const struct side *k)
{
    bool right = l->contract_held && k->contract_held && l->final_true && k->final_true;
    bool exact = l->handover == HANDOVER_OFFSET;
    if (l->recovery_us < 0 || k->recovery_us < 0)
        return;
    finding(list,
            "Of %d fault%s the slowest recovery took %.0f ms in lambda and %.0f ms in kappa, from "
            "the end of "
            "the fault to answers that were as fresh again as before; %s.",
            run->strike_count, run->strike_count == 1 ? "" : "s", metric_value(run, l, "recovery"),
            metric_value(run, k, "recovery"),
            !exact  ? "what this hand-over of lambda loses and doubles: --handover all"
            : right ? "nothing was lost and nothing was counted twice in either"
                    : "what was lost or counted twice is among the checks");
}

/* What a run that only watched has to say about healing and cost: that it cannot. */
static void say_attached(json_t *list, const struct side *k)
{
    if (k->late > 0)
        finding(
            list,
            "Nothing healed kappa in this run: what came too late for its plan is still missing "
            "from its last answer. To heal it, deploy a version with a longer lateness and "
            "promote it: lk kappa deploy, lk kappa promote.");
    finding(list, "The processes ran elsewhere: what they cost is unknown here.");
}

/* One run is not a verdict, and says so. */
json_t *findings_of(const struct run *run)
{
    const struct side *l = &run->sides[0], *k = &run->sides[1];
    if (run->options.handovers)
        return handover_findings(run);
    json_t *list = json_array();
    say_freshness(list, run, l, k);
    say_error(list, run, l, k);
    if (run->options.attach) {
        say_attached(list, k);
    } else {
        say_healing(list, run, l, k);
        say_cost(list, run, l, k);
    }
    say_recovery(list, run, l, k);
    finding(list, "This is one run, both side by side: it shows how the two behave and "
                  "names no winner. Repeat it with your own events before you decide.");
    return list;
}
