/* delivery.pml - commits of a speed layer whose delivery is cheap: cells and position in two EXECs.
 *
 * One worker, one partition, a log of N events; the cells are how often each of them was counted. Each half
 * is fenced by WATCH, sent when the one before is answered, and all is sent again after a nil. A worker that dies
 * or loses its connection leaves what it had sent behind: it may land until the next take, or never. What is
 * finer, store.pml proves. A second worker adds nothing: whoever is taken from has died, as far as Redis goes.
 *
 * Checked after every write: exactly-once, cells are what lies below next; at-least-once, no less;
 * at-most-once, no more. EXACT asks of the end that each event counts once, which only the first holds. */
#define EXACTLY_ONCE  0
#define AT_LEAST_ONCE 1                          /* DELIVERY: cells first */
#define AT_MOST_ONCE  2                          /* position first */
#ifndef N
#define N 3
#endif
#ifndef DEATHS
#define DEATHS 2     /* of the worker, or of its connection */
#endif
#ifndef BOUNDS
#define BOUNDS 1     /* a batch publishes: pos is touched, the EXEC in flight is nil */
#endif
#define CELLS 1
#define POS   2
#define BOTH  3
#if DELIVERY == EXACTLY_ONCE
#define FIRST BOTH
#define THEN  0
#elif DELIVERY == AT_LEAST_ONCE
#define FIRST CELLS
#define THEN  POS
#else
#define FIRST POS
#define THEN  CELLS
#endif

byte next, cell[N];                              /* Redis */
byte deaths = DEATHS, bounds = BOUNDS;
typedef Sent { byte half; bit dirty; byte next; byte v[N] };
Sent S, O;                                       /* the worker's EXEC, and one that it left behind */

inline sound() {
    k = 0;
    do
    :: k < N ->
#if DELIVERY != AT_MOST_ONCE
        assert(k >= next || cell[k] >= 1);       /* nothing below next is lost */
#endif
#if DELIVERY != AT_LEAST_ONCE
        assert(cell[k] <= (k < next));           /* nothing counts twice, nothing before its time */
#endif
        k++
    :: else -> break
    od;
    k = 0
}
inline apply(x) {
    if :: x.half & CELLS -> k = 0; do :: k < N -> cell[k] = x.v[k]; k++ :: else -> break od; k = 0 :: else fi;
    if :: x.half & POS -> next = x.next :: else fi;
    sound()
}
inline forget(x) { x.half = 0; x.dirty = 0; x.next = 0; k = 0; do :: k < N -> x.v[k] = 0; k++ :: else -> break od; k = 0 }

active proctype around() {
    byte k;
end:
    do
    :: d_step { bounds > 0 -> bounds--; S.dirty = 1; O.dirty = 1; printf("a batch publishes\n") }
    :: d_step { O.half != 0 ->
        if :: !O.dirty -> apply(O); printf("what it had sent lands\n") :: else fi;
        forget(O) }
    od
}

active proctype worker() {
    byte nx, v[N], half, k;
    bit known;
take:
    atomic {
        O.dirty = 1;                             /* a take writes pos */
        nx = next; known = 0; half = FIRST; forget(S);
        k = 0; do :: k < N -> v[k] = 0; k++ :: else -> break od; k = 0;
        printf("the worker takes at %d\n", nx)
    };
end_hold:
    do
    :: d_step { S.half == 0 && half == FIRST && nx < N -> v[nx]++; nx++; printf("it folds e%d\n", nx - 1) }
    :: d_step { S.half == 0 && (half != FIRST || nx > next) ->       /* commit sent */
        if
        :: !known && (half & CELLS) -> known = 1;                     /* first touch: read and merge */
            k = 0; do :: k < N -> v[k] = v[k] + cell[k]; k++ :: else -> break od
        :: else
        fi;
        S.half = half; S.next = nx;
        k = 0; do :: k < N -> S.v[k] = v[k]; k++ :: else -> break od; k = 0 }
    :: d_step { S.half != 0 ->                                        /* commit landed, answered */
        if
        :: S.dirty -> half = FIRST; forget(S)
        :: else ->
            apply(S);
            if
            :: half == BOTH -> printf("cells and position land\n")
            :: half == CELLS -> printf("the cells land\n")
            :: half == POS -> printf("the position %d lands\n", next)
            fi;
            half = (half == FIRST && THEN != 0 -> THEN : FIRST); forget(S)
        fi }
    :: d_step { deaths > 0 -> deaths--;                               /* killed, or its connection is lost */
        printf("the worker dies\n");
        if
        :: S.half != 0 && O.half == 0 -> O.half = S.half; O.dirty = S.dirty; O.next = S.next;
            k = 0; do :: k < N -> O.v[k] = S.v[k]; k++ :: else -> break od; k = 0
        :: else
        fi;
        forget(S) }; goto take
    od
}

active proctype monitor() {
end:
    timeout ->
    assert(next == N);
#ifdef EXACT
    assert(cell[0] == 1 && cell[N-1] == 1 && cell[N/2] == 1)
#endif
}
