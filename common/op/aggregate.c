/* common/op/aggregate.c - six aggregates as rows of one table: how their slots combine.
 *
 * Everything is exact: int128 over scaled integers, and doubles only where order is all that
 * counts (min, max), mapped to integers of the same order. The one rounding, an average's, is done
 * once, at the end, by long division with a sticky bit. A sketch is exact, too, until it is asked for
 * its estimate: the same events give the same registers, however they were shared out. */
#include "common/op/aggregate.h"

#include <math.h>

#include "common/base/fault.h"
#include "common/op/filter.h"
#include "common/op/sketch.h"

enum combine { ADD, LEAST, GREATEST, BYTES };

static const enum combine COMBINE[] = {
    [AGG_COUNT] = ADD,    [AGG_SUM] = ADD, [AGG_MIN] = LEAST,
    [AGG_MAX] = GREATEST, [AGG_AVG] = ADD, [AGG_DISTINCT] = BYTES,
};
static const int128 NOTHING[] = {
    [ADD] = 0, [LEAST] = SLOT_NOTHING_MIN, [GREATEST] = SLOT_NOTHING_MAX, [BYTES] = 0};

void aggregate_zero(const struct plan *plan, int128 *slots)
{
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        for (int s = 0; s < value_slots(value); s++)
            slots[value->slot + s] = NOTHING[COMBINE[value->kind]];
    }
}

/* As unsigned: a partial that was tampered with in the store must not be undefined behaviour. */
static inline void slot_add(int128 *slot, int128 value)
{
    *slot = (int128)((uint128)*slot + (uint128)value);
}

static inline void slot_combine(enum combine combine, int128 *slot, int128 value)
{
    if (combine == ADD)
        slot_add(slot, value);
    else if (combine == LEAST ? value < *slot : value > *slot)
        *slot = value;
}

/* Bits of a double as an integer of the same order (sign and magnitude to two's complement); the
 * mapping is its own inverse. */
static int64_t order_bits(int64_t bits)
{
    return bits ^ ((bits >> 63) & INT64_MAX);
}

static int64_t double_to_order(double value)
{
    if (value == 0)
        value = 0; /* -0.0 is 0.0 */
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return order_bits(bits);
}

static double order_to_double(int64_t order)
{
    int64_t bits = order_bits(order);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int64_t column_value(const struct column *column, int row)
{
    return column->type == FIELD_DOUBLE ? double_to_order(column->f64[row]) : column->i64[row];
}

static uint8_t *registers_of(int128 *slots)
{
    return (uint8_t *)slots;
}

/* Not inline: the calls in it would have every other aggregate save its registers (3 ns in 13). */
__attribute__((noinline)) static void add_distinct(const struct value *value, int128 *slots,
                                                   const struct column *column, int row)
{
    uint64_t hash = column->type == FIELD_STRING ? sketch_hash_text(column->str[row])
                                                 : sketch_hash_int(column->i64[row]);
    sketch_add(registers_of(slots), value->precision, hash);
}

static inline void add_value(const struct value *value, int128 *slots,
                             const struct columns *columns, int row)
{
    if (value->kind == AGG_COUNT) {
        slots[value->slot]++;
        return;
    }
    const struct column *column = &columns->column[value->field];
    if (!column->present[row])
        return;
    if (value->kind == AGG_DISTINCT) {
        add_distinct(value, &slots[value->slot], column, row);
        return;
    }
    slot_combine(COMBINE[value->kind], &slots[value->slot], column_value(column, row));
    if (value->kind == AGG_AVG)
        slots[value->slot + 1]++;
}

void aggregate_add(const struct plan *plan, int128 *slots, const struct columns *columns, int row)
{
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        if (!value->where || filter_row(value->where, columns, row))
            add_value(value, slots, columns, row);
    }
}

void aggregate_add_taken(const struct plan *plan, int128 *slots, const struct columns *columns,
                         int row, const uint8_t *const *takes)
{
    for (int i = 0; i < plan->value_count; i++)
        if (!takes[i] || takes[i][row])
            add_value(&plan->values[i], slots, columns, row);
}

static void merge_distinct(const struct value *value, int128 *to, const int128 *from)
{
    if (bug_planted("sketch-last"))
        memcpy(to, from, (size_t)1 << value->precision);
    sketch_merge(registers_of(to), (const uint8_t *)from, value->precision);
}

void aggregate_merge(const struct plan *plan, int128 *to, const int128 *from)
{
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        int s = value->slot;
        if (value->kind == AGG_DISTINCT)
            merge_distinct(value, &to[s], &from[s]);
        else
            slot_combine(COMBINE[value->kind], &to[s], from[s]);
        if (value->kind == AGG_AVG)
            slot_combine(ADD, &to[s + 1], from[s + 1]);
    }
}

