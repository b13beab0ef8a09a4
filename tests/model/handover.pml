/* handover.pml - lambda: speed, batches and a reader over the same partitions.
 *
 * A cell's value is the set of the offsets folded into it, so a gap or an overlap shows
 * itself. The view has two keys, of the even and of the odd offsets; a span's cells are written in
 * one EXEC, a generation's in two commands, and the reader takes them one by one.
 * What store.pml proves is taken as given here: a take or a commit is one step, and a
 * commit still in flight is fenced by the take that follows it.
 *
 * Checked by the reader, for every valid read: exactly batch[0, b) + speed[b, V) if pos is
 * as before; else no less than at its first pos and no more than at its second.
 * Checked at the end of every run: all folded, the view served, no gap left. */

#ifndef P
#define P 1
#endif
#ifndef N
#define N 3
#endif
#if ROLLS && defined(ROLL_FIRST)
#define ANEW ROLLS                                   /* batches that follow a rollback to none */
#else
#define ANEW 0
#endif
#ifndef RUNS
#define RUNS 2       /* batch runs, by two batch workers that may overlap */
#endif
#ifndef BATCHES
#define BATCHES 2    /* of them: 1, and no two overlap */
#endif
#ifndef LOSSES
#define LOSSES 1     /* the speed worker forgets all: killed, or reconnected */
#endif
#ifndef CRASHES
#define CRASHES 1    /* Redis comes back with a suffix lost; every connection dies */
#endif
#ifndef FLUSHES
#define FLUSHES 0
#endif
#ifndef FIRST
#define FIRST 0      /* the topic's first offset; what lies below is in the archive only */
#endif
#ifndef BKILLS
#define BKILLS 0     /* kill -9 of a batch */
#endif
#ifndef BLOSSES
#define BLOSSES 0    /* a publish whose reply is lost; it may land at any later time */
#endif
#ifndef SWEEPS
#define SWEEPS 0     /* a batch sweeps what it takes for another's leavings */
#endif
#ifndef ROLLS
#define ROLLS 0      /* rollbacks of one partition each, by a process of its own */
#endif
#ifndef TRIES
#define TRIES 0      /* how often the reader repeats a read */
#endif
#ifndef G
#define G 5          /* generation ids in flight at once */
#endif

/* the log: e0 sets T and has id b; e1 is late; e2 is plain. With N == 4, e2 repeats id b and e3 is plain */
#define PLAIN     (N == 4 -> 3 : 2)
#define HIGH(i)   ((i) != 1)
#define SAME(i)   ((i) == 0 || (N == 4 && (i) == 2))
#define IN(i,a,z) ((a) <= (i) && (i) < (z))
#define BATCH(z)   (IN(0,0,z) | (IN(1,0,z) << 1) | (IN(PLAIN,0,z) << PLAIN))   /* late counted, e2 once */
#define SPEED(a,z) (IN(0,a,z) | (IN(PLAIN,a,z) << PLAIN))                      /* late dropped */
#define MAX(a,b)  ((a) > (b) -> (a) : (b))
#define HAS(set,x) (((set) >> (x)) & 1)

typedef Pos {
    bit here; byte owner; byte next; bit T; byte mark; byte from; byte cuts;
    byte gen; byte b; byte prevg; byte prevb;        /* published, and the one before */
    byte gens;                                       /* generations that may stand in the store */
    byte span[N];                                    /* speed cells, by the span's first offset */
    byte keys[G + 1]; byte genb[G + 1]                       /* batch cells: which keys are there, built up to */
};
Pos R[P], D[P];
bit dset;
bit sdirty[P];                                       /* the speed worker's WATCH */
byte barmed[2];                                      /* a publisher's WATCH: partition + 1 */
bit bdirty[2], bdead[2], rdead, sdead;
byte bgen[2], rgen, rowner, rprev;                   /* ids held by others than Redis */
typedef Orphan { bit on; bit dirty; bit p; byte g; byte b };
Orphan O[2];
byte lasts = 3 + ANEW + BKILLS + SWEEPS + BLOSSES, runs = RUNS, losses = LOSSES, crashes = CRASHES, flushes = FLUSHES;
byte bkills = BKILLS, blosses = BLOSSES, sweeps = SWEEPS;
#if ROLLS
byte rolls = ROLLS, uarmed;                          /* the rollback's WATCH: partition + 1 */
bit udirty;
#endif

