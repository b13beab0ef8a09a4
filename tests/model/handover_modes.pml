/* handover_modes.pml - lambda handed over otherwise than by offset: event-time, two-slot, naive.
 *
 * One partition: a speed layer, an archive that reaches whatever it has reached, batches, rollbacks, a
 * reader. What handover.pml proves of loading, publishing and sweeping is taken as given: a publish, a
 * commit, a rollback is one step, ids are fresh. Each offset is one bit in what the batch says
 * (vb) and one in what the speed layer says (vs): in neither it is lost, in both it counts twice.
 *
 * Always checked, for every valid read: vb and vs are what the mode says of the positions read, no more,
 * no less. NO_LOSS, NO_DOUBLE: and that is the truth. A mode that is not exact must break them (the `least`
 * rows of check, searched breadth first: their trails are the shortest), and keeps what it does promise. */
#define EVENT 1                                  /* MODE: event-time */
#define TWO   2                                  /* two-slot */
#define NAIVE 3
#ifndef N
#define N 3
#endif
#ifndef RUNS
#define RUNS 2       /* batches that begin */
#endif
#ifndef B
#define B 1          /* batch workers */
#endif
#ifndef LOSSES
#define LOSSES 0     /* the speed worker forgets all */
#endif
#ifndef FLUSHES
#define FLUSHES 0
#endif
#ifndef BKILLS
#define BKILLS 0
#endif
#ifndef ROLLS
#define ROLLS 0
#endif
#ifndef FIRST
#define FIRST 0      /* the topic's first offset; what lies below is in the archive only */
#endif
/* -DLATE: e2 lies in a window that had ended. -DMEET: a batch begins only where the archive ends at the
 * speed layer's last cut. -DAFTER: NO_LOSS is asked only of reads that began when some batch had landed;
 * -DATREST: and none had begun since. -DTO_SPEED: below where the speed layer stands. */

/* the log: e0 in window 0, e1 in window 1, e2 in window 1, or 0 where it is late; nothing is too late */
#ifdef LATE
#define WINDOW0 5
#else
#define WINDOW0 1
#endif
#define UPTO(z)      ((1 << (z)) - 1)
#define SPAN(a,z)    ((a) < (z) -> (UPTO(z) & ~UPTO(a)) : 0)
#define MAX(a,b)     ((a) > (b) -> (a) : (b))
#define MIN(a,b)     ((a) < (b) -> (a) : (b))
#define HAS(set,x)   (((set) >> (x)) & 1)
/* windows below the bound of a batch of [0, z): 0 of none, window 0 once e1 has been seen */
#if MODE == EVENT
#define BELOW(g,z)   ((g) != 0 && (z) >= 2 -> WINDOW0 : 0)
#define OFBATCH(g,z) BELOW(g,z)
#else
#define BELOW(g,z)   0
#define OFBATCH(g,z) 255
#endif

typedef Pos {
    bit here; byte owner; byte next; byte from; byte cuts;
    byte gen; byte b; byte prevg; byte prevb; byte gens;
    byte slot; byte spans; byte prevspans;       /* two-slot, naive */
    byte span[N + 1];                            /* speed cells, by the span's first offset */
    byte keys[RUNS + 1]                          /* batch cells: windows that are loaded */
};
Pos R;
byte upto[RUNS + 1];                             /* the generations' files: built up to */
byte tokens, ids, archive, runs = RUNS;          /* tokens and ids are never used twice */
byte losses = LOSSES, flushes = FLUSHES, bkills = BKILLS, rolls = ROLLS;
bit open;                                        /* begun, and not landed yet */
bit sdirty;                                      /* the speed worker's WATCH */

inline touch() { sdirty = 1 }

/* ---- the archive, and what befalls Redis ---- */
active proctype around() {
    byte k;
end:
    do
    :: d_step { archive < N -> archive++; printf("the archive reaches %d\n", archive) }
    :: d_step { flushes > 0 && R.here -> flushes--; touch(); printf("FLUSHALL\n");
        R.here = 0; R.owner = 0; R.next = 0; R.from = 0; R.cuts = 0; R.gen = 0; R.b = 0;
        R.prevg = 0; R.prevb = 0; R.gens = 0; R.slot = 0; R.spans = 0; R.prevspans = 0;
        do :: k <= N -> R.span[k] = 0; k++ :: else -> break od;
        k = 0;
        do :: k <= RUNS -> R.keys[k] = 0; k++ :: else -> break od;
        k = 0 }
    :: d_step { rolls > 0 && R.here && R.gen != 0 && (R.prevg != 0 || R.prevb == 0) &&
                R.from <= R.prevb && R.next >= R.b ->        /* lambda rollback: one EXEC under WATCH */
        rolls--; R.gens = R.gens & ~(1 << R.gen);
        R.gen = R.prevg; R.b = R.prevb; R.prevg = 0; R.spans = R.prevspans; touch();
        printf("rolled back to boundary %d\n", R.b) }
    od
}

/* ---- speed: as in handover.pml, but it jumps only over what the topic does not have ---- */
byte nx, cn, cs, mm, begins, needs, kfrom, kgen, kb, dead, tok;
bit wait4, news;

