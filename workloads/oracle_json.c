/* workloads/oracle_json.c - JSON by jansson, with the text of every number kept.
 *
 *   {"price": 1.50, "big": 99999999999999999999}   what the event says
 *   {"price": 0, "big": 1}                         what jansson reads
 *   numbers = {"1.50", "99999999999999999999"}     what the oracle calculates with
 * Structure, strings, escapes and UTF-8 are judged by jansson, numbers by number_valid: a number is
 * put in the place of a number, so a text is well-formed after the change exactly if it was before.
 * jansson refuses a NUL in a member's name, which RFC 8259 allows: in names alone, \u0000 becomes
 * the noncharacter \uFDD0. */
#include <ctype.h>
#include <stdlib.h>

#include "workloads/oracle_parts.h"

static size_t skip_digits(struct bytes text, size_t i)
{
    while (i < text.len && isdigit((unsigned char)text.ptr[i]))
        i++;
    return i;
}

static bool at_any(struct bytes text, size_t i, const char *chars)
{
    return i < text.len && text.ptr[i] && strchr(chars, text.ptr[i]);
}

bool number_valid(struct bytes text)
{
    size_t i = at_any(text, 0, "-");
    size_t digits = i;
    i = skip_digits(text, i);
    if (i == digits || (text.ptr[digits] == '0' && i > digits + 1))
        return false;
    if (at_any(text, i, ".")) {
        digits = i + 1;
        i = skip_digits(text, digits);
        if (i == digits)
            return false;
    }
    if (at_any(text, i, "eE")) {
        digits = i + 1 + at_any(text, i + 1, "+-");
        i = skip_digits(text, digits);
        if (i == digits)
            return false;
    }
    return i == text.len;
}

static void note_number(struct exact *exact, struct bytes number)
{
    if (exact->count == exact->capacity) {
        exact->capacity = exact->capacity ? exact->capacity * 2 : 64;
        exact->numbers = mem_grow(exact->numbers, exact->capacity * sizeof *exact->numbers);
    }
    exact->numbers[exact->count++] = number;
}

/* Length of the number that begins at i, or 0 where what stands there is not one. */
static size_t copy_number(struct exact *exact, struct bytes text, size_t i)
{
    size_t end = i;
    while (end < text.len && (isdigit((unsigned char)text.ptr[end]) || at_any(text, end, "+-.eE")))
        end++;
    struct bytes number = {text.ptr + i, end - i};
    if (!number_valid(number))
        return 0;
    buf_add_int64(&exact->text, (int64_t)exact->count);
    note_number(exact, number);
    return number.len;
}

static bool is_name(struct bytes text, size_t behind)
{
    while (at_any(text, behind, " \t\r\n"))
        behind++;
    return at_any(text, behind, ":");
}

/* Length of the string that begins at i with its quotes, or 0 where it does not end. */
static size_t copy_string(struct exact *exact, struct bytes text, size_t i)
{
    size_t end = i + 1;
    while (end < text.len && text.ptr[end] != '"')
        end += text.ptr[end] == '\\' ? 2 : 1;
    if (end >= text.len)
        return 0;
    size_t begin = exact->text.len;
    buf_add(&exact->text, text.ptr + i, end + 1 - i);
    if (!is_name(text, end + 1))
        return end + 1 - i;
    for (char *at = exact->text.ptr + begin; (at = strchr(at, '\\')); at += 2)
        if (strncmp(at, "\\u0000", 6) == 0)
            memcpy(at, "\\uFDD0", 6);
    return end + 1 - i;
}

/* exact->text = text with every number replaced; false: it cannot be JSON. */
static bool replace_numbers(struct exact *exact, struct bytes text)
{
    for (size_t i = 0; i < text.len;) {
        size_t plain = i;
        while (i < text.len && text.ptr[i] != '"' && text.ptr[i] != '-' &&
               !isdigit((unsigned char)text.ptr[i]))
            i++;
        buf_add(&exact->text, text.ptr + plain, i - plain);
        if (i == text.len)
            break;
        size_t len = text.ptr[i] == '"' ? copy_string(exact, text, i) : copy_number(exact, text, i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

bool exact_parse(struct exact *exact, struct bytes text)
{
    json_decref(exact->root);
    exact->root = NULL;
    exact->count = 0;
    buf_clear(&exact->text);
    buf_reserve(&exact->text, text.len + 64);
    if (replace_numbers(exact, text))
        exact->root = json_loadb(exact->text.ptr, exact->text.len, JSON_ALLOW_NUL, NULL);
    return exact->root != NULL;
}

struct bytes exact_number(const struct exact *exact, const json_t *number)
{
    return exact->numbers[json_integer_value(number)];
}

void exact_release(struct exact *exact)
{
    json_decref(exact->root);
    buf_release(&exact->text);
    free(exact->numbers);
    *exact = (struct exact){0};
}