/* One finished value of the field that was aggregated. */
static void add_field_value(const struct field *field, int128 slot, struct buf *out)
{
    if (field->type == FIELD_DOUBLE)
        buf_add_double(out, order_to_double((int64_t)slot));
    else
        buf_add_decimal(out, slot, field->type == FIELD_DECIMAL ? field->scale : 0);
}

static int128 power_of_ten(int exponent)
{
    int128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

static void finish_one(const struct plan *plan, const struct value *value, const int128 *slot,
                       struct buf *out)
{
    enum combine combine = COMBINE[value->kind];
    if (value->kind == AGG_COUNT) {
        buf_add_int128(out, slot[0]);
        return;
    }
    if (value->kind == AGG_DISTINCT) {
        buf_add_int64(out, sketch_estimate((const uint8_t *)slot, value->precision));
        return;
    }
    const struct field *field = &plan->schema.fields[value->field];
    if (value->kind == AGG_AVG && slot[1] > 0) {
        int scale = field->type == FIELD_DECIMAL ? field->scale : 0;
        buf_add_double(out, int128_divide(slot[0], slot[1] * power_of_ten(scale)));
    } else if (value->kind == AGG_AVG || (combine != ADD && slot[0] == NOTHING[combine])) {
        buf_add_text(out, "null");
    } else {
        add_field_value(field, slot[0], out);
    }
}

void aggregate_finish(const struct plan *plan, const int128 *slots, struct buf *out)
{
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_char(out, '"');
        buf_add_text(out, value->name);
        buf_add_text(out, "\":");
        finish_one(plan, value, &slots[value->slot], out);
    }
}

static void encode_slot(enum combine combine, int128 slot, struct buf *out)
{
    if (combine != ADD && slot == NOTHING[combine])
        buf_add_char(out, '-');
    else
        buf_add_int128(out, slot);
}

void aggregate_encode(const struct plan *plan, const int128 *slots, struct buf *out)
{
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        const int128 *slot = &slots[value->slot];
        if (i > 0)
            buf_add_char(out, ',');
        if (value->kind == AGG_DISTINCT)
            sketch_encode((const uint8_t *)slot, value->precision, out);
        else
            encode_slot(COMBINE[value->kind], slot[0], out);
        if (value->kind == AGG_AVG) {
            buf_add_char(out, ',');
            buf_add_int128(out, slot[1]);
        }
    }
}

static bool decode_piece(const struct value *value, struct bytes text, int128 *slot)
{
    enum combine combine = COMBINE[value->kind];
    if (value->kind == AGG_DISTINCT)
        return sketch_decode(text, value->precision, registers_of(slot));
    if (combine != ADD && bytes_equal(text, bytes_of("-"))) {
        *slot = NOTHING[combine];
        return true;
    }
    return bytes_to_int128(text, slot);
}

bool aggregate_decode(const struct plan *plan, struct bytes text, int128 *slots)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        int pieces = value->kind == AGG_AVG ? 2 : 1;
        for (int s = 0; s < pieces; s++) {
            bool last = i + 1 == plan->value_count && s + 1 == pieces;
            if (at > end)
                return false;
            const char *stop = last ? end : memchr(at, ',', (size_t)(end - at));
            struct bytes piece = {at, stop ? (size_t)(stop - at) : 0};
            if (!stop || !decode_piece(value, piece, &slots[value->slot + s]))
                return false;
            at = stop + 1;
        }
    }
    return true;
}

/* The quotient is made bit by bit until it has 55 bits: 53 of the double, two to round by, and
 * whatever is left over sticks to the second. No quotient of two int128 is near the subnormals. */
double int128_divide(int128 numerator, int128 denominator)
{
    if (numerator == 0)
        return 0;
    uint128 over = numerator < 0 ? -(uint128)numerator : (uint128)numerator;
    uint128 under = (uint128)denominator, quotient = over / under, rest = over % under;
    const uint128 least = (uint128)1 << 54;
    int exponent = 0;
    for (; quotient < least; exponent--) {
        rest <<= 1;
        quotient = quotient << 1 | (rest >= under);
        rest -= rest >= under ? under : 0;
    }
    bool sticky = rest != 0;
    for (; quotient >= least << 1; exponent++) {
        sticky |= quotient & 1;
        quotient >>= 1;
    }
    unsigned tail = (unsigned)(quotient & 3);
    uint64_t mantissa = (uint64_t)(quotient >> 2);
    mantissa += tail == 3 || (tail == 2 && (sticky || (mantissa & 1)));
    double magnitude = ldexp((double)mantissa, exponent + 2);
    return numerator < 0 ? -magnitude : magnitude;
}
