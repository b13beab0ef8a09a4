/* lambda/folder_parts.h - what folder.c and folder_notes.c share; for them alone. */
#ifndef LK_LAMBDA_FOLDER_PARTS_H
#define LK_LAMBDA_FOLDER_PARTS_H

#include "lambda/folder.h"

struct folder {
    char *path;
    char *topic, *view;
    char id[FOLDER_ID_BYTES];
    int short_fd, lock_fd, publish_fd; /* -1: not open */
};

/* Every file named <id><rest>. */
typedef void folder_each(struct folder *folder, const char *id, const char *rest, void *context);
void folder_walk(struct folder *folder, folder_each *each, void *context);
bool folder_has(const struct folder *folder, const char *id, const char *rest);
void folder_discard(const struct folder *folder, const char *id, const char *rest);
int folder_sync(const struct folder *folder, struct err *err);
/* Sets the standing of each; all manifests of the folder are wanted. */
void folder_judge(const struct folder *folder, struct manifest *manifests, int count);

#endif
