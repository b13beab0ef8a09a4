/* workloads/oracle_tally.c - count, sum, least and greatest of amounts, and the values made of
 * them.
 *
 * One tally holds all four for every value, whatever the value asks for: little is to be chosen
 * while adding. Doubles are amounts by their bits, and are only ever compared. */
#include <stdio.h>
#include <stdlib.h>

#include "workloads/oracle_parts.h"

static double as_double(int64_t amount)
{
    double value;
    memcpy(&value, &amount, sizeof value);
    return value;
}

static bool is_less(const struct fact *fact, int64_t a, int64_t b)
{
    return fact->kind == KIND_DOUBLE ? as_double(a) < as_double(b) : a < b;
}

void tally_add(const struct rulebook *book, struct tally *tallies, const struct happening *event,
               const int64_t *amounts)
{
    for (int v = 0; v < book->value_count; v++) {
        if (!(event->adds >> v & 1))
            continue;
        struct tally *tally = &tallies[v];
        const struct fact *fact = &book->facts[book->values[v].fact < 0 ? 0 : book->values[v].fact];
        if (tally->count == 0 || is_less(fact, amounts[v], tally->least))
            tally->least = amounts[v];
        if (tally->count == 0 || is_less(fact, tally->greatest, amounts[v]))
            tally->greatest = amounts[v];
        tally->sum += amounts[v];
        tally->count++;
        if (book->values[v].kind == VALUE_DISTINCT)
            members_add(&tally->members, (uint32_t)amounts[v]);
    }
}

/* Enough decimals to be exact: numerator and denominator are below 2^127, so the quotient is 0 or
 * above 2^-127, and doubles and the midpoints between them are whole multiples of 2^-181 there. */
enum { DECIMALS = 181 };

/* numerator / denominator written out by the long division of school, then read by strtod, which
 * rounds any number of digits correctly. A remainder at the end becomes a last digit 1: no double
 * and no midpoint lies between the digits so far and the truth. */
static double long_division(uint128 numerator, uint128 denominator)
{
    struct buf text = {0};
    buf_add_int128(&text, (int128)(numerator / denominator));
    buf_add_char(&text, '.');
    uint128 rest = numerator % denominator;
    for (int i = 0; i < DECIMALS && rest; i++) {
        int digit = 0; /* rest * 10 may not fit: add ten times, subtracting as we go */
        uint128 ten = 0;
        for (int k = 0; k < 10; k++) {
            ten += rest;
            digit += ten >= denominator;
            ten -= ten >= denominator ? denominator : 0;
        }
        rest = ten;
        buf_add_char(&text, (char)('0' + digit));
    }
    if (rest)
        buf_add_char(&text, '1');
    double value = strtod(text.ptr, NULL);
    buf_release(&text);
    return value;
}

double quotient(int128 numerator, int128 denominator)
{
    int128 exact_limit = (int128)1 << 53;
    /* Both are doubles: IEEE 754 rounds their quotient correctly. */
    if (numerator > -exact_limit && numerator < exact_limit && denominator < exact_limit)
        return (double)numerator / (double)denominator;
    bool negative = numerator < 0;
    double value =
        long_division(negative ? -(uint128)numerator : (uint128)numerator, (uint128)denominator);
    return negative ? -value : value;
}

static int128 power_of_ten(int exponent)
{
    int128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

static void finish_field(const struct rulebook *book, int v, const struct tally *tally, bool crude,
                         struct buf *out)
{
    const struct fact *fact = &book->facts[book->values[v].fact];
    int64_t bound = book->values[v].kind == VALUE_MIN ? tally->least : tally->greatest;
    if (book->values[v].kind == VALUE_SUM)
        buf_add_decimal(out, tally->sum, fact->scale);
    else if (tally->count == 0)
        buf_add_text(out, "null");
    else if (book->values[v].kind == VALUE_AVG)
        buf_add_double(out, quotient(crude ? tally->sum / tally->count : tally->sum,
                                     (crude ? 1 : tally->count) * power_of_ten(fact->scale)));
    else if (fact->kind == KIND_DOUBLE)
        buf_add_double(out, as_double(bound) + 0.0); /* -0.0 becomes 0.0 */
    else
        buf_add_decimal(out, bound, fact->scale);
}

void tally_release(const struct rulebook *book, struct tally *tallies)
{
    for (int v = 0; v < book->value_count; v++)
        members_release(&tallies[v].members);
}

void tally_finish(const struct rulebook *book, struct tally *tallies, const struct map *values,
                  bool crude, struct buf *out)
{
    for (int v = 0; v < book->value_count; v++) {
        if (v > 0)
            buf_add_char(out, ',');
        buf_add_json_string(out, bytes_of(book->values[v].name));
        buf_add_char(out, ':');
        if (book->values[v].kind == VALUE_COUNT)
            buf_add_int128(out, tallies[v].sum);
        else if (book->values[v].kind == VALUE_DISTINCT)
            buf_add_int64(out,
                          members_estimate(&tallies[v].members, values, book->values[v].precision));
        else
            finish_field(book, v, &tallies[v], crude, out);
    }
    tally_release(book, tallies);
}
