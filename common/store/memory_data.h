/* common/store/memory_data.h - the data of the memory server: keys, each a hash or a set, sorted, stamped.
 *
 * Every write gives the key a new stamp (the server's business); a key that was deleted is empty and keeps
 * its stamp, so that a WATCH notices. For memory.c alone. */
#ifndef LK_STORE_MEMORY_DATA_H
#define LK_STORE_MEMORY_DATA_H

#include "common/base/bytes.h"

struct item {
    struct bytes field, value; /* owned; a set's value is empty */
};

struct key {
    struct bytes name; /* owned */
    uint64_t stamp;
    struct item *items;
    int count, capacity;
};

struct data {
    struct key *keys; /* sorted by name; count 0 = deleted */
    int count, capacity;
};

struct bytes data_copy_bytes(struct bytes from); /* owned: free */
/* Index of the first element not below what, by binary search over count elements of stride bytes that begin
 * with a struct bytes. */
int data_lower_bound(const void *base, int count, size_t stride, struct bytes what, bool *found);
struct key *key_find(const struct data *data, struct bytes name); /* NULL: never written */
struct key *key_make(struct data *data, struct bytes name);
void key_empty(struct key *key);
void item_set(struct key *key, struct bytes field, struct bytes value);
void item_delete(struct key *key, struct bytes field);
void data_empty(struct data *data);
void data_copy(struct data *to, const struct data *from);

#endif
