/* common/store/memory_data.c - see memory_data.h. */
#include "common/store/memory_data.h"

#include <stdlib.h>

#include "common/base/err.h"

struct bytes data_copy_bytes(struct bytes from)
{
    char *ptr = mem_alloc(from.len + 1);
    memcpy(ptr, from.len ? from.ptr : "", from.len);
    ptr[from.len] = 0;
    return (struct bytes){ptr, from.len};
}

int data_lower_bound(const void *base, int count, size_t stride, struct bytes what, bool *found)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        const struct bytes *at = (const void *)((const char *)base + (size_t)middle * stride);
        if (bytes_compare(*at, what) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct bytes *at = (const void *)((const char *)base + (size_t)low * stride);
    *found = low < count && bytes_equal(*at, what);
    return low;
}

struct key *key_find(const struct data *data, struct bytes name)
{
    bool found;
    int i = data_lower_bound(data->keys, data->count, sizeof *data->keys, name, &found);
    return found ? &data->keys[i] : NULL;
}

struct key *key_make(struct data *data, struct bytes name)
{
    bool found;
    int i = data_lower_bound(data->keys, data->count, sizeof *data->keys, name, &found);
    if (found)
        return &data->keys[i];
    if (data->count == data->capacity) {
        data->capacity = data->capacity ? data->capacity * 2 : 16;
        data->keys = mem_grow(data->keys, (size_t)data->capacity * sizeof *data->keys);
    }
    memmove(data->keys + i + 1, data->keys + i, (size_t)(data->count - i) * sizeof *data->keys);
    data->count++;
    data->keys[i] = (struct key){.name = data_copy_bytes(name)};
    return &data->keys[i];
}

void item_set(struct key *key, struct bytes field, struct bytes value)
{
    bool found;
    int i = data_lower_bound(key->items, key->count, sizeof *key->items, field, &found);
    if (found && key->items) {
        free((char *)key->items[i].value.ptr);
        key->items[i].value = data_copy_bytes(value);
        return;
    }
    if (!key->items || key->count == key->capacity) {
        key->capacity = key->capacity ? key->capacity * 2 : 8;
        key->items = mem_grow(key->items, (size_t)key->capacity * sizeof *key->items);
    }
    memmove(key->items + i + 1, key->items + i, (size_t)(key->count - i) * sizeof *key->items);
    key->count++;
    key->items[i] = (struct item){data_copy_bytes(field), data_copy_bytes(value)};
}

void item_delete(struct key *key, struct bytes field)
{
    bool found;
    int i = data_lower_bound(key->items, key->count, sizeof *key->items, field, &found);
    if (!found)
        return;
    free((char *)key->items[i].field.ptr);
    free((char *)key->items[i].value.ptr);
    key->count--;
    memmove(key->items + i, key->items + i + 1, (size_t)(key->count - i) * sizeof *key->items);
}

void key_empty(struct key *key)
{
    while (key->count)
        item_delete(key, key->items[key->count - 1].field);
}

void data_empty(struct data *data)
{
    for (int i = 0; i < data->count; i++) {
        key_empty(&data->keys[i]);
        free(data->keys[i].items);
        free((char *)data->keys[i].name.ptr);
    }
    free(data->keys);
    *data = (struct data){0};
}

void data_copy(struct data *to, const struct data *from)
{
    data_empty(to);
    for (int i = 0; i < from->count; i++) {
        struct key *key = key_make(to, from->keys[i].name);
        key->stamp = from->keys[i].stamp;
        for (int j = 0; j < from->keys[i].count; j++)
            item_set(key, from->keys[i].items[j].field, from->keys[i].items[j].value);
    }
}
