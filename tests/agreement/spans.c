/* tests/agreement/spans.c - from which offset on a lambda view says that its spans were merged, against what
 * the mode says of pos (docs/handover.md): the oracle takes the answer's word for it. */
#include "common/store/pos.h"
#include "tests/agreement/agreement.h"

static int64_t begins(enum handover handover, const struct pos *pos)
{
    switch (handover) {
    case HANDOVER_TWO_SLOT:
        return pos->spans; /* where the batch that is published began */
    case HANDOVER_NAIVE:
        return pos->slot; /* where the latest one began */
    case HANDOVER_EVENT_TIME:
        return 0;
    default:
        return pos->boundary;
    }
}

static bool is_lawful(struct stage *stage, int p, const struct pos *pos,
                      const struct answer_part *part)
{
    int64_t wanted = begins(stage->made->handover, pos);
    bool exact = stage->made->handover == HANDOVER_OFFSET;
    for (int i = 0; i < pos->cut_count; i++) {
        int64_t cut = pos->cuts[i];
        bool merged = cut >= part->spans_from;
        if (merged != (cut >= wanted && (exact || cut >= pos->from)))
            return stage_fail(stage,
                              "partition %d merges spans from %lld; cut %lld, wanted from %lld", p,
                              (long long)part->spans_from, (long long)cut, (long long)wanted);
    }
    return true;
}

bool check_spans(struct stage *stage, const struct answer *found)
{
    bool right = true;
    for (int p = 0; right && stage->memory && !kv_down(stage->kv) && p < found->partitions; p++) {
        struct arena arena = {0};
        struct kv_reply *replies;
        struct pos pos = {0};
        kv_words(stage->kv, "HGETALL", key_pos(&arena, stage->plan->view, "l1", p), NULL);
        if (kv_roundtrip(stage->kv, &replies, NULL) == 1 &&
            pos_decode(&replies[0], &pos, NULL) == 0)
            right = is_lawful(stage, p, &pos, &found->parts[p]);
        pos_release(&pos);
        arena_release(&arena);
    }
    return right;
}
