/* common/event/schema.c - finding fields, and splitting a dotted path into its parts. */
#include "common/event/schema.h"

int schema_find(const struct schema *schema, const char *name)
{
    for (int i = 0; i < schema->count; i++)
        if (strcmp(schema->fields[i].name, name) == 0)
            return i;
    return -1;
}

bool field_path_parse(const char *text, struct field_path *path)
{
    path->depth = 0;
    for (;;) {
        size_t len = strcspn(text, ".");
        if (len == 0 || path->depth == FIELD_PATH_MAX)
            return false;
        path->part[path->depth++] = (struct bytes){text, len};
        if (text[len] == 0)
            return true;
        text += len + 1;
    }
}

const char *field_type_name(enum field_type type)
{
    static const char *const NAMES[] = {"time", "int", "decimal", "double", "string", "bool"};
    return NAMES[type];
}