hidden byte hv, hs;
/* what a reader would see that took everything at one instant: called after every write */
inline sound(part) {
    hv = 0; hs = R[part].b;
    if
    :: R[part].here && R[part].from <= R[part].b ->
        if
        :: R[part].gen != 0 && (R[part].keys[R[part].gen] & 1) -> hv = hv | (BATCH(R[part].genb[R[part].gen]) & 5)
        :: else
        fi;
        if
        :: R[part].gen != 0 && (R[part].keys[R[part].gen] & 2) -> hv = hv | (BATCH(R[part].genb[R[part].gen]) & 10)
        :: else
        fi;
        do
        :: hs < N ->
            if
            :: HAS(R[part].cuts, hs) -> assert((hv & R[part].span[hs]) == 0); hv = hv | R[part].span[hs]
            :: else
            fi;
            hs++
        :: else -> break
        od;
        assert(hv == (BATCH(R[part].b) | SPEED(R[part].b, MAX(R[part].b, R[part].next))))
    :: else
    fi;
    hv = 0; hs = 0
}
inline touch(q) {                                    /* pos of partition q was written */
    sdirty[q] = 1;
#if ROLLS
    if :: uarmed == q + 1 -> udirty = 1 :: else fi;
#endif
    if :: barmed[0] == q + 1 -> bdirty[0] = 1 :: else fi;
    if :: barmed[1] == q + 1 -> bdirty[1] = 1 :: else fi;
    if :: O[0].on && O[0].p == q -> O[0].dirty = 1 :: else fi;
    if :: O[1].on && O[1].p == q -> O[1].dirty = 1 :: else fi
}
inline copy(to, at) {
    to.here = at.here; to.owner = at.owner; to.next = at.next; to.T = at.T; to.mark = at.mark;
    to.from = at.from; to.cuts = at.cuts; to.gen = at.gen; to.b = at.b; to.prevg = at.prevg;
    to.prevb = at.prevb; to.gens = at.gens;
    k = 0; do :: k < N -> to.span[k] = at.span[k]; k++ :: else -> break od;
    k = 1; do :: k <= G -> to.keys[k] = at.keys[k]; to.genb[k] = at.genb[k]; k++ :: else -> break od;
    k = 0
}
inline wipe(to) {
    to.here = 0; to.owner = 0; to.next = 0; to.T = 0; to.mark = 0; to.from = 0; to.cuts = 0;
    to.gen = 0; to.b = 0; to.prevg = 0; to.prevb = 0; to.gens = 0;
    k = 0; do :: k < N -> to.span[k] = 0; k++ :: else -> break od;
    k = 1; do :: k <= G -> to.keys[k] = 0; to.genb[k] = 0; k++ :: else -> break od;
    k = 0
}

/* EXEC of a publish: WATCH stands since pos was read and found fit */
inline publish(part, id, upto) {
    x = R[part].prevg;
    if :: x != 0 -> R[part].gens = R[part].gens & ~(1 << x) :: else fi;
#ifdef DROP_AT_PUBLISH
    if :: R[part].gen != 0 -> R[part].gens = R[part].gens & ~(1 << R[part].gen) :: else fi;
#endif
    R[part].prevg = R[part].gen; R[part].prevb = R[part].b;
    R[part].gen = id; R[part].b = upto;
    touch(part); sound(part)
}
inline land(who) {
    byte x;
    if
    :: O[who].dirty -> skip
    :: else -> publish(O[who].p, O[who].g, O[who].b)
    fi;
    O[who].on = 0; O[who].dirty = 0; O[who].g = 0; O[who].b = 0; O[who].p = 0; x = 0
}

