/* tests/common/log/test_kafka_config.c - properties of Kafka's client: who wins, what is refused, and
 * that no secret is said. No broker is asked. */
#include <fcntl.h>

#include "common/log/kafka_parts.h"
#include "tests/common/log/scratch.h"

static char brokers[] = "127.0.0.1:1";
static struct kafka nowhere = {.brokers = brokers};

static rd_kafka_t *consumer(const char *const *pairs, struct err *err)
{
    return kafka_handle(&nowhere, RD_KAFKA_CONSUMER, pairs, NULL, err);
}

/* A property of a new consumer; in a buffer of the caller's. */
static const char *property(const char *name, char *value, size_t size)
{
    struct err err = {0};
    const char *pairs[] = {"session.timeout.ms", "7000", NULL};
    rd_kafka_t *handle = consumer(pairs, &err);
    cr_assert(handle, "%s", err.text);
    cr_assert_eq(rd_kafka_conf_get(rd_kafka_conf(handle), name, value, &size), RD_KAFKA_CONF_OK);
    rd_kafka_destroy(handle);
    return value;
}

/* A file of properties in the scratch directory, which LK_KAFKA_CONFIG names. */
static void config(const struct scratch *scratch, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/properties", scratch->path);
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fputs(text, file);
    fclose(file);
    setenv("LK_KAFKA_CONFIG", path, 1);
}

Test(kafka_config, variable_before_file_before_the_callers_before_ours)
{
    char value[64];
    struct scratch scratch = scratch_make();
    cr_expect_str_eq(property("isolation.level", value, sizeof value), "read_committed");
    cr_expect_str_eq(property("session.timeout.ms", value, sizeof value), "7000");
    config(&scratch, "# mine\n\n session.timeout.ms = 8000 \nfetch.min.bytes=2\n");
    cr_expect_str_eq(property("session.timeout.ms", value, sizeof value), "8000");
    cr_expect_str_eq(property("fetch.min.bytes", value, sizeof value), "2");
    setenv("LK_KAFKA_SESSION_TIMEOUT_MS", "9000", 1);
    cr_expect_str_eq(property("session.timeout.ms", value, sizeof value), "9000");
    setenv("LK_KAFKA_FETCH_MIN_BYTES", "", 1);
    cr_expect_str_eq(property("fetch.min.bytes", value, sizeof value), "2", "empty is unset");
    scratch_remove(&scratch);
}

Test(kafka_config, a_property_of_producers_does_not_disturb_a_consumer)
{
    struct err err = {0};
    setenv("LK_KAFKA_COMPRESSION_CODEC", "lz4", 1);
    setenv("LK_KAFKA_LINGER_MS", "1", 1);
    rd_kafka_t *handle = consumer(NULL, &err);
    cr_assert(handle, "%s", err.text);
    rd_kafka_destroy(handle);
}

static const struct {
    const char *variable, *value, *file, *words;
} MISTAKES[] = {
    {"LK_KAFKA_NO_SUCH_THING", "1", NULL, "LK_KAFKA_NO_SUCH_THING: librdkafka"},
    {"LK_KAFKA_NO_SUCH_THING", "1", NULL, "has no property \"no.such.thing\""},
    {"LK_KAFKA_FETCH_WAIT_MAX_MS", "soon", NULL, "fetch.wait.max.ms has a wrong value"},
    {"LK_KAFKA_AUTO_OFFSET_RESET", "earliest", NULL, "never a jump"},
    {"LK_KAFKA_CONFIG", "/nowhere/at/all", NULL, "/nowhere/at/all: No such file"},
    {NULL, NULL, "linger.ms=1\nsasl.password\n", "/properties:2: expected name=value"},
    {NULL, NULL, "\n\nfoo=bar\n", "/properties:3: librdkafka"},
    {NULL, NULL, "group.id=mine\n", "/properties:1: group.id is not for you to set"},
    {"LK_KAFKA_SECURITY_PROTOCOL", "hunter", NULL, "security.protocol has a wrong value"},
};

Test(kafka_config, a_mistake_is_said_with_its_place)
{
    struct scratch scratch = scratch_make();
    for (size_t i = 0; i < sizeof MISTAKES / sizeof *MISTAKES; i++) {
        struct err err = {0};
        unsetenv("LK_KAFKA_CONFIG");
        if (MISTAKES[i].file)
            config(&scratch, MISTAKES[i].file);
        if (MISTAKES[i].variable)
            setenv(MISTAKES[i].variable, MISTAKES[i].value, 1);
        cr_expect_null(consumer(NULL, &err), "row %zu", i);
        cr_expect_eq(err.code, ERR_USAGE);
        cr_expect(says(&err, MISTAKES[i].words), "%s", err.text);
        if (MISTAKES[i].variable)
            unsetenv(MISTAKES[i].variable);
    }
    scratch_remove(&scratch);
}

