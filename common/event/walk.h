/* common/event/walk.h - the walk over one JSON text, compiled once for each way to skip strings.
 *
 * walk_plain.c and walk_mask.c include it, each after defining
 *     struct strings                              what the way knows of the text
 *     strings_begin(&strings, value)              for a new text
 *     strings_stop(&strings, at, end)             the first byte >= at that is a quote, a
 * backslash, a control character or above 0x7f; or end The walk is a loop, not a recursion: open
 * containers stand in walk->levels. */
#include "common/event/parts.h"
#include "common/event/text.h"

#define INLINE static inline __attribute__((always_inline))

struct cursor {
    const char *at, *end;
    struct strings strings;
    int depth; /* open containers */
};

INLINE bool fail(struct walk *walk, const char *wrong)
{
    walk->wrong = wrong;
    return false;
}

INLINE const char *skip_space(const char *at, const char *end)
{
    while (at < end && text_is_space(*at))
        at++;
    return at;
}

/* at: behind the opening quote. Returns the closing quote, or NULL. */
INLINE const char *string_end(struct cursor *c, const char *at, bool *escaped, const char **wrong)
{
    *escaped = false;
    for (;;) {
        at = strings_stop(&c->strings, at, c->end);
        if (at < c->end && *at == '"')
            return at;
        *wrong = at;
        if (at == c->end)
            return NULL;
        const char *odd = at;
        if (!(at = text_odd(at, c->end, wrong)))
            return NULL;
        *escaped |= memchr(odd, '\\', (size_t)(at - odd)) != NULL;
    }
}

/* A value that is no container: leaves its kind and text in *value. */
INLINE bool scalar(struct walk *walk, struct cursor *c, struct raw_value *value)
{
    static const struct bytes TRUE_WORD = {"true", 4}, FALSE_WORD = {"false", 5},
                              NULL_WORD = {"null", 4};
    const char *begin = c->at, *end;
    value->escaped = false;
    switch (*begin) {
    case '"':
        value->kind = RAW_STRING;
        end = string_end(c, ++begin, &value->escaped, &walk->wrong);
        if (!end)
            return false;
        value->text = (struct bytes){begin, (size_t)(end - begin)};
        c->at = end + 1;
        return true;
    case 't':
        value->kind = RAW_TRUE;
        end = text_literal(begin, c->end, TRUE_WORD, &walk->wrong);
        break;
    case 'f':
        value->kind = RAW_FALSE;
        end = text_literal(begin, c->end, FALSE_WORD, &walk->wrong);
        break;
    case 'n':
        value->kind = RAW_NULL;
        end = text_literal(begin, c->end, NULL_WORD, &walk->wrong);
        break;
    default:
        value->kind = RAW_NUMBER;
        end = text_number(begin, c->end, &walk->wrong);
    }
    if (!end)
        return false;
    value->text = (struct bytes){begin, (size_t)(end - begin)};
    c->at = end;
    return true;
}

/* A later key of the same name replaces all that an earlier one gave, below it too. */
INLINE void forget(struct walk *walk, const struct node *node)
{
    for (int i = node->first_target; i < node->end_target; i++)
        walk->targets[i].kind = RAW_ABSENT;
}

INLINE void close_container(struct walk *walk, struct cursor *c)
{
    struct level *level = &walk->levels[--c->depth];
    c->at++;
    if (!level->node || level->node->target < 0)
        return;
    walk->targets[level->node->target] = (struct raw_value){
        .kind = level->object ? RAW_OBJECT : RAW_ARRAY,
        .text = {level->begin, (size_t)(c->at - level->begin)},
    };
}

/* At an opening brace or bracket. *opened is false if it was closed at once. */
INLINE void open_container(struct walk *walk, struct cursor *c, const struct node *node,
                           bool *opened)
{
    bool object = *c->at == '{';
    walk->levels[c->depth++] = (struct level){c->at, node, object};
    c->at = skip_space(c->at + 1, c->end);
    *opened = c->at == c->end || *c->at != (object ? '}' : ']');
    if (!*opened)
        close_container(walk, c);
}

INLINE bool value_here(struct walk *walk, struct cursor *c, const struct node *node, bool *opened)
{
    c->at = skip_space(c->at, c->end);
    *opened = false;
    if (c->at == c->end || c->depth >= SCAN_DEPTH_MAX)
        return fail(walk, c->at);
    if (node)
        forget(walk, node);
    if (*c->at == '{' || *c->at == '[') {
        open_container(walk, c, node, opened);
        return true;
    }
    struct raw_value value;
    if (!scalar(walk, c, &value))
        return false;
    if (node && node->target >= 0)
        walk->targets[node->target] = value;
    return true;
}

/* A key and its colon; *node becomes the wanted child it names, or NULL. */
INLINE bool key_here(struct walk *walk, struct cursor *c, const struct node **node)
{
    c->at = skip_space(c->at, c->end);
    if (c->at == c->end || *c->at != '"')
        return fail(walk, c->at);
    const char *begin = c->at + 1;
    bool escaped;
    const char *end = string_end(c, begin, &escaped, &walk->wrong);
    if (!end)
        return false;
    const struct node *parent = walk->levels[c->depth - 1].node;
    *node = parent && walk->levels[c->depth - 1].object ? parent->child : NULL;
    size_t len = (size_t)(end - begin);
    if (__builtin_expect(escaped, 0) && *node)
        *node = node_find_escaped(parent, (struct bytes){begin, len});
    else
        while (*node && ((*node)->name.len != len || memcmp((*node)->name.ptr, begin, len) != 0))
            *node = (*node)->next;
    c->at = skip_space(end + 1, c->end);
    if (c->at == c->end || *c->at != ':')
        return fail(walk, c->at);
    c->at++;
    return true;
}

/* Behind a value: close what ends here, up to a comma (*more) or the end of the text. */
INLINE bool after_value(struct walk *walk, struct cursor *c, bool *more)
{
    for (;;) {
        c->at = skip_space(c->at, c->end);
        *more = c->depth > 0;
        if (c->at == c->end || !*more)
            return c->at == c->end && !*more ? true : fail(walk, c->at);
        if (*c->at == ',')
            break;
        if (*c->at != (walk->levels[c->depth - 1].object ? '}' : ']'))
            return fail(walk, c->at);
        close_container(walk, c);
    }
    c->at++;
    return true;
}

INLINE enum bad_reason walk_text(struct walk *walk, struct bytes text)
{
    struct cursor c = {.at = text.ptr, .end = text.ptr + text.len};
    strings_begin(&c.strings, text);
    c.at = skip_space(c.at, c.end);
    const struct node *node = walk->root;
    enum bad_reason good = c.at < c.end && *c.at == '{' ? BAD_NOT : BAD_NOT_OBJECT;
    for (;;) {
        bool more;
        if (!value_here(walk, &c, node, &more))
            return BAD_JSON;
        if (!more && !after_value(walk, &c, &more))
            return BAD_JSON;
        if (!more)
            return good;
        node = NULL;
        if (walk->levels[c.depth - 1].object && !key_here(walk, &c, &node))
            return BAD_JSON;
    }
}
