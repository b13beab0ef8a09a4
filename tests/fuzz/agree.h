/* tests/fuzz/agree.h - one line through every path of the scanner and through jansson.
 *
 * Opaque; one thread. The scanners live on from line to line, so guesses of a shape are met. */
#ifndef LK_FUZZ_AGREE_H
#define LK_FUZZ_AGREE_H

#include "common/base/bytes.h"

enum agree_verdict {
    AGREE_TAKEN,    /* all read it, and found the same */
    AGREE_REFUSED,  /* all refused it */
    AGREE_BEYOND,   /* jansson alone refuses it, for a limit of its own that RFC 8259 does not set:
                       a number beyond long long or double, or U+0000 in a key */
    AGREE_DIFFERENT /* somebody is wrong: said on stderr */
};

struct agree;

struct agree *agree_new(void);
void agree_free(struct agree *agree);
/* The line is read at the very end of a mapped page. */
enum agree_verdict agree_check(struct agree *agree, struct bytes line);

#endif
