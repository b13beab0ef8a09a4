/* common/log/kafka_config.c - librdkafka's properties and its own words.
 *
 * A property comes from LK_KAFKA_<NAME> (the flag -X sets that), else from the file of
 * LK_KAFKA_CONFIG, else from the caller's pairs, else from the tables here. Some are lk's own, since
 * its answers would be wrong with others; who sets them is told so. Secrets stand in no text that
 * leaves this file. */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log/kafka_parts.h"

#define PREFIX "LK_KAFKA_"
enum { PROPERTY_BYTES = 128, SAID_BYTES = 512, SECRET_BYTES = 16384 };
enum { SECRET_MIN = 3, PART_MIN = 6 };
enum { CONSUMER = 1, PRODUCER = 2, BOTH = 3 };

/* README.md says where the figures come from. */
static const struct {
    const char *name, *value;
    int types;
} OURS[] = {
    {"client.id", "lk", BOTH},
    /* A broker that comes back is seen within half a second, not ten. */
    {"reconnect.backoff.max.ms", "500", BOTH},
    {"socket.nagle.disable", "true", BOTH},
    {"isolation.level", "read_committed", CONSUMER},
    {"auto.offset.reset", "error", CONSUMER},
    {"enable.auto.commit", "false", CONSUMER},
    {"enable.auto.offset.store", "false", CONSUMER},
    {"enable.partition.eof", "true", CONSUMER},
    {"fetch.message.max.bytes", "262144", CONSUMER},
    /* Data are sent as soon as they are there; the wait is how late an end or a seek is seen. */
    {"fetch.wait.max.ms", "50", CONSUMER},
    {"fetch.error.backoff.ms", "100", CONSUMER},
    {"queued.min.messages", "10000000", CONSUMER},
};

/* What the user may not set. */
static const struct {
    const char *name, *why;
} REFUSED[] = {
    {"bootstrap.servers", "--log kafka:HOST:PORT,... names the brokers"},
    {"metadata.broker.list", "--log kafka:HOST:PORT,... names the brokers"},
    {"group.id", "lk names its groups itself, and by --group"},
    {"group.instance.id", "lk names the members of a group itself"},
    {"transactional.id", "lk names its transactions itself"},
    {"auto.offset.reset", "a position that is gone is an error here, never a jump"},
    {"partition.assignment.strategy", "a group of lk deals cooperatively"},
    {"enable.auto.commit", "positions stand beside the results, in the view"},
    {"enable.auto.offset.store", "positions stand beside the results, in the view"},
    {"enable.idempotence", "without it a broker that comes back may hold events twice"},
    {"enable.gapless.guarantee", "without it events may be missing between others"},
    {"acks", "an event counts when all replicas have it"},
    {"request.required.acks", "an event counts when all replicas have it"},
    {"message.timeout.ms", "one event that expires alone is a gap that nobody sees"},
    {"delivery.timeout.ms", "one event that expires alone is a gap that nobody sees"},
    {"enable.partition.eof", "without it the end of a partition is not seen"},
};

static const char *const SECRETS[] = {
    "sasl.password",           "ssl.key.password",
    "ssl.keystore.password",   "ssl.key.pem",
    "ssl.certificate.pem",     "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
};

/* Variables of our prefix which are no properties. */
static const char *const NO_PROPERTIES[] = {PREFIX "CONFIG=", PREFIX "DIR="};

#define DEBUG_CONTEXTS "broker,topic,metadata,cgrp,consumer,fetch,eos"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_secret(const char *name)
{
    for (size_t i = 0; i < COUNT(SECRETS); i++)
        if (strcmp(SECRETS[i], name) == 0)
            return true;
    return false;
}

static void cover(char *text, const char *secret)
{
    size_t len = strlen(secret);
    for (char *at = text; (at = strstr(at, secret)); at += len)
        memset(at, '*', len);
}

/* Cover a secret, its lines and words, and what is left of it where librdkafka quotes it from some
 * place on. What is too short is part of ordinary words. */