active proctype faults() {
    byte k, q;
end:
    do
    :: d_step { crashes > 0 && !dset -> dset = 1;
        q = 0; do :: q < P -> copy(D[q], R[q]); q++ :: else -> break od; q = 0 }
    :: d_step { crashes > 0 && dset -> crashes--; dset = 0;
        q = 0; do :: q < P -> copy(R[q], D[q]); wipe(D[q]); sdirty[q] = 0; q++ :: else -> break od; q = 0;
#if ROLLS
        udirty = (uarmed != 0);
#endif
        sdead = 1; rdead = (rowner != 0); bdead[0] = (bgen[0] != 0); bdead[1] = (bgen[1] != 0);
        bdirty[0] = 0; bdirty[1] = 0; barmed[0] = 0; barmed[1] = 0;
        O[0].on = 0; O[0].dirty = 0; O[0].g = 0; O[0].b = 0; O[0].p = 0;
        O[1].on = 0; O[1].dirty = 0; O[1].g = 0; O[1].b = 0; O[1].p = 0 }
    :: d_step { flushes > 0 && R[0].here -> flushes--;
        q = 0; do :: q < P -> touch(q); wipe(R[q]); q++ :: else -> break od; q = 0 }
    :: d_step { O[0].on -> land(0) }
    :: d_step { O[1].on -> land(1) }
    od
}
/* ---- speed: one worker, one EXEC over all its partitions ---- */
byte nx[P], cn[P], cs[P], mm[P], kb[P], kprev[P], kfrom[P], kbegin[P];   /* its memory */
bit tt[P], seen[P], wait4[P], news[P];
byte tok[P];

