/* note.pml - lambda: what is remembered of a rollback when Redis forgets, in one partition.
 *
 * Generation 1 serves before 2; 2 is what a rollback withdraws; a batch is building 3 upon 2. The
 * folder of files survives everything, its notes with it. Redis may be emptied; the rollback may be killed
 * between note and flip, and run again. A reload publishes the newest file that it may. (Redis may
 * also come back as it was before the flip: 2 serves then, nobody having published it, `lk lambda generations`
 * says so of it, and the rollback is run again.)
 *
 * Checked at every publish: nothing serves 2, or what was built upon it, once a flip away from 2 has
 * landed; whatever Redis has forgotten since. What a rollback that was killed before its flip leaves
 * is right either way. */
#ifndef KILLS
#define KILLS 1
#endif
#ifndef FLUSHES
#define FLUSHES 1
#endif
#ifndef RUNS
#define RUNS 2           /* of the rollback */
#endif
byte serves = 2;         /* pos.generation; 0: pos is gone, and no batch was published */
byte wrote;              /* counts the writes of pos: what a WATCH sees */
bit noted;               /* <2>.withdrawn */
bit flipped;             /* ghost: a flip has landed */
byte kills = KILLS, flushes = FLUSHES;

inline put(g) {
    assert(!(flipped && g >= 2));
    serves = g; wrote++
}

active proctype rollback() {
    byte runs = RUNS, seen;
start:
    if
    :: runs == 0 -> goto done
    :: else -> runs--
    fi;
    atomic { seen = wrote; if :: serves == 2 :: else -> goto done fi };
#ifdef BUG_NOTE_LAST
    atomic { if :: wrote == seen -> serves = 1; wrote++; flipped = 1 :: else -> goto start fi };
#else
    noted = 1;
#endif
    if
    :: atomic { kills > 0 -> kills--; goto start }
    :: true
    fi;
#ifdef BUG_NOTE_LAST
    noted = 1;
#elif defined(BUG_NO_NOTE)
    noted = 0;
#endif
#ifndef BUG_NOTE_LAST
    atomic { if :: wrote == seen -> serves = 1; wrote++; flipped = 1 :: else -> goto start fi };
#endif
done:
    skip
}

/* The files 1 and 2 are whole: the newest that is not noted. Looked at again under WATCH. */
active proctype reload() {
    byte seen, chosen;
end_wait:
    serves == 0;
    atomic { if :: noted -> chosen = 1 :: else -> chosen = 2 fi };
again:
    atomic { seen = wrote; if :: serves != 0 -> goto done :: else fi };
#ifndef BUG_BLIND_PUBLISH
    if :: noted && chosen == 2 -> goto done :: else fi;
#endif
    atomic { if :: wrote == seen -> put(chosen) :: else -> goto again fi };
done:
    skip
}

/* Chose 2 as its base before any note; its boundary is above all others. */
active proctype batch() {
    byte seen;
again:
    seen = wrote;
#ifndef BUG_BLIND_PUBLISH
    if :: noted -> goto done :: else fi;
#endif
    atomic { if :: wrote == seen -> put(3) :: else -> goto again fi };
done:
    skip
}

active proctype redis() {
end:
    do
    :: atomic { flushes > 0 -> flushes--; serves = 0; wrote++ }
    od
}
