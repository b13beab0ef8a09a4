/* common/event/convert_time.c - dates in text -> ms since the epoch, refusing days that do not
 * exist.
 *
 * Patterns whose text has one fixed width ("%Y-%m-%dT%H:%MZ") are written out once as a shape,
 * "YYYY-mm-ddTHH:MMZ", and read digit by digit; whatever does not fit the shape, and every other
 * pattern, goes to strptime, whose answer the shape's is where both have one. */
#include <time.h>

#include "common/event/convert.h"
#include "common/event/text.h"

enum { TIME_TEXT_MAX = 255 };

/* A date, and the order of a shape's codes: code 1 is a digit of the year, and so on. */
enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, PARTS };

struct date {
    int part[PARTS];
};

static const struct date EPOCH = {{1970, 1, 1, 0, 0, 0}};

/* Days since 1970-01-01 in the proleptic Gregorian calendar (after Hinnant, "chrono-compatible
 * low-level date algorithms"): years begin in March, so that the leap day is the last. */
static int64_t days_of(int year, int month, int day)
{
    year -= month <= 2;
    int era = (year >= 0 ? year : year - 399) / 400;
    int of_era = year - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int of_era_day = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return (int64_t)era * 146097 + of_era_day - 719468;
}

static int month_days(int year, int month)
{
    static const char DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && leap);
}

static bool date_exists(const struct date *date)
{
    const int *part = date->part;
    return part[MONTH] >= 1 && part[MONTH] <= 12 && part[DAY] >= 1 &&
           part[DAY] <= month_days(part[YEAR], part[MONTH]) && part[HOUR] <= 23 &&
           part[MINUTE] <= 59 && part[SECOND] <= 59;
}

static int64_t date_seconds(const struct date *date)
{
    const int *part = date->part;
    return days_of(part[YEAR], part[MONTH], part[DAY]) * 86400 + part[HOUR] * 3600 +
           part[MINUTE] * 60 + part[SECOND];
}

/* Read the digits that the shape's codes stand for; all other bytes must be the shape's own. */
static bool shape_read(const struct time_shape *shape, const char *text, struct date *date)
{
    int read[PARTS] = {0};
    for (size_t i = 0; i < shape->len; i++) {
        unsigned code = (unsigned char)shape->text[i];
        if (code > PARTS) {
            if (text[i] != shape->text[i])
                return false;
        } else if (text_is_digit(text[i])) {
            read[code - 1] = read[code - 1] * 10 + text[i] - '0';
        } else {
            return false;
        }
    }
    for (int i = 0; i < PARTS; i++)
        date->part[i] = shape->has[i] ? read[i] : EPOCH.part[i];
    return true;
}

static bool shape_add(struct time_shape *shape, char c, int times)
{
    if (shape->len + (size_t)times > sizeof shape->text)
        return false;
    memset(shape->text + shape->len, c, (size_t)times);
    shape->len += (size_t)times;
    return true;
}

/* Each conversion of fixed width, and the longer pattern it stands for or its part of a date. */
static const struct {
    char letter;
    char part, digits;
    const char *means;
} CONVERSIONS[] = {
    {'Y', YEAR, 4, NULL},    {'m', MONTH, 2, NULL},   {'d', DAY, 2, NULL},
    {'H', HOUR, 2, NULL},    {'M', MINUTE, 2, NULL},  {'S', SECOND, 2, NULL},
    {'F', 0, 0, "%Y-%m-%d"}, {'T', 0, 0, "%H:%M:%S"}, {'R', 0, 0, "%H:%M"},
};

static bool shape_add_pattern(struct time_shape *shape, const char *pattern);

static bool shape_add_conversion(struct time_shape *shape, char letter)
{
    for (size_t i = 0; i < sizeof CONVERSIONS / sizeof *CONVERSIONS; i++) {
        if (CONVERSIONS[i].letter != letter)
            continue;
        if (CONVERSIONS[i].means)
            return shape_add_pattern(shape, CONVERSIONS[i].means);
        bool *has = &shape->has[(int)CONVERSIONS[i].part];
        bool first = !*has; /* of two of a kind strptime takes the later one: leave it that */
        *has = true;
        return first && shape_add(shape, (char)(CONVERSIONS[i].part + 1), CONVERSIONS[i].digits);
    }
    return false;
}

