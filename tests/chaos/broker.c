/* tests/chaos/broker.c - a Kafka broker of our own: tools/kafka with a directory that we were given. */
#include <glob.h>
#include <stdlib.h>

#include "tests/chaos/chaos.h"

/* tools/kafka VERB; its first line of output goes to line. The words go to a file beside the broker. */
static bool tool(const struct broker *broker, const char *verb, char *line, int room)
{
    char command[600];
    snprintf(command, sizeof command, "LK_KAFKA_DIR='%s' tools/kafka %s 2>>'%s.out'",
             broker->directory, verb, broker->directory);
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return false;
    if (!fgets(line, room, pipe))
        *line = '\0';
    line[strcspn(line, "\n")] = '\0';
    return pclose(pipe) == 0;
}

bool broker_is_there(void)
{
    return system("tools/kafka jars >/dev/null 2>&1") == 0;
}

bool broker_start(struct broker *broker)
{
    return tool(broker, "start", broker->uri, sizeof broker->uri);
}

bool broker_open(struct broker *broker, const char *directory)
{
    snprintf(broker->directory, sizeof broker->directory, "%s/kafka", directory);
    return broker_start(broker);
}

bool broker_kill(const struct broker *broker)
{
    char line[100];
    return tool(broker, "kill", line, sizeof line);
}

void broker_remove(const struct broker *broker)
{
    char line[100];
    tool(broker, "remove", line, sizeof line);
}

void broker_remove_all(const char *root)
{
    struct broker broker;
    char pattern[200];
    glob_t found;
    snprintf(broker.directory, sizeof broker.directory, "%s/kafka", root);
    broker_remove(&broker);
    snprintf(pattern, sizeof pattern, "%s/lane*/*/kafka", root);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            snprintf(broker.directory, sizeof broker.directory, "%s", found.gl_pathv[i]);
            broker_remove(&broker);
        }
        globfree(&found);
    }
}