inline jump(q) {                                     /* stand on the published boundary */
    nx[q] = R[q].b; cs[q] = R[q].b; mm[q] = 0; seen[q] = 0; news[q] = 1; wait4[q] = 0;
#ifndef BUG_JUMP_T
    tt[q] = (R[q].b > 0);                            /* boundary_T */
#endif
#ifdef BUG_JUMP_MARK
    R[q].mark = R[q].b;
#endif
#ifndef BUG_JUMP_HOLE
    if :: R[q].b > cn[q] -> kbegin[q] = R[q].b :: else fi;   /* nobody folds what lies between */
#endif
    i = R[q].mark;                                   /* boundary_mark: here always 0 */
    do :: i < nx[q] -> if :: SAME(i) -> seen[q] = 1 :: else fi; i++ :: else -> break od;
    i = 0
}
inline look(q) {                                     /* what pos says besides next */
    kb[q] = R[q].b; kfrom[q] = R[q].from; sdirty[q] = 0;
#ifdef DROP_AT_PUBLISH
    kprev[q] = R[q].b;
#else
    kprev[q] = R[q].prevb;
#endif
}
inline take(q) {
    i = 1;
    do :: R[q].owner == i || D[q].owner == i || rowner == i -> i++ :: else -> break od;
    R[q].owner = i; i = 0;
    if
#ifdef BUG_TAKE_BELOW
    :: !R[q].here ->
#else
    :: !R[q].here || R[q].next < FIRST ->            /* none, or made by a batch: nobody stood there */
#endif
        R[q].here = 1; R[q].next = FIRST; R[q].from = FIRST; R[q].cuts = (1 << FIRST)
    :: else -> skip
    fi;
    touch(q); look(q);
    kbegin[q] = R[q].from;
    nx[q] = R[q].next; cn[q] = nx[q]; tt[q] = R[q].T; news[q] = 0;
    cs[q] = nx[q];
    do :: !HAS(R[q].cuts, cs[q]) -> cs[q]-- :: else -> break od;
    mm[q] = (cs[q] < N -> R[q].span[cs[q]] : 0);
    seen[q] = 0; i = R[q].mark;
    do :: i < nx[q] -> if :: SAME(i) -> seen[q] = 1 :: else fi; i++ :: else -> break od;
    i = 0;
#ifndef BUG_START_BLIND
    wait4[q] = (R[q].from > R[q].b);                 /* nothing below from to stand on */
#endif
    if :: R[q].gen != 0 && R[q].b >= R[q].next -> jump(q) :: else fi
}
inline adopt(q) {                                    /* EXEC aborted, or an idle look */
    if
    :: !sdirty[q] -> skip
    :: else ->
        look(q);
#ifdef BUG_SEND_AGAIN
        if :: nx[q] < R[q].b -> jump(q) :: else fi
#else
        if :: R[q].gen != 0 && R[q].b >= cn[q] -> jump(q) :: else fi
#endif
    fi
}
inline put(q) {                                      /* the EXEC's part for partition q */
    if :: cs[q] < N && nx[q] > cs[q] -> R[q].span[cs[q]] = mm[q] :: else fi;
    R[q].next = nx[q]; R[q].T = tt[q];
    R[q].cuts = R[q].cuts | (1 << cs[q]);
    if
    :: cut -> R[q].cuts = R[q].cuts | (1 << nx[q]); cs[q] = nx[q]; mm[q] = 0
    :: else -> skip
    fi;
    if :: kprev[q] > R[q].from -> R[q].from = kprev[q] :: else fi;
    if :: kbegin[q] > R[q].from -> R[q].from = kbegin[q] :: else fi;
    kfrom[q] = R[q].from;
    R[q].cuts = R[q].cuts & ~((1 << R[q].from) - 1);
    cn[q] = nx[q]; news[q] = 0;
    touch(q); sdirty[q] = 0; sound(q)
}
#if P == 2
#define ANY(f) (f(0) || f(1))
#define EACH(f) f(0); f(1)
#else
#define ANY(f) (f(0))
#define EACH(f) f(0)
#endif
#define MINE(q) (R[q].here && R[q].owner == tok[q])
#define FOREIGN(q) (!R[q].here || R[q].owner != tok[q])
#define DIRTY(q) sdirty[q]
#define NEWS(q) (nx[q] > cn[q] || news[q] || kprev[q] > kfrom[q])
#define CUTTABLE(q) (nx[q] > cs[q] && !wait4[q])
#define MORE(q) (nx[q] < N && !wait4[q])
#define STALE0(q) (kfrom[q] > 0 && R[q].span[0] != 0)
#if N > 2
#define STALE(q) (STALE0(q) || (kfrom[q] > 1 && R[q].span[1] != 0) || (kfrom[q] > 2 && R[q].span[2] != 0))
#else
#define STALE(q) (STALE0(q) || (kfrom[q] > 1 && R[q].span[1] != 0))
#endif
inline drop(q) { i = 0; do :: i < kfrom[q] && i < N -> R[q].span[i] = 0; i++ :: else -> break od; i = 0; sound(q) }
inline fold(q) {
    assert(nx[q] >= FIRST);                          /* the topic has nothing below */
    if :: HIGH(nx[q]) -> tt[q] = 1 :: else fi;
    if
    :: nx[q] == 1 && tt[q] -> skip                   /* late */
    :: N == 4 && nx[q] == 2 && seen[q] -> skip                 /* duplicate */
    :: else -> mm[q] = mm[q] | (1 << nx[q])
    fi;
    if :: SAME(nx[q]) -> seen[q] = 1 :: else fi;
    nx[q]++
}

