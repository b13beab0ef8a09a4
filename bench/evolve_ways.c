/* bench/evolve_ways.c - how a rule is changed, taken back and cleaned up, as verbs of lk. See evolve_parts.h. */
#include "bench/evolve_parts.h"

#define AT " --log {log} --topic {topic} --view {view} --json"
#define BATCH " --archive {archive} --topic {topic} --view {view} --every 2s --json"

const struct evolve_way EVOLVE_WAYS[2] = {
    {.name = "lambda",
     .arch = ARCH_LAMBDA,
     .rename = "ad_views_2",
     .batches = true,
     .story =
         "a view of lambda has one plan: the new rule is a second view, its speed layer and its "
         "batches are started, and applications are told its name one after the other",
     .services = {{STEP_START, "archive",
                   "lambda archive --log {log} --topic {topic} --archive {archive} --json"},
                  {STEP_START, "speed", "lambda speed --plan {plan} --span 500ms" AT},
                  {STEP_START, "batch", "lambda batch --plan {plan}" BATCH}},
     .change = {{STEP_START, "speed 2", "lambda speed --plan {new} --span 500ms" AT},
                {STEP_START, "batch 2", "lambda batch --plan {new}" BATCH},
                {STEP_CAUGHT_UP},
                {STEP_RUN, .command = "verify --plan {new} --from lambda" AT},
                {STEP_TELL, .flips = true, .rule = RULE_NEW}},
     .back = {{STEP_TELL, .flips = true, .rule = RULE_OLD}},
     .clean = {{STEP_STOP, "batch 2"},
               {STEP_STOP, "speed 2"},
               {STEP_RUN, .command = "lambda retire --plan {new} --view {view} --json"}}},
    {.name = "kappa",
     .arch = ARCH_KAPPA,
     .story = "the new rule is a second version, filled by a replay beside the live one, compared, "
              "given a tenth of the keys for a second, and promoted; applications ask as before",
     .services = {{STEP_START, "run", "kappa run --plan {plan}" AT}},
     .change = {{STEP_START, "deploy", "kappa deploy --plan {new} --follow" AT},
                {STEP_RUN, .command = "kappa diff --plan {new} --view {view} --json"},
                {STEP_RUN, .command = "kappa canary --share 10 --plan {new} --view {view} --json",
                 .flips = true},
                {STEP_LOOK},
                {STEP_RUN,
                 .command = "kappa promote --accept-diff --plan {new} --view {view} --json",
                 .flips = true}},
     .back = {{STEP_RUN, .command = "kappa rollback --plan {plan} --view {view} --json",
               .flips = true}},
     .clean = {{STEP_STOP, "deploy"},
               {STEP_RUN,
                .command = "kappa retire --plan {plan} --view {view} --version 2 --json"}}},
};