static void cover_parts(char *text, char *secret)
{
    if (strlen(secret) >= SECRET_MIN)
        cover(text, secret);
    for (const char *tail = secret; strlen(tail) >= PART_MIN; tail++)
        cover(text, tail);
    char *rest = secret;
    for (char *part; (part = strsep(&rest, "\n ,="));)
        if (strlen(part) >= PART_MIN)
            cover(text, part);
}

void kafka_cover_secrets(const rd_kafka_conf_t *conf, char *text)
{
    char *value = mem_alloc(SECRET_BYTES);
    for (size_t i = 0; i < COUNT(SECRETS); i++) {
        size_t size = SECRET_BYTES;
        if (rd_kafka_conf_get(conf, SECRETS[i], value, &size) == RD_KAFKA_CONF_OK)
            cover_parts(text, value);
    }
    free(value);
}

/* Threads of librdkafka run these two. */
static void say(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    union {
        const rd_kafka_t *given;
        rd_kafka_t *wanted; /* by a function that changes nothing */
    } handle = {rk};
    char *copy = mem_copy_string(text);
    (void)level;
    kafka_cover_secrets(rd_kafka_conf(handle.wanted), copy);
    fprintf(stderr, "kafka: %s: %s: %s\n", rd_kafka_name(rk), facility, copy);
    free(copy);
}

static void say_nothing(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

/* Set one property; from: where it was given, for the error. */
static int set(rd_kafka_conf_t *conf, const char *name, const char *value, const char *from,
               struct err *err)
{
    char said[SAID_BYTES] = "";
    rd_kafka_conf_res_t rc = rd_kafka_conf_set(conf, name, value, said, sizeof said);
    if (rc == RD_KAFKA_CONF_OK)
        return 0;
    if (rc == RD_KAFKA_CONF_UNKNOWN)
        return err_set(err, ERR_USAGE,
                       "%s: librdkafka %s has no property \"%s\"; its CONFIGURATION.md lists them",
                       from, rd_kafka_version_str(), name);
    return err_set(err, ERR_USAGE, "%s: the property %s has a wrong value%s%s", from, name,
                   is_secret(name) ? "" : ": ", is_secret(name) ? "" : said);
}

static int set_users(rd_kafka_conf_t *conf, const char *name, const char *value, const char *from,
                     struct err *err)
{
    for (size_t i = 0; i < COUNT(REFUSED); i++)
        if (strcmp(REFUSED[i].name, name) == 0)
            return err_set(err, ERR_USAGE, "%s: %s is not for you to set: %s; leave it out", from,
                           name, REFUSED[i].why);
    return set(conf, name, value, from, err);
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (char *end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);)
        *--end = 0;
    return text;
}

/* A line of a client.properties; '#' begins a comment only at its start: passwords may have one. */
static int set_line(rd_kafka_conf_t *conf, char *line, const char *from, struct err *err)
{
    char *name = trim(line);
    if (!*name || *name == '#')
        return 0;
    char *equals = strchr(name, '=');
    if (!equals)
        return err_set(err, ERR_USAGE, "%s: expected name=value", from);
    *equals = 0;
    return set_users(conf, trim(name), trim(equals + 1), from, err);
}

static int set_file(rd_kafka_conf_t *conf, const char *path, struct err *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return err_errno(err, ERR_USAGE, "file of Kafka properties %s", path);
    char *text = NULL;
    size_t size = 0;
    struct buf from = {0};
    int rc = 0;
    for (int line = 1; rc == 0 && getline(&text, &size, file) >= 0; line++) {
        buf_clear(&from);
        buf_printf(&from, "%s:%d", path, line);
        rc = set_line(conf, text, from.ptr, err);
    }
    buf_release(&from);
    free(text);
    fclose(file);
    return rc;
}

/* Is this entry of the environment a property? An empty one is unset: compose files leave them so. */
static bool is_property(const char *entry)
{
    const char *equals = strchr(entry, '=');
    if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0 || !equals || !equals[1])
        return false;
    for (size_t i = 0; i < COUNT(NO_PROPERTIES); i++)
        if (strncmp(entry, NO_PROPERTIES[i], strlen(NO_PROPERTIES[i])) == 0)
            return false;
    return equals - entry < PROPERTY_BYTES;
}

