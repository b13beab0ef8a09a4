/* workloads/ads.c - made-up ad events after the Yahoo streaming benchmark, event n from (seed, n)
 * alone.
 *
 * 100 campaigns of 10 ads, 100 users, 100 pages: random UUIDs from the seed. An event's five
 * choices come from one 64-bit number: each is the high half of a product, the next uses the low
 * half, so that all 150,000,000 combinations are equally likely (to 1 in 2^36). Its text is a
 * template with the chosen bytes copied in, laid out as
 *
 *   {"user_id": "<36>", "page_id": "<36>", "ad_id": "<36>", "ad_type": "...", "event_type": "...",
 *    "event_time": "<ms>", "ip_address": "1.2.3.4"}                       (253 bytes in the mean)
 *
 * with the spacing of the benchmark. All values are strings. event_time is the due time of event n
 * at event_rate, from a fixed start, so that every machine makes the same bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/rng.h"
#include "workloads/workload.h"

enum {
    CAMPAIGNS = 100,
    ADS_PER_CAMPAIGN = 10,
    ADS = CAMPAIGNS * ADS_PER_CAMPAIGN,
    USERS = 100,
    PAGES = 100,
    AD_TYPES = 5,
    EVENT_TYPES = 3,
    MIDDLES = AD_TYPES * EVENT_TYPES,
    UUID = 36,
    MIDDLE = 80,
    DEFAULT_EVENTS = 1000000,
    DEFAULT_EVENT_RATE = 10000,
};
#define DEFAULT_START_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

static const char HEAD[] = "{\"user_id\": \"", PAGE[] = "\", \"page_id\": \"",
                  AD[] = "\", \"ad_id\": \"", TAIL[] = "\", \"ip_address\": \"1.2.3.4\"}";
enum {
    USER_AT = sizeof HEAD - 1,
    PAGE_AT = USER_AT + UUID + (int)sizeof PAGE - 1,
    AD_AT = PAGE_AT + UUID + (int)sizeof AD - 1,
    MIDDLE_AT = AD_AT + UUID,
};

static const char *const AD_TYPE[AD_TYPES] = {"banner", "modal", "sponsored-search", "mail",
                                              "mobile"};
static const char *const EVENT_TYPE[EVENT_TYPES] = {"view", "click", "purchase"};

/* What stands between the ad's id and the time, one for each pair of types. */
struct middle {
    char text[MIDDLE];
    size_t len;
};

struct ads {
    uint64_t seed;
    int64_t n, events, start_ms;
    double event_rate;
    bool skew;
    char user[USERS][UUID], page[PAGES][UUID], ad[ADS][UUID], campaign[CAMPAIGNS][UUID];
    struct middle middle[MIDDLES];
    char text[MIDDLE_AT + MIDDLE + 32 + sizeof TAIL];
};

/* A version 4 UUID from (seed, family, n). */
static void make_uuid(char out[UUID], uint64_t seed, uint64_t family, uint64_t n)
{
    struct rng rng;
    rng_init_at(&rng, seed, family << 32 | n);
    unsigned long long a = rng_u64(&rng), b = rng_u64(&rng);
    char text[UUID + 1];
    snprintf(text, sizeof text, "%08llx-%04llx-4%03llx-%04llx-%012llx", a >> 32, a >> 16 & 0xffff,
             a & 0xfff, (b >> 48 & 0x3fff) | 0x8000, b & 0xffffffffffff);
    memcpy(out, text, UUID);
}

static void make_uuids(char (*out)[UUID], uint64_t count, uint64_t seed, uint64_t family)
{
    for (uint64_t i = 0; i < count; i++)
        make_uuid(out[i], seed, family, i);
}

static void make_template(struct ads *ads)
{
    memcpy(ads->text, HEAD, sizeof HEAD - 1);
    memcpy(ads->text + USER_AT + UUID, PAGE, sizeof PAGE - 1);
    memcpy(ads->text + PAGE_AT + UUID, AD, sizeof AD - 1);
    for (int i = 0; i < MIDDLES; i++) {
        struct middle *middle = &ads->middle[i];
        middle->len =
            (size_t)snprintf(middle->text, MIDDLE,
                             "\", \"ad_type\": \"%s\", \"event_type\": \"%s\", \"event_time\": \"",
                             AD_TYPE[i / EVENT_TYPES], EVENT_TYPE[i % EVENT_TYPES]);
    }
}

