/* bench/broker.c - see broker.h. What tools/kafka says of itself is all that is asked of it, so its folder and
 * LK_KAFKA_DIR stay its own business. */
#include "bench/broker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "running: kafka:127.0.0.1:29092, pid 17, Kafka 4.1.1, data in DIR" */
static bool ask(struct broker *broker, char uri[64])
{
    char command[4300], line[512] = "";
    int pid = 0;
    snprintf(command, sizeof command, "'%s' status 2>/dev/null", broker->tool);
    FILE *in = popen(command, "r");
    if (!in)
        return false;
    bool said = fgets(line, sizeof line, in);
    pclose(in);
    if (!said ||
        sscanf(line, "running: %63[^,], pid %d, Kafka %31[^,]", uri, &pid, broker->version) != 3)
        return false;
    broker->itself.pid = pid;
    return true;
}

/* One host of the list, "localhost" being 127.0.0.1. */
static bool names_it(const char *list, const char *uri)
{
    const char *port = strrchr(uri, ':');
    char address[64];
    snprintf(address, sizeof address, "localhost%s", port);
    return strcmp(list, uri) == 0 ||
           (strncmp(list, "kafka:", 6) == 0 && strcmp(list + 6, address) == 0);
}

static bool find_at(struct broker *broker, const char *directory, const char *list)
{
    char uri[64];
    snprintf(broker->tool, sizeof broker->tool, "%s/tools/kafka", directory);
    return access(broker->tool, X_OK) == 0 && !strchr(broker->tool, '\'') && ask(broker, uri) &&
           names_it(list, uri);
}

void broker_find(struct broker *broker, const char *uri, const char *program)
{
    char directory[4096];
    *broker = (struct broker){.itself = {.pipeline = "", .name = "broker"}};
    snprintf(directory, sizeof directory, "%s", program);
    char *slash = strrchr(directory, '/');
    if (slash)
        *slash = 0;
    if (!find_at(broker, directory, uri) && !find_at(broker, ".", uri)) {
        broker->tool[0] = 0;
        broker->itself.pid = 0;
        return;
    }
    process_sample(&broker->itself);
    broker->cpu_before_s = broker->itself.live_cpu_s;
}

void broker_signal(struct broker *broker, int number)
{
    if (broker->itself.pid > 0)
        kill(broker->itself.pid, number);
}

int broker_begin(struct broker *broker, const char *verb, const char *output, struct err *err)
{
    process_release(&broker->running);
    process_init(&broker->running, "", "tools/kafka", broker->tool, verb, output);
    if (strcmp(verb, "start") !=
        0) { /* what this broker used is counted, the next one's comes on top */
        process_sample(&broker->itself);
        broker->cpu_before_s -= broker->itself.live_cpu_s;
        broker->itself.live_cpu_s = broker->itself.live_rss_mb = 0;
        broker->itself.pid = 0;
    }
    return process_start(&broker->running, err);
}

bool broker_busy(struct broker *broker)
{
    char uri[64];
    if (!broker->running.program)
        return false;
    if (!process_ended(&broker->running))
        return true;
    if (broker->itself.pid == 0)
        ask(broker, uri);
    return false;
}

void broker_sample(struct broker *broker)
{
    process_sample(&broker->itself);
    broker->itself.cpu_s = broker->itself.live_cpu_s - broker->cpu_before_s;
}

void broker_release(struct broker *broker)
{
    process_release(&broker->running);
}
