/* cmd/view_args.h - what query, verify and dlq have in common: the plan, the store, one version of
 * the view, and times as text. */
#ifndef LK_CMD_VIEW_ARGS_H
#define LK_CMD_VIEW_ARGS_H

#include "common/base/settings.h"
#include "common/store/read.h"

struct view_args {
    struct plan *plan;   /* of --plan */
    struct plan *stored; /* of the version, as the registry has it (its table is not looked for) */
    enum arch arch;
    struct kv *kv;
    struct registry registry;
    const struct registry_version *version; /* of registry */
    struct buf speed_layer;                 /* of lambda, in words: mirrored, or cheap and how */
};

/* Wants plan, view, from. The version is --version's; else the one made of --plan (by_plan; a line
 * on stderr if that is not the live one), else the live one. view_args_close also on failure. */
int view_args_open(struct view_args *args, const struct settings *settings, bool by_plan,
                   struct err *err);
void view_args_close(struct view_args *args);
/* Make version number the one that args is about: the one that an answer came from. */
int view_args_choose(struct view_args *args, int number, struct err *err);
/* "kappa" or "lambda". */
const char *arch_name(enum arch arch);

/* 2001-01-01T00:00:00Z, with milliseconds where there are some; INT64_MIN as "-". */
void buf_add_utc(struct buf *buf, int64_t ms);

#endif