/* campaigns.jsonl: which campaign an ad belongs to. */
static int write_tables(const struct ads *ads, const char *dir, struct err *err)
{
    struct buf text = {0};
    for (int i = 0; i < ADS; i++)
        buf_printf(&text, "{\"ad_id\":\"%.*s\",\"campaign_id\":\"%.*s\"}\n", UUID, ads->ad[i], UUID,
                   ads->campaign[i / ADS_PER_CAMPAIGN]);
    int rc = workload_write(dir, "campaigns.jsonl", buf_bytes(&text), err);
    if (rc == 0)
        rc = workload_write(dir, workload_ads.plan, workload_plan(workload_ads.plan), err);
    buf_release(&text);
    return rc;
}

static int ads_open(const struct workload_options *options, void **state, struct err *err)
{
    struct ads *ads = mem_zero(1, sizeof *ads);
    ads->seed = options->seed;
    ads->events = options->events ? options->events : DEFAULT_EVENTS;
    ads->event_rate = options->event_rate > 0 ? options->event_rate : DEFAULT_EVENT_RATE;
    ads->start_ms = options->start_ms ? options->start_ms : DEFAULT_START_MS;
    ads->skew = options->skew;
    make_uuids(ads->user, USERS, ads->seed, 1);
    make_uuids(ads->page, PAGES, ads->seed, 2);
    make_uuids(ads->ad, ADS, ads->seed, 3);
    make_uuids(ads->campaign, CAMPAIGNS, ads->seed, 4);
    make_template(ads);
    int rc = options->tables_dir ? write_tables(ads, options->tables_dir, err) : 0;
    if (rc < 0)
        free(ads);
    else
        *state = ads;
    return rc;
}

/* The benchmark's skew: (-50, +50] ms on every event; 1 in 100,000 goes back by up to a minute. */
static int64_t skew_ms(const struct ads *ads)
{
    struct rng rng;
    rng_init_at(&rng, ~ads->seed, (uint64_t)ads->n);
    int64_t skew = 50 - (int64_t)rng_below(&rng, 100);
    if (rng_below(&rng, 100000) == 0)
        skew -= (int64_t)rng_below(&rng, 60000);
    return skew;
}

/* The next of several choices out of one number. */
static size_t choose(uint64_t *number, uint64_t below)
{
    uint128 product = (uint128)*number * below;
    *number = (uint64_t)product;
    return (size_t)(product >> 64);
}

static char *put_number(char *at, int64_t value)
{
    char digits[24];
    char *end = digits + sizeof digits, *begin = end;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--begin = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--begin = '-';
    memcpy(at, begin, (size_t)(end - begin));
    return at + (end - begin);
}

static int ads_next(void *state, struct workload_event *event, struct err *err)
{
    (void)err;
    struct ads *ads = state;
    if (ads->n == ads->events)
        return 0;
    double n = (double)ads->n;
    event->publish_us = (int64_t)(n * 1e6 / ads->event_rate);
    event->event_ms = ads->start_ms + (int64_t)(n * 1e3 / ads->event_rate);
    if (ads->skew)
        event->event_ms += skew_ms(ads);

    uint64_t number = rng_mix(ads->seed, (uint64_t)ads->n);
    memcpy(ads->text + AD_AT, ads->ad[choose(&number, ADS)], UUID);
    memcpy(ads->text + USER_AT, ads->user[choose(&number, USERS)], UUID);
    memcpy(ads->text + PAGE_AT, ads->page[choose(&number, PAGES)], UUID);
    const struct middle *middle = &ads->middle[choose(&number, MIDDLES)];
    memcpy(ads->text + MIDDLE_AT, middle->text, MIDDLE); /* a fixed size: no call */
    char *at = put_number(ads->text + MIDDLE_AT + middle->len, event->event_ms);
    memcpy(at, TAIL, sizeof TAIL - 1);
    at += sizeof TAIL - 1;

    event->key = (struct bytes){NULL, 0};
    event->value = (struct bytes){ads->text, (size_t)(at - ads->text)};
    ads->n++;
    return 1;
}

const struct workload workload_ads = {
    .name = "ads",
    .summary = "made-up ad events, as in the Yahoo streaming benchmark",
    .plan = "ads.json",
    .open = ads_open,
    .next = ads_next,
    .close = free,
};
