/* bench/drift_overlay.c - a difference, laid over the plan: as the speed layer of a lambda has it, and in the plan
 * itself, where lk plan diff names it. See drift_parts.h. */
#include <jansson.h>
#include <stdlib.h>

#include "bench/drift_parts.h"

int drift_parse(const char *view, const char *speed, struct plan **out, struct err *err)
{
    struct buf json = {0};
    buf_printf(&json, DRIFT_PLAN, view, speed);
    int rc = plan_parse(buf_bytes(&json), ".", false, out, NULL, err);
    buf_release(&json);
    return rc;
}

/* Defaults of fields, as a plan says them: of a field that was optional. Whether there are any. */
static bool lay_defaults(json_t *plan, json_t *source)
{
    const char *name;
    json_t *value, *fields = json_object_get(json_object_get(plan, "source"), "fields");
    bool any = false;
    json_object_foreach (json_object_get(source, "fields"), name, value) {
        json_t *there = json_object_get(fields, name), *given = json_object_get(value, "default");
        if (!given)
            continue;
        json_object_del(there, "optional");
        json_object_set(there, "default", given);
        any = true;
    }
    return any;
}

/* The difference as a kappa would have it: in the plan itself. What no plan can say (a shift, a cut-off)
 * stays where it is. */
static void lay_over(json_t *plan, json_t *speed)
{
    const char *name;
    json_t *value;
    json_object_foreach (speed, name, value) {
        json_t *there = json_object_get(plan, name);
        bool off = json_is_null(value) ||
                   (json_is_string(value) && strcmp(json_string_value(value), "off") == 0);
        if (off)
            json_object_del(plan, name);
        else if (strcmp(name, "source") == 0 && lay_defaults(plan, value))
            continue;
        else if (strcmp(name, "source") == 0)
            json_object_set_new(plan, "speed", json_pack("{s:O}", name, value));
        else if (json_is_object(there) && json_is_object(value))
            json_object_update(there, value);
        else
            json_object_set(plan, name, value);
    }
}

int drift_say_diff(const struct plan *plan, const char *speed, char out[120], struct err *err)
{
    struct plan *changed = NULL;
    struct buf text = {0};
    size_t i, used = 0;
    json_t *root = json_loads(plan->json, 0, NULL), *overlay = json_loads(speed, 0, NULL);
    json_t *change;
    lay_over(root, overlay);
    char *json = json_dumps(root, JSON_COMPACT);
    int rc = plan_parse(bytes_of(json), ".", false, &changed, NULL, err);
    json_decref(root);
    json_decref(overlay);
    free(json);
    if (rc < 0)
        return rc;
    plan_diff(plan, changed, true, &text);
    root = json_loads(text.ptr, 0, NULL);
    json_array_foreach (json_object_get(root, "changes"), i, change)
        if (used < 100)
            used += (size_t)snprintf(out + used, 120 - used, "%s%s", used ? ", " : "",
                                     json_string_value(json_object_get(change, "path")));
    json_decref(root);
    buf_release(&text);
    plan_free(changed);
    return 0;
}