/* Ways in which librdkafka, or we, might say a secret. */
static const struct {
    const char *name[3], *value[3];
} SECRETS[] = {
    {{"SASL_PASSWORD", "SASL_MECHANISMS"}, {"hunter2", "PLAIN"}},
    {{"SSL_KEY_PEM", "SECURITY_PROTOCOL"}, {"hunter2 is no key", "ssl"}},
    {{"SSL_KEY_PASSWORD", "SECURITY_PROTOCOL", "SSL_KEY_LOCATION"},
     {"hunter2", "ssl", "/dev/null"}},
    {{"SASL_OAUTHBEARER_CONFIG", "SECURITY_PROTOCOL", "SASL_MECHANISMS"},
     {"principal=me hunter2=x", "sasl_plaintext", "OAUTHBEARER"}},
    {{"SASL_OAUTHBEARER_CLIENT_SECRET", "SECURITY_PROTOCOL", "SASL_MECHANISMS"},
     {"hunter2", "sasl_plaintext", "OAUTHBEARER"}},
};

/* No secret stands in what was said; how much that was. */
static size_t check_silence(const char *path, const char *words)
{
    char text[65536];
    FILE *file = fopen(path, "r");
    cr_assert(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = 0;
    fclose(file);
    cr_expect_null(strstr(text, "hunter"), "%s: %.300s", words, strstr(text, "hunter"));
    return len;
}

Test(kafka_config, no_secret_is_said_not_even_to_who_debugs, .timeout = 60)
{
    struct scratch scratch = scratch_make();
    char path[128];
    size_t said = 0;
    setenv("LK_KAFKA_DEBUG", "all", 1);
    setenv("LK_KAFKA_ENABLE_SASL_OAUTHBEARER_UNSECURE_JWT", "true", 1);
    snprintf(path, sizeof path, "%s/said", scratch.path);
    int saved = dup(STDERR_FILENO), fd = open(path, O_CREAT | O_WRONLY, 0600);
    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < sizeof SECRETS / sizeof *SECRETS; i++) {
        char variable[64];
        struct err err = {0};
        struct log *log = NULL;
        for (int k = 0; k < 3 && SECRETS[i].name[k]; k++) {
            snprintf(variable, sizeof variable, "LK_KAFKA_%s", SECRETS[i].name[k]);
            setenv(variable, SECRETS[i].value[k], 1);
        }
        fflush(stderr);
        cr_assert_eq(ftruncate(fd, 0), 0);
        cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
        cr_assert_geq(dup2(fd, STDERR_FILENO), 0);
        int rc = log_open("kafka:127.0.0.1:1", false, &log, &err);
        cr_assert_geq(dup2(saved, STDERR_FILENO), 0);
        cr_expect_lt(rc, 0);
        cr_expect_null(strstr(err.text, "hunter"), "%s", err.text);
        said += check_silence(path, SECRETS[i].name[0]);
        for (int k = 0; k < 3 && SECRETS[i].name[k]; k++) {
            snprintf(variable, sizeof variable, "LK_KAFKA_%s", SECRETS[i].name[k]);
            unsetenv(variable);
        }
    }
    cr_expect_gt(said, 10000, "librdkafka does say what it does");
    close(fd);
    close(saved);
    scratch_remove(&scratch);
}

static int said_lines(void)
{
    struct err err = {0};
    char path[] = "/tmp/lk-said-XXXXXX";
    int saved = dup(STDERR_FILENO), fd = mkstemp(path), lines = 0;
    cr_assert_geq(fd, 0);
    cr_assert_geq(dup2(fd, STDERR_FILENO), 0);
    rd_kafka_t *handle = consumer(NULL, &err);
    rd_kafka_poll(handle, 100);
    rd_kafka_destroy(handle);
    cr_assert_geq(dup2(saved, STDERR_FILENO), 0);
    FILE *file = fdopen(fd, "r");
    rewind(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    close(saved);
    unlink(path);
    return lines;
}

Test(kafka_config, librdkafka_is_silent_unless_it_is_to_be_heard)
{
    cr_expect_eq(said_lines(), 0);
    setenv("LK_LOG_DEBUG", "no", 1);
    cr_expect_eq(said_lines(), 0);
    setenv("LK_LOG_DEBUG", "yes", 1);
    cr_expect_gt(said_lines(), 0);
}

static const struct {
    rd_kafka_resp_err_t code;
    int ours;
} MEANINGS[] = {
    {RD_KAFKA_RESP_ERR__TRANSPORT, ERR_AWAY},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERR_AWAY},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ERR_AWAY},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, ERR_GONE},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ERR_LOST},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_USAGE},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, ERR_FULL},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_ENV},
    {RD_KAFKA_RESP_ERR__BAD_MSG, ERR_ENV},
};

Test(kafka_config, an_error_is_told_by_what_is_to_be_done)
{
    for (size_t i = 0; i < sizeof MEANINGS / sizeof *MEANINGS; i++) {
        struct err err = {0};
        cr_expect_eq(kafka_error(&nowhere, MEANINGS[i].code, NULL, "reading topic t", &err),
                     MEANINGS[i].ours, "%s", rd_kafka_err2name(MEANINGS[i].code));
        cr_expect(says(&err, "kafka:127.0.0.1:1: reading topic t: "), "%s", err.text);
        cr_expect(says(&err, rd_kafka_err2name(MEANINGS[i].code)), "%s", err.text);
        cr_expect_eq(err.retry, MEANINGS[i].ours == ERR_AWAY);
    }
}
