/* workloads/oracle_plan.c - the oracle's own reading of a plan's JSON.
 *
 * The plan has been checked by plan_load; here it is only understood, a second time and by other
 * code. What cannot be understood is ERR_USAGE, never skipped. */
#include <stdio.h>
#include <stdlib.h>

#include "workloads/oracle_parts.h"

static int not_understood(const char *member, struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "oracle: cannot understand \"%s\" of the plan; run: lk plan check --plan FILE",
                   member);
}

int rulebook_find(const struct rulebook *book, const char *name)
{
    for (int i = 0; i < book->count; i++)
        if (strcmp(book->facts[i].name, name) == 0)
            return i;
    return -1;
}

static bool add_path(struct rulebook *book, struct fact *fact, const char *text)
{
    if (!text || fact->path_count == 10)
        return false;
    char *rest = arena_string(&book->arena, text);
    int depth = 0;
    for (char *name; (name = strsep(&rest, ".")); depth++) {
        if (depth == 8)
            return false;
        fact->paths[fact->path_count][depth] = name;
    }
    fact->path_count++;
    return true;
}

static bool read_kind(const char *text, struct fact *fact)
{
    static const struct {
        const char *name;
        enum kind kind;
    } kinds[] = {
        {"int", KIND_INT}, {"double", KIND_DOUBLE}, {"string", KIND_STRING}, {"bool", KIND_BOOL}};
    for (size_t i = 0; text && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(text, kinds[i].name) == 0) {
            fact->kind = kinds[i].kind;
            return true;
        }
    fact->kind = KIND_DECIMAL;
    return text && sscanf(text, "decimal:%d", &fact->scale) == 1;
}

/* "int", or {"type": "int", "default": 0, "optional": true, "alias": ["old"]}. */
static bool read_fact(struct rulebook *book, const char *name, const json_t *node)
{
    if (book->count == FACTS_MAX)
        return false;
    struct fact *fact = &book->facts[book->count++];
    *fact = (struct fact){.name = name};
    const json_t *type = json_is_object(node) ? json_object_get(node, "type") : node;
    const json_t *alias = json_object_get(node, "alias");
    bool good = add_path(book, fact, name) && read_kind(json_string_value(type), fact);
    for (size_t i = 0; good && i < json_array_size(alias); i++)
        good = add_path(book, fact, json_string_value(json_array_get(alias, i)));
    fact->optional = json_is_true(json_object_get(node, "optional"));
    return good &&
           scalar_read(fact, &book->json, json_object_get(node, "default"), &fact->fallback);
}

/* A duration member: text, "unlimited", or missing (then it is the fallback). */
static bool read_duration(const json_t *object, const char *member, int64_t fallback, int64_t *out)
{
    const json_t *node = json_object_get(object, member);
    const char *text = json_string_value(node);
    *out = fallback;
    if (!node)
        return true;
    if (text && strcmp(text, "unlimited") == 0) {
        *out = UNLIMITED;
        return true;
    }
    return text && duration_parse(bytes_of(text), out);
}

static int read_source(struct rulebook *book, struct err *err)
{
    const json_t *source = json_object_get(book->json.root, "source");
    const json_t *time = json_object_get(source, "time");
    struct fact *fact = &book->facts[book->count++];
    const json_t *alias = json_object_get(time, "alias");
    *fact = (struct fact){.kind = KIND_TIME};
    fact->name = json_string_value(json_object_get(time, "field"));
    fact->time_format = json_string_value(json_object_get(time, "format"));
    bool good = add_path(book, fact, fact->name) && fact->time_format;
    for (size_t i = 0; good && i < json_array_size(alias); i++)
        good = add_path(book, fact, json_string_value(json_array_get(alias, i)));
    if (!good)
        return not_understood("source.time", err);
    json_t *fields = json_object_get(source, "fields");
    for (void *at = json_object_iter(fields); at; at = json_object_iter_next(fields, at))
        if (!read_fact(book, json_object_iter_key(at), json_object_iter_value(at)))
            return not_understood(json_object_iter_key(at), err);
    book->scanned = book->count;
    if (!read_duration(source, "out_of_order", 0, &book->out_of_order_ms) ||
        !read_duration(source, "max_ahead", UNLIMITED, &book->max_ahead_ms))
        return not_understood("source", err);
    return 0;
}

static int read_lookup(struct rulebook *book, const char *directory, struct err *err)
{
    const json_t *lookup = json_object_get(book->json.root, "lookup");
    book->on = -1;
    if (!lookup)
        return 0;
    const char *file = json_string_value(json_object_get(lookup, "table"));
    const char *on = json_string_value(json_object_get(lookup, "on"));
    const char *missing = json_string_value(json_object_get(lookup, "missing"));
    const json_t *take = json_object_get(lookup, "take");
    book->on = on ? rulebook_find(book, on) : -1;
    book->keep_missing = missing && strcmp(missing, "keep") == 0;
    if (!file || book->on < 0)
        return not_understood("lookup", err);
    for (size_t i = 0; i < json_array_size(take); i++) {
        const char *name = json_string_value(json_array_get(take, i));
        if (!name || book->count == FACTS_MAX)
            return not_understood("lookup.take", err);
        book->facts[book->count++] = (struct fact){.name = name, .kind = KIND_STRING};
    }
    struct buf path = {0};
    buf_printf(&path, "%s%s%s", *file == '/' || !directory ? "" : directory,
               *file == '/' || !directory ? "" : "/", file);
    int rc = table_load(book, path.ptr, err);
    buf_release(&path);
    return rc;
}

