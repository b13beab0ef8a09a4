/* cmd/doctor.c - lk doctor: what is installed, reachable and configured, and a fix for each fault.
 *
 * One row a check: a name, what was found and, where it is a fault, the command that mends it. Exit
 * 0, or 3 if any row is a fault. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zstd.h>

#include "cmd/cmd.h"
#include "common/base/clock.h"
#include "common/log/kafka.h"
#include "common/store/kv.h"

enum { CLOCK_READS = 100000, CLOCK_READ_NS_MAX = 2000, TEXT_BYTES = 512 };
static const double MIB = 1048576, DISK_FREE_MIN_MIB = 256;

struct doctor {
    const struct settings *settings;
    bool json;
    int faults;
};

/* One row; fix NULL: all is well. */
__attribute__((format(printf, 4, 5))) static void row(struct doctor *d, const char *name,
                                                      const char *fix, const char *format, ...)
{
    char found[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(found, sizeof found, format, args);
    va_end(args);
    d->faults += fix != NULL;
    if (!d->json) {
        printf("%-6s %-13s %s\n", fix ? "FAULT" : "ok", name, found);
        if (fix)
            printf("       %-13s fix: %s\n", "", fix);
        return;
    }
    struct buf line = {0};
    buf_printf(&line, "{\"check\":\"%s\",\"ok\":%s,\"found\":", name, fix ? "false" : "true");
    buf_add_json_string(&line, bytes_of(found));
    buf_add_text(&line, ",\"fix\":");
    buf_add_json_string(&line, bytes_of(fix ? fix : ""));
    printf("%s}\n", line.ptr);
    buf_release(&line);
}

/* A fault whose fix stands in the error's text, behind "; ". */
static void error_row(struct doctor *d, const char *name, struct err *err)
{
    char *fix = strstr(err->text, "; ");
    if (fix)
        *fix = 0;
    row(d, name, fix ? fix + 2 : "lk doctor --help", "%s", err->text);
}

/* The first line of a file or of a command's output that begins with prefix, without it. */
static bool line_after(FILE *file, const char *prefix, char out[TEXT_BYTES])
{
    char line[TEXT_BYTES];
    bool found = false;
    while (!found && file && fgets(line, sizeof line, file))
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            snprintf(out, TEXT_BYTES, "%s", line + strlen(prefix));
            out[strcspn(out, "\r\n")] = 0;
            found = true;
        }
    return found;
}

static void read_system(const char *path, const char *prefix, const char *otherwise,
                        char out[TEXT_BYTES])
{
    FILE *file = fopen(path, "r");
    if (!line_after(file, prefix, out))
        snprintf(out, TEXT_BYTES, "%s", otherwise);
    if (file)
        fclose(file);
}

static void check_machine(struct doctor *d)
{
    char system[TEXT_BYTES];
    read_system("/etc/os-release", "PRETTY_NAME=\"", "unknown system", system);
    system[strcspn(system, "\"")] = 0;
    struct utsname name;
    uname(&name);
    bool avx2 = __builtin_cpu_supports("avx2");
    row(d, "machine", NULL, "%s, Linux %s, %ld cores, %s", system, name.release,
        sysconf(_SC_NPROCESSORS_ONLN),
        avx2 ? "AVX2"
             : "no AVX2: the scanner takes its plain C path, slower and with the same answers");
}

static void check_memory(struct doctor *d)
{
    char available[TEXT_BYTES];
    read_system("/proc/meminfo", "MemAvailable:", "0", available);
    double free_mib = strtod(available, NULL) / 1024;
    row(d, "memory", free_mib < 1024 ? "end other programs: a comparison takes about 1 GiB" : NULL,
        "%.0f MiB available", free_mib);
}

static void check_clock(struct doctor *d)
{
    char source[TEXT_BYTES];
    read_system("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", "unknown",
                source);
    int64_t began = clock_mono_ns();
    for (int i = 0; i < CLOCK_READS; i++)
        clock_mono_ns();
    int64_t read_ns = (clock_mono_ns() - began) / CLOCK_READS;
    const int64_t year_2020_ms = 1577836800000;
    const char *fix = NULL;
    if (clock_wall_ms() < year_2020_ms)
        fix = "set the clock: events are compared with the time at which the log took them";
    else if (read_ns > CLOCK_READ_NS_MAX)
        fix = "use a faster clock: echo tsc > "
              "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    row(d, "clock", fix, "%s, a reading takes %lld ns", source, (long long)read_ns);
}

static void check_libraries(struct doctor *d)
{
    int lmdb[3];
    mdb_version(&lmdb[0], &lmdb[1], &lmdb[2]);
    row(d, "libraries", NULL, "hiredis %d.%d.%d, jansson %s, librdkafka %s, LMDB %d.%d.%d, zstd %s",
        HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH, jansson_version_str(), rd_kafka_version_str(),
        lmdb[0], lmdb[1], lmdb[2], ZSTD_versionString());
}

