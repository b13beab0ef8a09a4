/* tests/agreement/scenes.c - moments that chance does not reach, and the list of planted bugs.
 *
 * A scene is played without a bug and must pass; with its bug planted it must fail. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/agreement/agreement.h"

const struct plant PLANTS[] = {
    {.name = "skip-fence"},
    {.name = "position-first"},
    {.name = "keep-memory"},
    {.name = "boundary-off-by-one"},
    {.name = "drop-late-cell"},
    {.name = "first-sighting"},
    {.name = "span-twice"},
    {.name = "span-off-by-one"},
    {.name = "boundary-any"},
    {.name = "late", .in_oracle = true},
    {.name = "floor", .in_oracle = true},
    {.name = "avg", .in_oracle = true},
    {0},
};

const struct scene SCENES[] = {{0}};

const struct scene *scene_find(const char *name)
{
    for (const struct scene *scene = SCENES; scene->name; scene++)
        if (strcmp(scene->name, name) == 0)
            return scene;
    return NULL;
}

bool play_scene(const struct case_options *options, const struct scene *scene, struct buf *problem)
{
    struct made *made = mem_zero(1, sizeof *made);
    struct stage *stage = mem_zero(1, sizeof *stage);
    stage->verbose = options->verbose;
    made_open(made, options->seed, 0);
    bool right =
        stage_open(stage, made, options->root, "memory:case", options->seed) && scene->play(stage);
    if (!right)
        buf_printf(problem, "  %s\n  %s\n", stage->problem.ptr,
                   stage->story.ptr ? stage->story.ptr : "");
    stage_close(stage);
    free(stage);
    made_release(made);
    free(made);
    return right;
}