inline look() {                                  /* what pos says besides next */
    sdirty = 0; kfrom = R.from; kgen = R.gen; kb = R.b;
#if MODE == EVENT
    needs = 0;
#ifdef BUG_UNLINK_NOW
    dead = BELOW(R.gen, R.b);
#else
    dead = BELOW(1, R.prevb);                    /* windows of the one before: no reader asks us */
#endif
#else
    needs = MIN(R.prevb, R.prevspans);
#endif
    news = (news || needs > kfrom)               /* the next commit raises from */
}
inline jump() {
    if :: R.b > cn -> begins = R.b :: else fi;
    nx = R.b; cs = R.b; mm = 0; news = 1; wait4 = 0; printf("speed jumps to %d\n", nx)
}
inline take() {
    tokens++; R.owner = tokens; tok = tokens; touch();
    if
    :: !R.here || R.next < FIRST -> R.here = 1; R.next = FIRST; R.from = FIRST; R.cuts = (1 << FIRST)
    :: else
    fi;
    news = 0; look(); begins = R.from; nx = R.next; cn = nx;
    cs = nx;
    do :: cs > 0 && !HAS(R.cuts, cs) -> cs-- :: else -> break od;
    mm = R.span[cs];
    wait4 = (R.from > R.b); printf("speed takes at %d\n", nx);
    if
    :: R.gen != 0 && R.b >= R.next && R.b >= R.from && R.from > 0 && R.from == R.next -> jump()
    :: else
    fi
}
inline put() {
    assert(cs >= R.from);                         /* what is written is read: no span lies below from */
    if :: nx > cs -> R.span[cs] = (R.span[cs] & dead) | (mm & ~dead) :: else fi;
    R.cuts = R.cuts | (1 << cs);
    if :: cut -> R.cuts = R.cuts | (1 << nx); cs = nx; mm = 0 :: else fi;
    R.next = nx; cn = nx; news = 0;
#ifndef BUG_FROM_AMID
    do :: needs > begins && !HAS(R.cuts, needs) -> needs-- :: else -> break od;     /* never amid a span */
#endif
    R.from = MAX(R.from, MAX(needs, begins)); kfrom = R.from;
    printf("speed commits up to %d, cut %d\n", nx, cut); touch(); sdirty = 0; cut = 0
}
inline unlink() {                                /* in the next EXEC, below the committed from */
    printf("speed unlinks\n");
    do :: k < kfrom -> R.span[k] = 0; k++ :: else -> break od;
    R.cuts = R.cuts & ~UPTO(kfrom);
#if MODE == EVENT
    k = 0;
    do :: k < N -> R.span[k] = R.span[k] & ~dead; k++ :: else -> break od;
#endif
    k = 0
}
#define NEWS     (nx > cn || news)
#define CUTTABLE (MODE != EVENT && nx > cs)
#define STALE    ((R.cuts & UPTO(kfrom)) || ((R.span[0] | R.span[1]) & dead) || ((R.span[N-1] | R.span[N]) & dead))

active proctype speed() {
    byte k; bit cut;
start:
    atomic { take() };
end_loop:
    do
    :: d_step { nx < N && !wait4 -> mm = mm | (1 << nx); nx++ }
    :: atomic { !sdirty && (NEWS || CUTTABLE) ->
        if :: CUTTABLE && !wait4 -> cut = 1 :: NEWS -> cut = 0 fi;
        d_step { put() } }
    :: d_step { !sdirty && STALE -> unlink() }
    :: atomic { sdirty && (!R.here || R.owner != tok) -> goto start }
    :: d_step { sdirty && R.here && R.owner == tok ->
        if
        :: R.gen == kgen && R.b == kb -> look()
        :: else -> look();
            if :: wait4 && R.gen != 0 && R.b >= cn && R.b >= begins -> jump() :: else fi
        fi }
    :: atomic { losses > 0 -> losses--; goto start }
    od
}