/* LK_KAFKA_SASL_PASSWORD=x is sasl.password. */
static int set_variable(rd_kafka_conf_t *conf, const char *entry, struct err *err)
{
    char variable[PROPERTY_BYTES], name[PROPERTY_BYTES], from[PROPERTY_BYTES + 8];
    size_t len = (size_t)(strchr(entry, '=') - entry), skip = strlen(PREFIX), n = 0;
    snprintf(variable, sizeof variable, "%.*s", (int)len, entry);
    for (const char *c = variable + skip; *c; c++)
        name[n++] = (char)(*c == '_' ? '.' : tolower((unsigned char)*c));
    name[n] = 0;
    snprintf(from, sizeof from, "-X or %s", variable); /* the flag has become a variable */
    return set_users(conf, name, entry + len + 1, from, err);
}

static int set_all_users(rd_kafka_conf_t *conf, struct err *err)
{
    const char *path = getenv(PREFIX "CONFIG");
    int rc = path && *path ? set_file(conf, path, err) : 0;
    for (char **entry = environ; rc == 0 && *entry; entry++)
        if (is_property(*entry))
            rc = set_variable(conf, *entry, err);
    return rc;
}

/* --log-debug, or the property debug itself: librdkafka's lines go to stderr, else nowhere. */
static int set_words(rd_kafka_conf_t *conf, struct err *err)
{
    char contexts[SAID_BYTES] = "";
    size_t size = sizeof contexts;
    const char *asked = getenv("LK_LOG_DEBUG");
    rd_kafka_conf_get(conf, "debug", contexts, &size);
    rd_kafka_conf_set_log_cb(conf, say_nothing);
    if (!*contexts && (!asked || strcmp(asked, "yes") != 0))
        return 0;
    rd_kafka_conf_set_log_cb(conf, say);
    return *contexts ? 0 : set(conf, "debug", DEBUG_CONTEXTS, "--log-debug", err);
}

/* What librdkafka has only since some version, 2.0.2 not: it may refuse. */
static void set_newer(rd_kafka_conf_t *conf)
{
    char said[SAID_BYTES];
    rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "10", said, sizeof said);
}

static int configure(rd_kafka_conf_t *conf, const struct kafka *kafka, rd_kafka_type_t type,
                     const char *const *pairs, struct err *err)
{
    int bit = type == RD_KAFKA_CONSUMER ? CONSUMER : PRODUCER;
    int rc = set(conf, "bootstrap.servers", kafka->brokers, "kafka", err);
    for (size_t i = 0; rc == 0 && i < COUNT(OURS); i++)
        if (OURS[i].types & bit)
            rc = set(conf, OURS[i].name, OURS[i].value, "kafka", err);
    set_newer(conf);
    for (; rc == 0 && pairs && *pairs; pairs += 2)
        rc = set(conf, pairs[0], pairs[1], "kafka", err);
    rc = rc ? rc : set_all_users(conf, err);
    return rc ? rc : set_words(conf, err);
}

static void set_calls(rd_kafka_conf_t *conf, const struct kafka_calls *calls)
{
    if (!calls)
        return;
    rd_kafka_conf_set_opaque(conf, calls->opaque);
    if (calls->failed)
        rd_kafka_conf_set_error_cb(conf, calls->failed);
    if (calls->delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, calls->delivered);
    if (calls->rebalanced)
        rd_kafka_conf_set_rebalance_cb(conf, calls->rebalanced);
}

rd_kafka_t *kafka_handle(const struct kafka *kafka, rd_kafka_type_t type, const char *const *pairs,
                         const struct kafka_calls *calls, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *handle = NULL;
    char said[SAID_BYTES] = "";
    if (configure(conf, kafka, type, pairs, err) == 0) {
        set_calls(conf, calls);
        handle = rd_kafka_new(type, conf, said, sizeof said);
        if (handle)
            return handle;
        kafka_cover_secrets(conf, said);
        err_set(err, ERR_USAGE, "kafka:%s: librdkafka refuses its properties: %s", kafka->brokers,
                said);
    }
    rd_kafka_conf_destroy(conf);
    return NULL;
}
