/* tests/agreement/healed.c - kappa's way to the truth: a changed plan, replayed beside the live one.
 *
 * The plan loses every rule that drops an event: lateness, keep, the horizon. Its version, made
 * from the log's beginning, must be the truth for every case, and the live one must not notice. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/agreement/agreement.h"

static struct plan *heal(struct stage *stage)
{
    struct plan *plan = NULL;
    struct err err = {0};
    json_t *json = json_loads(stage->made->json.ptr, 0, NULL);
    json_t *dedupe = json_object_get(json, "dedupe");
    json_object_del(json, "keep");
    json_object_set_new(json, "allowed_lateness", json_string("unlimited"));
    if (dedupe)
        json_object_set_new(dedupe, "horizon", json_string("36500d"));
    char *text = json_dumps(json, JSON_COMPACT);
    if (plan_parse(bytes_of(text), stage->directory, true, &plan, NULL, &err) < 0)
        stage_fail(stage, "the healed plan is refused: %s\n%s", err.text, text);
    free(text);
    json_decref(json);
    return plan;
}

static bool replay(struct stage *stage)
{
    const struct leg leg = {.arch = ARCH_KAPPA,
                            .workers = (int)rng_below(&stage->rng, 3),
                            .to_end = true,
                            .calm = true};
    struct answer found, truth = {0};
    struct view_query query = {.exact = true};
    struct err err = {0};
    char digest[33];
    bool there;
    if (!leg_run(stage, &leg) || !leg_run(stage, &leg) || !check_end(stage, ARCH_KAPPA, digest) ||
        !check_read(stage, ARCH_KAPPA, &query, &found, &there))
        return false;
    bool right = oracle_truth(stage->oracle, INT64_MAX, &truth, &err) == 0;
    char of_truth[33];
    answer_digest(&truth, of_truth);
    if (!right || (!stage->made->absurd && strcmp(digest, of_truth) != 0))
        right = stage_fail(stage, "the healed version's digest is %s, the truth's %s", digest,
                           of_truth);
    answer_release(&truth);
    answer_release(&found);
    return right;
}

bool healed_version(struct stage *stage)
{
    struct err err = {0};
    struct plan *plan = stage->plan, *healed = heal(stage);
    struct oracle *oracle = stage->oracle;
    if (!healed)
        return false;
    if (strcmp(healed->hash, plan->hash) == 0) { /* nothing to heal */
        plan_free(healed);
        return true;
    }
    stage_tell(stage, "healed:");
    stage->plan = healed;
    stage->version = 2;
    bool right = oracle_open(bytes_of(healed->json), stage->directory, stage->log, stage->topic,
                             &stage->oracle, &err) == 0;
    if (right) {
        right = replay(stage);
        oracle_close(stage->oracle);
    } else {
        stage_fail(stage, "oracle: %s", err.text);
    }
    stage->oracle = oracle;
    stage->plan = plan;
    stage->version = 1;
    plan_free(healed);
    return right && check_view(stage, ARCH_KAPPA);
}