active proctype speed() {
    byte i; bit cut;
start:
    atomic { sdead = 0; EACH(take); tok[0] = R[0].owner;
#if P == 2
        tok[1] = R[1].owner
#endif
    };
end_loop:
    do
    :: atomic { !sdead && (ANY(DIRTY) || ANY(NEWS) || ANY(CUTTABLE) || ANY(MORE)) ->
        /* fault points: poll, scan, fold, commit sent, commit answered */
        do :: MORE(0) -> d_step { fold(0) } :: break od;
#if P == 2
        do :: MORE(1) -> d_step { fold(1) } :: break od;
#endif
        if
        :: ANY(FOREIGN) -> goto start
        :: !ANY(FOREIGN) && ANY(DIRTY) -> d_step { EACH(adopt) }    /* aborted: read pos again */
        :: !ANY(FOREIGN) && !ANY(DIRTY) && (ANY(NEWS) || ANY(CUTTABLE)) ->
            if :: ANY(CUTTABLE) -> cut = 1 :: ANY(NEWS) && !(ANY(CUTTABLE) && !ANY(MORE)) -> cut = 0 fi;
            d_step { EACH(put); cut = 0 }
        :: !ANY(FOREIGN) && !ANY(DIRTY) && !(ANY(NEWS) || ANY(CUTTABLE)) ->
            if :: MORE(0) -> d_step { fold(0) } :: else -> d_step { if :: MORE(P-1) -> fold(P-1) :: else fi } fi
        fi }
    :: d_step { !sdead && !ANY(DIRTY) && ANY(STALE) -> EACH(drop) }  /* fenced unlink */
    :: atomic { sdead -> goto start }
    :: atomic { losses > 0 -> losses--; goto start } /* after a commit as well: reply lost */
    od
}

/* ---- batch: file -> load -> publish -> sweep ---- */
#define GFREE(x) (bgen[0] != (x) && bgen[1] != (x) && rgen != (x) && rprev != (x) && O[0].g != (x) && O[1].g != (x) \
    && !HAS(R[0].gens, x) && !HAS(D[0].gens, x) && !R[0].keys[x] && !D[0].keys[x] \
    && R[0].gen != (x) && R[0].prevg != (x) && D[0].gen != (x) && D[0].prevg != (x) \
    && !HAS(R[P-1].gens, x) && !HAS(D[P-1].gens, x) && !R[P-1].keys[x] && !D[P-1].keys[x] \
    && R[P-1].gen != (x) && R[P-1].prevg != (x) && D[P-1].gen != (x) && D[P-1].prevg != (x))
#ifdef BUG_ANY_BOUNDARY
#define FIT(q) 1
#elif defined(BUG_CUT_ONLY)
#define FIT(q) (HAS(R[q].cuts, z[q]))
#else
#define FIT(q) (HAS(R[q].cuts, z[q]) || z[q] >= R[q].next)
#endif
#ifdef BUG_NO_GROWTH
#define GROWS(q) 1
#else
#define GROWS(q) (z[q] > R[q].b)
#endif
#ifdef BUG_NO_GENS
#define STANDS(q) 1
#else
#define STANDS(q) HAS(R[q].gens, bgen[w])
#endif
#ifdef BUG_LOAD_RECONNECT
#define DEAD 0
#else
#define DEAD bdead[w]
#endif
#ifdef DROP_AT_PUBLISH
#define OLD(q) R[q].gen
#define CURRENT(q,x) (R[q].gen == (x))
#else
#define OLD(q) R[q].prevg
#define CURRENT(q,x) NAMED(q,x)
#endif
#define NAMED(q,x) (R[q].gen == (x) || R[q].prevg == (x))

#define QUIET (runs == 0 && losses == 0 && crashes == 0 && flushes == 0)
inline sweepkeys(part, id) { R[part].keys[id] = 0; R[part].genb[id] = 0; sound(part) }