/* ---- batch: note the slot, see where the archive ends, fold, load, publish ---- */
inline note() {                                  /* batch begin: the last cut, under WATCH pos */
    s = N;
    do :: s > 0 && !HAS(R.cuts, s) -> s-- :: else -> break od;
#if MODE != EVENT
    if :: R.here -> R.slot = s; touch() :: else fi;
#endif
    printf("batch %d begins, slot %d\n", id, s)
}
active [B] proctype batch() {
    byte id, z, s, old;
idle:
end_idle:
    atomic {
#ifdef MEET
        runs > 0 && archive > R.b && R.here && HAS(R.cuts, archive) && (R.cuts >> archive) == 1 ->
#else
        runs > 0 && archive > 0 ->
#endif
        runs--; open = 1; ids++; id = ids; d_step { note() }
#ifdef MEET
        ; z = archive
#endif
    };
    if
    :: d_step { bkills > 0 -> bkills--; printf("batch %d dies\n", id) }; goto killed
    :: d_step { z == 0 -> z = archive }
    :: z != 0 -> skip
    fi;
    atomic {                                     /* generation begin: a fresh id into gens */
        if
        :: z <= R.b -> goto done                 /* nothing new: refused, and the slot stands */
        :: else
        fi;
        d_step {
            upto[id] = z;
            if :: !R.here -> R.here = 1; tokens++; R.owner = tokens; R.next = 0; R.from = 0; R.cuts = 1 :: else fi;
            R.gens = R.gens | (1 << id); touch()
        }
    };
    d_step { R.keys[id] = R.keys[id] | 1 };
    if
    :: d_step { bkills > 0 -> bkills--; printf("batch %d dies\n", id) }; goto killed
    :: d_step { R.keys[id] = R.keys[id] | 2 }
    fi;
    atomic {                                     /* publish: boundary and spans flip together */
        if
        :: !HAS(R.gens, id) || z <= R.b -> skip
        :: else -> d_step {
            if :: R.prevg != 0 -> R.gens = R.gens & ~(1 << R.prevg) :: else fi;
            old = R.prevg; R.prevg = R.gen; R.prevb = R.b; R.prevspans = R.spans;
            R.gen = id; R.b = z; R.spans = s; open = 0; touch();
            printf("batch %d of [0, %d) lands\n", id, z) }
        fi
    };
    d_step { R.keys[old] = 0 };                  /* sweep the one before the previous */
    if
    :: d_step { R.gen != id && R.prevg != id -> R.keys[id] = 0; R.gens = R.gens & ~(1 << id); touch(); printf("batch %d is refused\n", id) }
    :: else
    fi;
done:
killed:                                          /* its leavings stay */
    atomic { id = 0; z = 0; s = 0; old = 0 };
    goto idle
}

/* ---- the reader: pos, cells, pos ---- */
#if MODE == TWO
#ifdef BUG_SLOT_OF_BEGUN
#define WANTED R.slot
#else
#define WANTED R.spans
#endif
#elif MODE == NAIVE
#define WANTED R.slot
#else
#define WANTED 0
#endif
active proctype reader() {
    byte owner, gen, b, next, from, s, cuts, vb, vs, k;
    bit landed, rest;
end_begin:
    atomic {
        R.here && R.from <= R.b;                 /* else a named gap */
        d_step {
            owner = R.owner; gen = R.gen; b = R.b; next = R.next; landed = (gen != 0); rest = (open == 0);
            from = MAX(WANTED, R.from);
            do :: from < N && !HAS(R.cuts, from) -> from++ :: else -> break od;
            if :: !HAS(R.cuts, from) -> from = MAX(next, MAX(WANTED, R.from)) :: else fi;
            cuts = R.cuts & ~UPTO(from);
            printf("a reader begins: next %d, boundary %d, spans from %d\n", next, b, from)
        }
    };
    d_step { if :: gen != 0 && (R.keys[gen] & 1) -> vb = vb | (UPTO(upto[gen]) & WINDOW0 & OFBATCH(gen, b)) :: else fi };
    d_step { if :: gen != 0 && (R.keys[gen] & 2) -> vb = vb | (UPTO(upto[gen]) & ~WINDOW0 & OFBATCH(gen, b)) :: else fi; k = 0 };
    do
    :: k <= N && HAS(cuts, k) ->                 /* a span's cells, window by window */
        d_step { vs = vs | (R.span[k] & WINDOW0 & ~BELOW(gen, b)) };
        d_step { vs = vs | (R.span[k] & ~WINDOW0 & ~BELOW(gen, b)); k++ }
    :: k <= N && !HAS(cuts, k) -> k++
    :: k > N -> break
    od;
    atomic {
        if
        :: !R.here || R.owner != owner || R.from > from ||
           (R.gen != gen && (R.prevg != gen || R.prevb != b)) -> goto again
        :: else
        fi;
        printf("it claims %d; of the batch: %d%d%d, of the speed layer: %d%d%d\n", MAX(next, b), HAS(vb, 0), HAS(vb, 1), HAS(vb, 2), HAS(vs, 0), HAS(vs, 1), HAS(vs, 2));
        assert(vb == (gen != 0 -> (UPTO(b) & OFBATCH(gen, b)) : 0));
        assert((SPAN(from, next) & ~BELOW(gen, b) & ~vs) == 0);
        assert((vs & ~(SPAN(from, R.next) & ~BELOW(gen, b))) == 0);
        k = MAX(next, b);
#ifdef TO_SPEED
        k = next;
#endif
#ifdef NO_DOUBLE
        assert((vb & vs) == 0);
#endif
#ifdef NO_LOSS
#ifdef ATREST
        if :: rest && landed -> assert((UPTO(k) & ~(vb | vs)) == 0) :: else fi
#elif defined(AFTER)
        if :: landed -> assert((UPTO(k) & ~(vb | vs)) == 0) :: else fi
#else
        assert((UPTO(k) & ~(vb | vs)) == 0)
#endif
#endif
    };
again:
    atomic { owner = 0; gen = 0; b = 0; next = 0; from = 0; s = 0; cuts = 0; vb = 0; vs = 0; k = 0; landed = 0; rest = 0 };
    goto end_begin
}
