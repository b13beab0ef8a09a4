/* common/event/tree.c - the wanted paths as a tree of names that the walk follows key by key. */
#include "common/event/parts.h"
#include "common/event/text.h"

static struct node *child_named(struct arena *arena, struct node *parent, struct bytes name)
{
    struct node **link = &parent->child;
    for (; *link; link = &(*link)->next)
        if (bytes_equal((*link)->name, name))
            return *link;
    *link = arena_zero(arena, 1, sizeof **link);
    (*link)->name = name;
    (*link)->target = -1;
    return *link;
}

static struct node *add_path(struct arena *arena, struct node *root, const struct field_path *path)
{
    struct node *node = root;
    for (int i = 0; i < path->depth; i++)
        node = child_named(arena, node, path->part[i]);
    return node;
}

/* Give node and all below it their targets, from next on; returns the first one not given. */
static int number(struct node *node, int next)
{
    node->first_target = next;
    if (node->target >= 0)
        node->target = next++;
    for (struct node *child = node->child; child; child = child->next)
        next = number(child, next);
    return node->end_target = next;
}

const struct node *tree_build(const struct schema *schema, struct arena *arena,
                              int (*target)[1 + FIELD_ALIAS_MAX], int *count)
{
    struct node *root = arena_zero(arena, 1, sizeof *root);
    root->target = -1;
    for (int i = 0; i < schema->scanned; i++)
        for (int k = 0; k < schema->fields[i].paths; k++)
            add_path(arena, root, &schema->fields[i].path[k])->target = 0; /* numbered below */
    *count = number(root, 0);
    for (int i = 0; i < schema->scanned; i++)
        for (int k = 0; k < schema->fields[i].paths; k++)
            target[i][k] = add_path(arena, root, &schema->fields[i].path[k])->target;
    return root;
}

/* Does the escaped key mean name? Piece by piece, so that no key is too long. */
static bool means(struct bytes key, struct bytes name)
{
    while (key.len > 0) {
        char piece[4];
        struct bytes escape = {key.ptr, text_escape_len(key)};
        size_t len = text_unescape(escape, piece);
        if (len > name.len || memcmp(piece, name.ptr, len) != 0)
            return false;
        key = (struct bytes){key.ptr + escape.len, key.len - escape.len};
        name = (struct bytes){name.ptr + len, name.len - len};
    }
    return name.len == 0;
}

const struct node *node_find_escaped(const struct node *node, struct bytes key)
{
    const struct node *child = node->child;
    while (child && !means(key, child->name))
        child = child->next;
    return child;
}