static void check_redis_program(struct doctor *d)
{
    char version[TEXT_BYTES];
    FILE *output = popen("redis-server --version 2>/dev/null", "r"); /* NOLINT(cert-env33-c) */
    bool found = line_after(output, "Redis server v=", version);
    version[found ? strcspn(version, " ") : 0] = 0;
    if (output)
        pclose(output);
    row(d, "redis-server", found ? NULL : "apt-get install --no-install-recommends redis-server",
        "%s", found ? version : "not installed; lk compare starts one of its own");
}

/* The value of "name:" in the text of INFO, into out. */
static const char *info_value(struct bytes info, const char *name, char out[TEXT_BYTES])
{
    size_t len = strlen(name);
    const char *at = memmem(info.ptr, info.len, name, len);
    snprintf(out, TEXT_BYTES, "%.*s", at ? (int)strcspn(at + len, "\r\n") : 1, at ? at + len : "?");
    return out;
}

static void check_view(struct doctor *d)
{
    struct err err = {0};
    struct kv *kv = NULL;
    struct kv_reply *reply = NULL;
    int rc = kv_open(settings_text(d->settings, "view"), &kv, &err);
    if (rc == 0) {
        kv_words(kv, "INFO", NULL);
        rc = kv_roundtrip(kv, &reply, &err);
    }
    if (rc < 0) {
        error_row(d, "view", &err);
    } else if (!reply || reply->type != KV_TEXT) {
        row(d, "view", "use a server that allows INFO", "the server does not answer INFO");
    } else {
        char version[TEXT_BYTES], role[TEXT_BYTES], policy[TEXT_BYTES], used[TEXT_BYTES],
            aof[TEXT_BYTES];
        row(d, "view", NULL, "Redis %s, %s, %s, %s in use; append-only file %s",
            info_value(reply->text, "redis_version:", version),
            info_value(reply->text, "role:", role),
            info_value(reply->text, "maxmemory_policy:", policy),
            info_value(reply->text, "used_memory_human:", used),
            strcmp(info_value(reply->text, "aof_enabled:", aof), "1") == 0
                ? "on"
                : "off: what it holds is lost with the machine, and rebuilt from the log");
    }
    kv_close(kv);
}

/* path, or the nearest folder above it that exists: that is where it would be made. */
static void existing_part(const char *path, char out[TEXT_BYTES])
{
    snprintf(out, TEXT_BYTES, "%s", path);
    while (access(out, F_OK) != 0) {
        char *slash = strrchr(out, '/');
        if (!slash) {
            snprintf(out, TEXT_BYTES, ".");
            return;
        }
        slash[slash == out] = 0; /* keeps "/" itself */
    }
}

static void check_folder(struct doctor *d, const char *name, const char *path)
{
    char where[TEXT_BYTES], fix[TEXT_BYTES * 2];
    existing_part(path, where);
    struct statvfs disk;
    if (access(where, W_OK | X_OK) != 0 || statvfs(where, &disk) != 0) {
        const char *why = strerror(errno);
        snprintf(fix, sizeof fix, "sudo install -d -o \"$(id -un)\" %s", path);
        row(d, name, fix, "%s: %s", path, why);
        return;
    }
    double free_mib = (double)disk.f_bavail * (double)disk.f_frsize / MIB;
    snprintf(fix, sizeof fix, "make room: du -xh -d 2 %s | sort -h | tail", where);
    row(d, name, free_mib < DISK_FREE_MIN_MIB ? fix : NULL, "%s: %.1f GiB free", path,
        free_mib / 1024);
}

/* Do the brokers answer, do they take our properties, and what are they? */
static void check_kafka(struct doctor *d, const char *uri)
{
    struct err err = {0};
    struct log *log = NULL;
    struct buf about = {0};
    int rc = log_open(uri, false, &log, &err);
    if (rc == 0)
        rc = kafka_about(log, &about, &err);
    if (rc < 0)
        error_row(d, "log", &err);
    else
        row(d, "log", NULL, "%s: %s", uri, about.ptr);
    buf_release(&about);
    log_close(log);
}

static void check_folders(struct doctor *d)
{
    check_folder(d, "folder", ".");
    const char *log = settings_text(d->settings, "log");
    if (log && strncmp(log, "embedded:", 9) == 0)
        check_folder(d, "log", log + 9);
    else if (log && strncmp(log, "kafka:", 6) == 0)
        check_kafka(d, log);
    else if (log)
        row(d, "log", "--log embedded:DIR or kafka:HOST:PORT", "%s is no log that lk can write",
            log);
    const char *archive = settings_text(d->settings, "archive");
    if (archive)
        check_folder(d, "archive", archive);
}

int cmd_doctor(const struct settings *settings, struct err *err)
{
    static void (*const CHECKS[])(struct doctor *) = {
        check_machine,       check_memory, check_clock,  check_libraries,
        check_redis_program, check_view,   check_folders};
    struct doctor d = {.settings = settings, .json = settings_bool(settings, "json")};
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++)
        CHECKS[i](&d);
    if (d.faults == 0)
        return 0;
    return err_set(err, ERR_ENV, "%d fault%s found; the fixes stand above", d.faults,
                   d.faults == 1 ? "" : "s");
}
