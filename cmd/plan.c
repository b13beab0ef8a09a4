/* cmd/plan.c - lk plan explain, check, diff: a plan in English, every mistake in it, what a change of it means. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "common/op/lookup.h"
#include "common/plan/plan.h"

/* The one word behind the verb, or NULL with err filled. */
static const char *plan_path(const struct settings *settings, const char *verb, struct err *err)
{
    const char *const *words;
    if (settings_words(settings, &words) == 1)
        return words[0];
    err_set(err, ERR_USAGE, "expected one plan; run: lk plan %s PLAN.json", verb);
    return NULL;
}

static int count_lines(const struct buf *text)
{
    int lines = 0;
    for (size_t i = 0; i < text->len; i++)
        lines += text->ptr[i] == '\n';
    return lines;
}

/* As plan_load; the mistakes go to stderr, and err says how many. */
static int load_aloud(const char *path, struct plan **out, struct err *err)
{
    struct buf mistakes = {0};
    struct err why = {0};
    int code = plan_load(path, out, &mistakes, &why);
    if (code == 0 && (code = lookup_check(*out, &why)) < 0) {
        plan_free(*out);
        *out = NULL;
    }
    int count = count_lines(&mistakes);
    if (count > 0) {
        fputs(mistakes.ptr, stderr);
        err_set(err, code, "%s: %d mistake%s", path, count, count == 1 ? "" : "s");
    } else if (code < 0) {
        err_set(err, code, "%s", why.text);
    }
    buf_release(&mistakes);
    return code;
}

int cmd_plan_explain(const struct settings *settings, struct err *err)
{
    const char *path = plan_path(settings, "explain", err);
    struct plan *plan;
    int code = path ? load_aloud(path, &plan, err) : ERR_USAGE;
    if (code < 0)
        return code;
    struct buf text = {0};
    plan_explain(plan, &text);
    fputs(text.ptr, stdout);
    buf_release(&text);
    plan_free(plan);
    return 0;
}

int cmd_plan_diff(const struct settings *settings, struct err *err)
{
    const char *const *words;
    struct plan *plans[2] = {NULL, NULL};
    int code =
        settings_words(settings, &words) == 2
            ? 0
            : err_set(err, ERR_USAGE, "expected two plans; run: lk plan diff OLD.json NEW.json");
    for (int i = 0; i < 2 && code == 0; i++)
        code = load_aloud(words[i], &plans[i], err);
    if (code == 0) {
        struct buf text = {0};
        plan_diff(plans[0], plans[1], settings_bool(settings, "json"), &text);
        fputs(text.ptr, stdout);
        buf_release(&text);
    }
    plan_free(plans[0]);
    plan_free(plans[1]);
    return code;
}

/* The table of a plan that is right in itself: a mistake in it, as plan_check would print it. */
static int check_table(const char *path, struct buf *json, struct err *err)
{
    struct plan *plan;
    int code = plan_load(path, &plan, NULL, err);
    if (code < 0)
        return code;
    code = lookup_check(plan, err);
    plan_free(plan);
    if (code == 0)
        return 0;
    buf_clear(json);
    buf_add_text(json, "[{\"path\":\"$.lookup.table\",\"found\":");
    buf_add_json_string(json, bytes_of(err->text));
    buf_add_text(json, ",\"expected\":\"a table that can be read\",\"suggestion\":null}]\n");
    return code;
}

static int check_as_json(const char *path, struct err *err)
{
    struct buf json = {0};
    int code = plan_check(path, &json, err);
    code = code == 0 ? check_table(path, &json, err) : code;
    fputs(json.ptr ? json.ptr : "", stdout);
    buf_release(&json);
    return code;
}

int cmd_plan_check(const struct settings *settings, struct err *err)
{
    const char *path = plan_path(settings, "check", err);
    struct plan *plan;
    if (!path)
        return ERR_USAGE;
    if (settings_bool(settings, "json"))
        return check_as_json(path, err);
    int code = load_aloud(path, &plan, err);
    if (code < 0)
        return code;
    printf("%s: ok\n", path);
    plan_free(plan);
    return 0;
}