proctype batch(bit w) {
    byte z[P], old[P], x; byte q; bit last;
idle:
end_idle:
    atomic {
        (R[0].b < N || R[P-1].b < N) &&
            (runs > 0 || (lasts > 0 && QUIET && (R[0].b == 0 || R[P-1].b == 0)));
        if :: runs > 0 -> runs-- :: else -> lasts--; last = 1 fi;
        d_step { x = 1; do :: !GFREE(x) -> x++ :: else -> break od; assert(x <= G); bgen[w] = x; x = 0 };
        q = 0;
        do
        :: q < P ->                              /* a boundary from the newest pos, or an old file's */
            z[q] = R[q].b + 1;
            if :: z[q] > N -> z[q] = N :: else fi;
            do :: z[q] < N -> z[q]++ :: break od;
            if                                   /* with all faults spent: a boundary that stays fit */
#ifdef RELOAD
            :: last -> z[q] = N                  /* an old file's */
#else
            :: last && !HAS(R[q].cuts, z[q]) -> z[q] = N
#endif
            :: else
            fi;
            if                                   /* a batch may come first: a take by nobody */
            :: !R[q].here -> R[q].here = 1; R[q].next = 0; R[q].from = 0; R[q].cuts = 1;
#ifndef BUG_NOBODY
                x = 1;                           /* a fresh token all the same: readers go by it */
                do :: x == tok[q] || D[q].owner == x || rowner == x -> x++ :: else -> break od;
                R[q].owner = x; x = 0
#endif
            :: else
            fi;
            R[q].gens = R[q].gens | (1 << bgen[w]); touch(q);
            q++
        :: else -> q = 0; break
        od;
        last = 0
    };
    if
    :: atomic { sweeps > 0 -> sweeps--;          /* what pos does not name, under WATCH pos */
        d_step {
            x = 1;
            do
            :: x <= G ->
                if
                :: x != bgen[w] && !NAMED(0, x) && (HAS(R[0].gens, x) || R[0].keys[x]) -> R[0].gens = R[0].gens & ~(1 << x); touch(0); sweepkeys(0, x)
                :: else
                fi;
                x++
            :: else -> break
            od;
            x = 0
        } }
    :: skip
    fi;
load:                                            /* fault point: generation load */
    do
    :: q < P && DEAD -> goto refused
    :: q < P && !DEAD -> d_step { R[q].genb[bgen[w]] = z[q]; R[q].keys[bgen[w]] = R[q].keys[bgen[w]] | 1 };
        if
        :: DEAD -> goto refused
        :: d_step { !DEAD -> R[q].genb[bgen[w]] = z[q]; R[q].keys[bgen[w]] = R[q].keys[bgen[w]] | 2; q++ }
        fi
    :: d_step { q < P && bkills > 0 -> bkills-- }; goto killed
    :: q == P -> q = 0; break
    od;
watch:                                           /* fault point: publish */
    atomic {
        if
        :: DEAD -> goto refused
        :: !DEAD && !(R[q].here && STANDS(q) && GROWS(q) && FIT(q)) -> old[q] = 0; goto next
        :: !DEAD && bkills > 0 -> bkills--; goto killed
        :: else -> bdirty[w] = 0; barmed[w] = q + 1
#ifdef BUG_LOAD_RECONNECT
            ; bdead[w] = 0
#endif
        fi
    };
    atomic {
        barmed[w] = 0;
        if
        :: bdead[w] -> bdead[w] = 0;
#ifdef BUG_LOAD_RECONNECT
            goto watch
#else
            goto refused
#endif
        :: !bdead[w] && bdirty[w] -> bdirty[w] = 0; goto watch
        :: !bdead[w] && !bdirty[w] -> d_step { old[q] = OLD(q); publish(q, bgen[w], z[q]); bdirty[w] = 0; x = 0 }
        :: blosses > 0 && !bdead[w] && !O[w].on -> blosses--;
            O[w].on = 1; O[w].dirty = bdirty[w]; O[w].p = q; O[w].g = bgen[w]; O[w].b = z[q];
            bdirty[w] = 0; old[q] = 0; goto unknown
        fi
    };
next:
    q++;
    if
    :: q < P -> goto watch
    :: else -> q = 0
    fi;
    do                                           /* the one before the previous goes */
    :: d_step { q < P ->
        if
        :: old[q] != 0 && !HAS(R[q].gens, old[q]) && !CURRENT(q, old[q]) -> sweepkeys(q, old[q])
#ifdef BUG_SWEEP_BLIND
        :: old[q] != 0 -> sweepkeys(q, old[q])
#endif
        :: else
        fi;
        old[q] = 0; q++ }
    :: q == P -> break
    od;
    goto refused;                                /* sweep where it was not published */
unknown:                                         /* the reply was lost: look */
    atomic {
        if
        :: NAMED(q, bgen[w]) -> bdead[w] = 0; goto next
        :: else -> skip                          /* not there (yet) */
        fi
    };
refused:                                         /* ids leave gens first, under WATCH pos; then cells */
    q = 0;
    do
    :: d_step { q < P ->
#ifndef BUG_NO_GENS
        if
        :: R[q].here && !NAMED(q, bgen[w]) && HAS(R[q].gens, bgen[w]) -> R[q].gens = R[q].gens & ~(1 << bgen[w]); touch(q)
        :: else
        fi;
#else
        if
        :: R[q].here && !NAMED(q, bgen[w]) && HAS(R[q].gens, bgen[w]) -> R[q].gens = R[q].gens & ~(1 << bgen[w])
        :: else
        fi;
#endif
        if
        :: NAMED(q, bgen[w]) || HAS(R[q].gens, bgen[w])
        :: else -> sweepkeys(q, bgen[w])
        fi;
        q++ }
    :: q == P -> break
    od;
    goto done;
killed:                                          /* its leavings stay */
    skip;
done:
    atomic { bgen[w] = 0; bdead[w] = 0; bdirty[w] = 0; q = 0; x = 0; z[0] = 0; old[0] = 0;
#if P == 2
        z[1] = 0; old[1] = 0
#endif
    };
    goto idle
}