static int read_dedupe(struct rulebook *book, struct err *err)
{
    const json_t *dedupe = json_object_get(book->json.root, "dedupe");
    book->dedupe_by = -1;
    if (!dedupe)
        return 0;
    const char *by = json_string_value(json_object_get(dedupe, "by"));
    book->dedupe_by = by ? rulebook_find(book, by) : -1;
    if (book->dedupe_by < 0 || !json_object_get(dedupe, "horizon") ||
        !read_duration(dedupe, "horizon", UNLIMITED, &book->horizon_ms))
        return not_understood("dedupe", err);
    return 0;
}

static int read_key(struct rulebook *book, struct err *err)
{
    const json_t *key = json_object_get(book->json.root, "key");
    for (size_t i = 0; i < json_array_size(key); i++) {
        const char *name = json_string_value(json_array_get(key, i));
        int fact = name ? rulebook_find(book, name) : -1;
        if (fact < 0 || book->keys == KEYS_MAX)
            return not_understood("key", err);
        book->key[book->keys++] = fact;
    }
    return 0;
}

static bool node_duration(const json_t *node, int64_t *out)
{
    const char *text = json_string_value(node);
    return text && duration_parse(bytes_of(text), out) && *out > 0;
}

static int read_window(struct rulebook *book, struct err *err)
{
    const json_t *window = json_object_get(book->json.root, "window");
    const json_t *tumbling = json_object_get(window, "tumbling");
    const json_t *hopping = json_object_get(window, "hopping");
    const char *word = json_string_value(window);
    bool good = word && strcmp(word, "none") == 0;
    if (tumbling) {
        good = node_duration(tumbling, &book->size_ms);
        book->hop_ms = book->size_ms;
    } else if (hopping) {
        good = node_duration(json_array_get(hopping, 0), &book->size_ms) &&
               node_duration(json_array_get(hopping, 1), &book->hop_ms);
    }
    return good ? 0 : not_understood("window", err);
}

/* "count", {"count": true, "where": ..} or {"sum": "price", "where": ..}, {"distinct": "user", "precision": 8}. */
static bool read_value(struct rulebook *book, const char *name, const json_t *node)
{
    static const char *const KINDS[] = {"count", "sum", "min", "max", "avg", "distinct"};
    if (book->value_count == VALUES_MAX)
        return false;
    int i = book->value_count++;
    book->values[i].name = name;
    book->values[i].fact = -1;
    book->values[i].where = json_object_get(node, "where");
    const json_t *precision = json_object_get(node, "precision");
    book->values[i].precision = precision ? atoi(exact_number(&book->json, precision).ptr) : 10;
    const char *word = json_string_value(node);
    if (word)
        return strcmp(word, "count") == 0;
    if (json_is_true(json_object_get(node, "count")))
        return true;
    for (int k = VALUE_SUM; k <= VALUE_DISTINCT; k++) {
        const char *field = json_string_value(json_object_get(node, KINDS[k]));
        if (!field)
            continue;
        book->values[i].kind = k;
        book->values[i].fact = rulebook_find(book, field);
    }
    return book->values[i].fact >= 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names, however the plan is written. */
static int read_values(struct rulebook *book, struct err *err)
{
    json_t *values = json_object_get(book->json.root, "values");
    size_t count = 0;
    const char **names = arena_zero(&book->arena, json_object_size(values) + 1, sizeof *names);
    for (void *at = json_object_iter(values); at; at = json_object_iter_next(values, at))
        names[count++] = json_object_iter_key(at);
    if (count)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (!read_value(book, names[i], json_object_get(values, names[i])))
            return not_understood(names[i], err);
        int rc = where_check(book, book->values[book->value_count - 1].where, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_rules(struct rulebook *book, struct err *err)
{
    const json_t *root = book->json.root;
    if (!read_duration(root, "allowed_lateness", 0, &book->lateness_ms))
        return not_understood("allowed_lateness", err);
    if (!read_duration(root, "keep", UNLIMITED, &book->keep_ms))
        return not_understood("keep", err);
    book->where = json_object_get(root, "where");
    return where_check(book, book->where, err);
}

int rulebook_open(struct rulebook *book, struct bytes plan_json, const char *directory, bool speed,
                  struct err *err)
{
    *book = (struct rulebook){0};
    struct bytes text = arena_bytes(&book->arena, plan_json);
    if (!exact_parse(&book->json, text) || !json_is_object(book->json.root))
        return err_set(err, ERR_USAGE, "oracle: the plan is not a JSON object");
    if (speed)
        rulebook_lay_speed(book);
    int rc = read_source(book, err);
    if (rc == 0)
        rc = read_lookup(book, directory, err);
    if (rc == 0)
        rc = read_rules(book, err);
    if (rc == 0)
        rc = read_dedupe(book, err);
    if (rc == 0)
        rc = read_key(book, err);
    if (rc == 0)
        rc = read_window(book, err);
    if (rc == 0)
        rc = read_values(book, err);
    return rc == 0 && speed ? rulebook_amend(book, err) : rc;
}

void rulebook_release(struct rulebook *book)
{
    exact_release(&book->json);
    map_release(&book->table);
    arena_release(&book->arena);
}
