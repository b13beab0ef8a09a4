/* common/base/directory.h - making a directory whose parents may not be there either. */
#ifndef LK_BASE_DIRECTORY_H
#define LK_BASE_DIRECTORY_H

/* Make path and what is above it. 0, also where something of that name is there already; else -1
 * with errno of the topmost directory that could not be made, for err_errno. */
int directory_make(const char *path);

#endif