/* ---- rollback: the previous generation serves again; look, then one EXEC under WATCH ---- */
#if ROLLS
#ifdef BUG_ROLL_NOTHING
#define OLDER(q) 1
#elif defined(ROLL_FIRST)
#define OLDER(q) (R[q].prevg != 0 || R[q].prevb == 0)   /* no batch at all: spans from 0 */
#else
#define OLDER(q) (R[q].prevg != 0)
#endif
#ifdef BUG_ROLL_SPANS
#define SPANNED(q) 1
#else
#define SPANNED(q) (R[q].from <= R[q].prevb)
#endif
#ifdef BUG_ROLL_AHEAD
#define FOLDED(q) 1
#else
#define FOLDED(q) (R[q].next >= R[q].b)
#endif
#define MAYROLL(q) (R[q].here && R[q].gen != 0 && OLDER(q) && SPANNED(q) && FOLDED(q))
active proctype undo() {
    byte q, g, b;
end_idle:
    do
    :: d_step { rolls > 0 && MAYROLL(0) -> q = 0; rolls--; udirty = 0; uarmed = 1; g = R[q].prevg; b = R[q].prevb }
#if P == 2
    :: d_step { rolls > 0 && MAYROLL(1) -> q = 1; rolls--; udirty = 0; uarmed = 2; g = R[q].prevg; b = R[q].prevb }
#endif
    :: d_step { uarmed > 0 ->                    /* fault points: rollback, rollback landed */
        uarmed = 0;
        if
#ifndef BUG_ROLL_BLIND
        :: udirty -> rolls++                     /* look again */
#endif
        :: else ->
            R[q].gens = R[q].gens & ~(1 << R[q].gen);
#ifdef BUG_ROLL_SWAP
            R[q].prevg = R[q].gen; R[q].prevb = R[q].b;
            R[q].gens = R[q].gens | (1 << R[q].gen);
#else
            R[q].prevg = 0; R[q].prevb = b;
#endif
            R[q].gen = g; R[q].b = b;
            touch(q); sound(q)
        fi;
        udirty = 0; q = 0; g = 0; b = 0 }
    od
}
#endif

