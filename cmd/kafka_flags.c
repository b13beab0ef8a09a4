/* cmd/kafka_flags.c - flags for Kafka's client become variables of the environment.
 *
 * The client reads nothing else (common/log/kafka_config.c), so that a process which lk starts has
 * the same properties; a flag wins over a variable by taking its place. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"

/* fetch.wait.max.ms=10 becomes LK_KAFKA_FETCH_WAIT_MAX_MS. */
static int put_property(const char *pair, struct err *err)
{
    static const char KNOWN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.";
    char variable[128] = "LK_KAFKA_";
    size_t len = strcspn(pair, "="), n = strlen(variable);
    if (strspn(pair, KNOWN) != len || len >= sizeof variable - n)
        return err_set(err, ERR_USAGE, "-X: \"%.*s\" is no name of a property", (int)len, pair);
    for (size_t i = 0; i < len; i++)
        variable[n++] = (char)(pair[i] == '.' ? '_' : toupper((unsigned char)pair[i]));
    setenv(variable, pair + len + 1, 1);
    return 0;
}

int kafka_flags(const struct settings *settings, struct err *err)
{
    const char *pair, *file = settings_text(settings, "kafka-config");
    int rc = 0;
    for (int i = 0; rc == 0 && (pair = settings_pair(settings, "X", i)); i++)
        rc = put_property(pair, err);
    if (file)
        setenv("LK_KAFKA_CONFIG", file, 1);
    if (settings_bool(settings, "log-debug"))
        setenv("LK_LOG_DEBUG", "yes", 1);
    return rc;
}
