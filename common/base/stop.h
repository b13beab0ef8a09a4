/* common/base/stop.h - the one signal flag: SIGINT and SIGTERM ask the program to leave.
 *
 * Long loops look at stop_asked() at least every 100 ms, commit, and return ERR_INTERRUPTED (exit
 * 130). A second signal changes nothing; SIGKILL is always survivable. */
#ifndef LK_BASE_STOP_H
#define LK_BASE_STOP_H

#include <stdbool.h>

void stop_install(void); /* call once in main; also ignores SIGPIPE */
bool stop_asked(void);
void stop_ask(bool asked); /* tests, and a thread that has failed */

#endif