/* ---- the reader: pos, cells, pos ---- */
#ifndef READERS
#define READERS 1
#endif
active [READERS] proctype reader() {
    byte tries = TRIES + 1, q, s, b, v, next, cuts, val;
    bit twice;
begin:
end_begin:
    atomic { q < P; d_step {
        rdead = 0; val = 0; s = 0; twice = 0;
        rgen = R[q].gen; rowner = R[q].owner; rprev = 0;
        b = R[q].b; next = R[q].next; cuts = R[q].cuts & ~((1 << b) - 1) & 15 };
        if
        :: !R[q].here -> goto failed
        :: R[q].here && R[q].from > b -> assert(FIRST > 0); goto failed   /* a gap is said, and only a true one */
        :: else -> skip
        fi };
    if
    :: rdead -> goto again
    :: d_step { !rdead -> if :: rgen != 0 && (R[q].keys[rgen] & 1) -> val = val | (BATCH(R[q].genb[rgen]) & 5) :: else fi }
    fi;
    if
    :: rdead -> goto again
    :: d_step { !rdead -> if :: rgen != 0 && (R[q].keys[rgen] & 2) -> val = val | (BATCH(R[q].genb[rgen]) & 10) :: else fi; s = b }
    fi;
    do
    :: rdead -> goto again
    :: d_step { !rdead && s < N ->
        if
        :: HAS(cuts, s) ->
            if :: (val & R[q].span[s]) -> twice = 1 :: else fi;
            val = val | R[q].span[s]; cuts = cuts & ~(1 << s)
        :: else
        fi;
        s++;
        do :: s < N && !HAS(cuts, s) -> s++ :: else -> break od }
    :: !rdead && s == N -> cuts = 0; break
    od;
    atomic {                                     /* the second pos */
        if
        :: rdead -> goto again
        :: else
        fi;
#ifndef BUG_ONE_POS
        if
#ifndef BUG_READ_OWNER
        :: R[q].owner != rowner -> goto again
#endif
        :: !R[q].here -> goto again
#ifdef STRICT
        :: R[q].gen != rgen || R[q].b != b -> goto again
#else
        :: R[q].gen != rgen && (R[q].prevg != rgen || R[q].prevb != b) -> goto again
        :: R[q].from > b -> goto again
#endif
        :: else
        fi;
#endif
        assert(!twice);
        v = MAX(next, b);
        if
        :: R[q].next == next -> assert(val == (BATCH(b) | SPEED(b, v)))
        :: else ->
            assert(((BATCH(b) | SPEED(b, v)) & ~val) == 0);
#ifndef BUG_ONE_POS
            assert((val & ~(BATCH(b) | SPEED(b, MAX(v, R[q].next)))) == 0)
#endif
        fi;
        d_step { tries = TRIES + 1; q++; rgen = 0; rowner = 0; rdead = 0; b = 0; v = 0; next = 0; cuts = 0; val = 0; s = 0 }
    };
    goto begin;
again:
    tries--;
    if :: tries > 0 -> goto begin :: else -> skip fi;
failed:                                          /* an error, said so */
    atomic { rgen = 0; rowner = 0; rdead = 0; b = 0; v = 0; next = 0; cuts = 0; val = 0; s = 0; q = P; twice = 0 }
end_failed:
    false
}

active proctype monitor() {
end:
    timeout ->
    assert(R[0].here && R[0].next >= R[0].b && R[0].from <= R[0].b);
    assert(R[0].next == N);
#if P == 2
    assert(R[1].here && R[1].next == N && R[1].from <= R[1].b);
#endif
    assert(R[0].b > 0 && R[P-1].b > 0)
}
init {
    atomic {
        run batch(0);
#if BATCHES == 2
        run batch(1)
#endif
    }
}