static bool shape_add_pattern(struct time_shape *shape, const char *pattern)
{
    for (; *pattern; pattern++) {
        bool added = *pattern == '%' ? shape_add_conversion(shape, *++pattern)
                                     : *pattern > PARTS && shape_add(shape, *pattern, 1);
        if (!added)
            return false;
    }
    return true;
}

void time_shape_init(struct time_shape *shape, const char *pattern)
{
    *shape = (struct time_shape){0};
    if (!shape_add_pattern(shape, pattern))
        shape->len = 0;
}

/* strptime is lenient (February 31, second 60): a date counts if timegm leaves it as it is. */
static bool general(struct bytes text, const char *pattern, int64_t *ms)
{
    char copy[TIME_TEXT_MAX + 1];
    if (text.len > TIME_TEXT_MAX)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    struct tm tm = {.tm_year = 70, .tm_mday = 1};
    if (strptime(copy, pattern, &tm) != copy + text.len)
        return false;
    struct tm same = tm;
    int64_t seconds = timegm(&same);
    if (same.tm_mon != tm.tm_mon || same.tm_mday != tm.tm_mday || same.tm_hour != tm.tm_hour ||
        same.tm_min != tm.tm_min || same.tm_sec != tm.tm_sec)
        return false;
    return !__builtin_mul_overflow(seconds - tm.tm_gmtoff, 1000, ms); /* %z; far years by %s */
}

bool time_strptime(struct bytes text, const char *pattern, const struct time_shape *shape,
                   int64_t *ms)
{
    struct date date;
    if (shape->len == 0 || text.len != shape->len || !shape_read(shape, text.ptr, &date))
        return general(text, pattern, ms);
    *ms = date_seconds(&date) * 1000;
    return date_exists(&date);
}

/* ".345" -> 345; digits behind the third are dropped. Returns the first byte behind it. */
static const char *fraction_ms(const char *at, const char *end, int64_t *ms)
{
    *ms = 0;
    if (at == end || *at != '.')
        return at;
    int worth = 100;
    for (at++; at < end && text_is_digit(*at); at++, worth /= 10)
        *ms += (*at - '0') * worth;
    return text_is_digit(at[-1]) ? at : NULL;
}

/* "Z" or "+02:00" -> seconds to take away; false unless it is all of [at, end). */
static bool offset_seconds(const char *at, const char *end, int64_t *seconds)
{
    static const struct time_shape CLOCK = {
        "\4\4:\5\5", 5, {false, false, false, true, true, false}};
    struct date date;
    *seconds = 0;
    if (end - at == 1)
        return *at == 'Z' || *at == 'z';
    if (end - at != 6 || (*at != '+' && *at != '-') || !shape_read(&CLOCK, at + 1, &date))
        return false;
    *seconds = (date.part[HOUR] * 60 + date.part[MINUTE]) * (*at == '-' ? -60 : 60);
    return date.part[HOUR] <= 23 && date.part[MINUTE] <= 59;
}

/* Between day and clock. */
static bool is_divider(char c)
{
    return c == 'T' || c == 't' || c == ' ';
}

bool time_rfc3339(struct bytes text, int64_t *ms)
{
    static const struct time_shape DAY_SHAPE = {
        "\1\1\1\1-\2\2-\3\3", 10, {true, true, true, false, false, false}};
    static const struct time_shape CLOCK_SHAPE = {
        "\4\4:\5\5:\6\6", 8, {false, false, false, true, true, true}};
    enum { BEHIND_SECONDS = 19 };
    struct date date, clock;
    int64_t fraction, offset;
    if (text.len <= BEHIND_SECONDS || !shape_read(&DAY_SHAPE, text.ptr, &date) ||
        !is_divider(text.ptr[10]) || !shape_read(&CLOCK_SHAPE, text.ptr + 11, &clock))
        return false;
    memcpy(date.part + HOUR, clock.part + HOUR, 3 * sizeof *date.part);
    const char *end = text.ptr + text.len;
    const char *at = fraction_ms(text.ptr + BEHIND_SECONDS, end, &fraction);
    if (!at || !offset_seconds(at, end, &offset) || !date_exists(&date))
        return false;
    *ms = (date_seconds(&date) - offset) * 1000 + fraction;
    return true;
}
