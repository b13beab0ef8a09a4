/* workloads/input.h - a text file's bytes through a moving window, plain or zstd.
 *
 * zstd is known by its magic, not by the name; a byte order mark is skipped. Opaque: owns the file
 * and the window; one thread. A mistake in the file is ERR_USAGE: its user can fix it. */
#ifndef LK_WORKLOADS_INPUT_H
#define LK_WORKLOADS_INPUT_H

#include "common/base/bytes.h"
#include "common/base/err.h"

struct input;

int input_open(const char *path, struct input **out, struct err *err);
void input_close(struct input *input);
/* Bytes read and not yet taken; borrowed until the next fill or take. */
struct bytes input_window(const struct input *input);
/* Put more bytes behind the window: 1, 0 where the file has ended, or a code. */
int input_fill(struct input *input, struct err *err);
/* Let the window's first n bytes go. */
void input_take(struct input *input, size_t n);
/* Number of the line, from 1, that the window begins in. */
int64_t input_line(const struct input *input);
const char *input_path(const struct input *input);

#endif
