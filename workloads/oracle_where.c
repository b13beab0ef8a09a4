/* workloads/oracle_where.c - conditions, asked of one row by walking the plan's JSON.
 *
 * ["delay", ">", 15], {"and": [..]}, {"or": [..]}, {"not": ..}. A comparison with an absent field
 * is false, and `not` turns whatever it is given, also that. */
#include "workloads/oracle_parts.h"

/* What a field is compared with: another field's value, or a constant of the field's kind. */
static bool other_side(const struct rulebook *book, int fact, const json_t *node, bool fields,
                       const struct scalar *row, struct scalar *out)
{
    int other = fields && json_is_string(node) ? rulebook_find(book, json_string_value(node)) : -1;
    if (other >= 0) {
        *out = row ? row[other] : (struct scalar){0};
        return true;
    }
    if (json_is_object(node))
        node = json_object_get(node, "literal");
    struct fact type = book->facts[fact];
    if (type.kind == KIND_TIME)
        type.time_format = "ms";
    if (scalar_read(&type, &book->json, node, out) && out->present)
        return true;
    /* A canonical plan has been through a double: 0.1 came back as 0.10000000000000001. */
    struct fact real = {.kind = KIND_DOUBLE};
    struct buf text = {0};
    bool good = type.kind == KIND_DECIMAL && scalar_read(&real, &book->json, node, out);
    if (good) {
        buf_add_double(&text, out->real);
        if (text.len > 2 && strcmp(text.ptr + text.len - 2, ".0") == 0)
            text.len -= 2;
        json_t *shortest = json_stringn(text.ptr, text.len);
        good = scalar_read(&type, &book->json, shortest, out);
        json_decref(shortest);
    }
    buf_release(&text);
    return good && out->present;
}

static bool begins_with(struct bytes text, struct bytes prefix)
{
    return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

static bool relation_holds(const char *op, const struct fact *fact, const struct scalar *a,
                           const struct scalar *b)
{
    if (strcmp(op, "prefix") == 0)
        return begins_with(a->text, b->text);
    int order = scalar_compare(fact, a, b);
    if (strcmp(op, "=") == 0)
        return order == 0;
    if (strcmp(op, "!=") == 0)
        return order != 0;
    if (strcmp(op, "<") == 0)
        return order < 0;
    if (strcmp(op, "<=") == 0)
        return order <= 0;
    if (strcmp(op, ">") == 0)
        return order > 0;
    return order >= 0;
}

static bool is_in(const struct rulebook *book, int fact, const json_t *list,
                  const struct scalar *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct scalar other;
        if (other_side(book, fact, json_array_get(list, i), false, NULL, &other) &&
            scalar_compare(&book->facts[fact], value, &other) == 0)
            return true;
    }
    return false;
}

static bool comparison_holds(const struct rulebook *book, const json_t *where,
                             const struct scalar *row)
{
    int fact = rulebook_find(book, json_string_value(json_array_get(where, 0)));
    const char *op = json_string_value(json_array_get(where, 1));
    const json_t *node = json_array_get(where, 2);
    if (strcmp(op, "exists") == 0)
        return row[fact].present == !json_is_false(node);
    if (!row[fact].present)
        return false;
    if (strcmp(op, "in") == 0)
        return is_in(book, fact, node, &row[fact]);
    struct scalar other;
    return other_side(book, fact, node, true, row, &other) && other.present &&
           relation_holds(op, &book->facts[fact], &row[fact], &other);
}

bool where_holds(const struct rulebook *book, const json_t *where, const struct scalar *row)
{
    if (!where)
        return true;
    if (json_is_array(where))
        return comparison_holds(book, where, row);
    const json_t *inner = json_object_get(where, "not");
    if (inner)
        return !where_holds(book, inner, row);
    const json_t *all = json_object_get(where, "and");
    const json_t *list = all ? all : json_object_get(where, "or");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (where_holds(book, json_array_get(list, i), row) != (all != NULL))
            return all == NULL;
    return all != NULL;
}

static int unreadable(const char *what, struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "oracle: cannot read a condition of the plan: %s; run: lk plan "
                   "check --plan FILE",
                   what);
}

static int check_comparison(const struct rulebook *book, const json_t *where, struct err *err)
{
    static const char OPS[] = " = != < <= > >= in prefix exists ";
    const char *name = json_string_value(json_array_get(where, 0));
    const char *op = json_string_value(json_array_get(where, 1));
    const json_t *node = json_array_get(where, 2);
    int fact = name ? rulebook_find(book, name) : -1;
    struct buf word = {0};
    buf_printf(&word, " %s ", op ? op : "?");
    bool known = strstr(OPS, word.ptr) != NULL;
    buf_release(&word);
    if (fact < 0 || !op || !known)
        return unreadable(fact < 0 ? "an unknown field" : "an unknown comparison", err);
    if (strcmp(op, "exists") == 0)
        return 0;
    struct scalar other;
    bool list = strcmp(op, "in") == 0;
    for (size_t i = 0; i < (list ? json_array_size(node) : 1); i++)
        if (!other_side(book, fact, list ? json_array_get(node, i) : node, !list, NULL, &other))
            return unreadable(name, err);
    return 0;
}

int where_check(const struct rulebook *book, const json_t *where, struct err *err)
{
    if (!where || json_is_array(where))
        return where ? check_comparison(book, where, err) : 0;
    const json_t *inner = json_object_get(where, "not");
    if (inner)
        return where_check(book, inner, err);
    const json_t *list = json_object_get(where, "and");
    if (!list)
        list = json_object_get(where, "or");
    int rc = json_is_array(list) ? 0 : unreadable("neither comparison, and, or nor not", err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = where_check(book, json_array_get(list, i), err);
    return rc;
}
