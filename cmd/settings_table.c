/* cmd/settings_table.c - every setting of lk: flag, variable, default and help come from these rows. */
#include "cmd/cmd.h"

/* The verbs that may talk to Kafka. */
#define MEETS_KAFKA                                                                                \
    "doctor,topic create,topic show,topic trim,topic delete,gen ads,gen flights,gen replay,"       \
    "kappa run,kappa deploy,kappa diff,lambda archive,lambda speed,verify,compare,bench "          \
    "ysb,bench fresh,"                                                                             \
    "bench raw,dlq list,dlq show,dlq export"

const struct setting SETTINGS[] = {
    {"config", SETTING_TEXT, NULL, 0, 0, NULL, "*", "FILE  settings as lines of name = value"},
    {"json", SETTING_BOOL, "no", 0, 0, NULL, "*",
     "print JSON instead of text where the verb prints a result"},
    {"X", SETTING_PAIRS, NULL, 0, 0, "LK_KAFKA_NAME", MEETS_KAFKA,
     "NAME=VALUE  a property of Kafka's client, librdkafka, as often as wanted; "
     "LK_KAFKA_FETCH_WAIT_MAX_MS "
     "is fetch.wait.max.ms; secrets are better given so or in a file, where ps does not show them"},
    {"kafka-config", SETTING_TEXT, NULL, 0, 0, NULL, MEETS_KAFKA,
     "FILE  such properties as lines of name=value; -X and the variables win"},
    {"log-debug", SETTING_BOOL, "no", 0, 0, NULL, MEETS_KAFKA,
     "show what librdkafka says of its connections, without secrets, on stderr"},
    {"log", SETTING_TEXT, NULL, 0, 0, NULL,
     "doctor,topic create,topic show,topic trim,topic delete,gen ads,gen flights,gen replay,kappa "
     "run,kappa deploy,kappa diff,lambda archive,lambda "
     "speed,verify,dlq list,dlq show,dlq export",
     "URI  embedded:DIR, kafka:HOST:PORT[,HOST:PORT...], or to replay past retention "
     "chain:ARCHIVE-DIR+kafka:HOST:PORT"},
    {"topic", SETTING_TEXT, NULL, 0, 0, NULL,
     "topic create,topic show,topic trim,topic delete,gen ads,gen flights,gen replay,kappa "
     "run,kappa deploy,kappa diff,lambda archive,lambda batch,lambda "
     "generations,lambda rollback,lambda verify,lambda speed,verify,compare,dlq list,dlq show,dlq "
     "export",
     "NAME  the topic"},
    {"plan", SETTING_TEXT, NULL, 0, 0, NULL,
     "kappa run,kappa deploy,kappa diff,kappa canary,kappa promote,kappa rollback,kappa "
     "retire,kappa "
     "status,lambda batch,lambda generations,lambda retire,lambda rollback,lambda "
     "speed,query,verify,compare,dlq "
     "list,dlq "
     "show,dlq export",
     "FILE  the plan"},
    {"view", SETTING_TEXT, "redis://127.0.0.1:6379", 0, 0, NULL,
     "doctor,kappa run,kappa deploy,kappa diff,kappa canary,kappa promote,kappa rollback,kappa "
     "retire,kappa "
     "status,lambda batch,lambda generations,lambda retire,lambda rollback,lambda "
     "speed,query,verify,compare,dlq "
     "list,dlq "
     "show,dlq export",
     "URI  redis://[:PASSWORD@]HOST:PORT[/DB] or redis+unix:PATH; the password may come from "
     "LK_REDIS_PASSWORD"},
    {"until-end", SETTING_BOOL, "no", 0, 0, NULL, "kappa run,lambda archive,lambda speed",
     "stop where the log ended when it was started"},
    {"partitions", SETTING_TEXT, NULL, 0, 0, NULL,
     "topic create,gen ads,gen flights,gen replay,kappa run,kappa deploy,lambda speed",
     "topic create, gen: how many [4]; else which, such as 0,1 [all]"},
    {"replication", SETTING_INT, "0", 0, 100, NULL, "topic create,gen ads,gen flights,gen replay",
     "N  copies of a new topic on Kafka's brokers; 0: as they have it by default"},
    {"retention", SETTING_TEXT, NULL, 0, 0, NULL, "topic create,gen ads,gen flights,gen replay",
     "DURATION|unlimited  that a new topic of Kafka's keeps events [as the broker has it]"},
    {"group", SETTING_TEXT, NULL, 0, 0, NULL, "topic show",
     "NAME  also show the positions of this consumer group of Kafka's, and its lag"},
    {"before", SETTING_TEXT, NULL, 0, 0, NULL, "topic trim",
     "P:O  delete what lies below offset O of partition P"},
    {"keep", SETTING_DURATION, NULL, 0, 1e13, NULL, "topic trim",
     "DURATION  delete what the log took before that long ago"},
    {"archive", SETTING_TEXT, NULL, 0, 0, NULL,
     "doctor,lambda archive,lambda batch,lambda generations,lambda rollback,lambda verify,bench "
     "batch",
     "DIR  where the archive stands"},
    {"commit", SETTING_DURATION, "100ms", 1, 60000, NULL, "kappa run,kappa deploy,lambda speed",
     "DURATION  between commits"},
    {"memory", SETTING_BYTES, "128MiB", 65536, 1e12, NULL, "kappa run,kappa deploy,lambda speed",
     "BYTES  that cells and their commits may take; cells that do not fit are read again when an "
     "event needs "
     "them"},
    {"memory", SETTING_BYTES, "128MiB", 1048576, 1e12, NULL, "lambda batch",
     "BYTES  that cells and ids may take; the rest goes to sorted files"},
    {"workers", SETTING_INT, NULL, 1, 64, NULL, "kappa run,kappa deploy,lambda speed,lambda batch",
     "N  threads that share the partitions out [1; lambda batch: one a core]"},
    {"keep", SETTING_INT, "2", 1, 1000, NULL, "lambda batch",
     "N  generations that stay beside the archive"},
    {"every", SETTING_DURATION, NULL, 10, 604800000, NULL, "lambda batch",
     "DURATION  from one batch to the next, until stopped; one with nothing new is left out (after "
     "a "
     "rollback there is)"},
    {"kind", SETTING_CHOICE, "full", 0, 0, "full|incremental|by-time", "lambda batch",
     "KIND  full: from the whole archive; incremental: a base generation and what came since; "
     "by-time: "
     "a base, and the buckets of event time that were touched since computed again "
     "(docs/batch.md)"},
    {"base", SETTING_TEXT, NULL, 0, 0, NULL, "lambda batch",
     "ID  of the generation to build upon or, with --reload, to publish, or its beginning; also "
     "one "
     "that was rolled back [the newest of this plan that fits, and was not]"},
    {"bucket", SETTING_DURATION, "1h", 1, 1e13, NULL, "lambda batch",
     "DURATION  of event time that --kind by-time computes again or copies as a whole; rounded up "
     "to a "
     "multiple of the plan's pane"},
    {"buffer", SETTING_DURATION, NULL, 0, 1e13, NULL, "lambda batch",
     "DURATION  below the largest event time: buckets that end behind it are always computed again "
     "[one "
     "bucket]"},
    {"reload", SETTING_BOOL, "no", 0, 0, NULL, "lambda batch",
     "publish the newest generation again that was not rolled back (after a lost Redis), or "
     "--base; "
     "compute nothing"},
    {"follow", SETTING_BOOL, "no", 0, 0, NULL, "kappa deploy",
     "go on behind the end of the replay, until stopped"},
    {"from", SETTING_TEXT, NULL, 0, 0, NULL, "kappa run,kappa deploy",
     "TIME|end|P=O,...  where a version that is new begins: at a log time (2026-11-22T20:00:00Z, "
     "or ms "
     "since 1970), behind the last event, or at positions; it answers for the windows that it can "
     "know all of [the beginning]"},
    {"rate", SETTING_NUMBER, "0", 0, 1e9, NULL, "kappa run,kappa deploy,lambda speed",
     "N  events a second, of all threads together, up to where the log ended when it was started, "
     "to "
     "spare the live version; 0: as fast as it goes"},
    {"at", SETTING_TEXT, NULL, 0, 0, NULL, "kappa diff",
     "TIME|end|P=O,...  compare what both plans make of the log up to there, folded anew in memory "
     "(with "
     "--log and --topic), instead of the versions as they stand"},
    {"patience", SETTING_DURATION, "30s", 0, 86400000, NULL, "kappa run,kappa deploy,lambda speed",
     "DURATION  that Redis may be away, silent, full or refuse writes before the worker gives up"},
    {"group", SETTING_TEXT, NULL, 0, 0, NULL, "kappa run,lambda speed",
     "NAME  share the partitions with the view's other workers that say so: Kafka's consumer group "
     "NAME.<view>.<version>, such as NAME.ad_views.k1 (kappa) or NAME.ad_views.l1 (lambda)"},
    {"instance", SETTING_TEXT, NULL, 0, 0, NULL, "kappa run,lambda speed",
     "NAME  of this member; one that is back within a session gets its partitions at once"},
    {"session", SETTING_DURATION, "10s", 1000, 3600000, NULL, "kappa run,lambda speed",
     "DURATION  a member of a group that is unheard for so long loses its partitions"},
    {"roll", SETTING_DURATION, "1s", 10, 3600000, NULL, "lambda archive",
     "DURATION  at most that an event waits before its segment is closed"},
    {"columnar", SETTING_TEXT, NULL, 0, 0, NULL, "lambda archive",
     "PLAN  beside each segment also keep the fields of this plan as columns, for batches with "
     "--columnar (docs/columnar.md); makes what is missing of earlier segments, too"},
    {"columnar", SETTING_BOOL, "no", 0, 0, NULL, "lambda batch",
     "fold the columns that lk lambda archive --columnar made, where they are"},
    {"compact", SETTING_BOOL, "no", 0, 0, NULL, "lambda archive",
     "copy nothing: merge neighbouring small segments into full ones, readers may go on"},
    {"wait", SETTING_DURATION, "30s", 0, 86400000, NULL,
     "kappa diff,kappa canary,kappa promote,kappa rollback",
     "DURATION  for the new version to have folded what the live one has"},
    {"share", SETTING_INT, NULL, 0, 100, NULL, "kappa canary",
     "PERCENT  of the keys that the version answers for, always the same ones; 0 ends it"},
    {"accept-diff", SETTING_BOOL, "no", 0, 0, NULL, "kappa promote",
     "promote although rows of final windows differ: the change is meant to do that"},
    {"version", SETTING_INT, NULL, 1, 10000, NULL, "kappa retire", "N  of the view"},
    {"span", SETTING_DURATION, "5s", 1, 86400000, NULL, "lambda speed",
     "DURATION  at most between two cuts"},
    {"handover", SETTING_CHOICE, NULL, 0, 0, "offset|event-time|two-slot|naive",
     "lambda speed,lambda batch",
     "MODE  how batch and speed layer are joined (docs/handover.md) [as the view is; a new one: "
     "offset]"},
    {"handover", SETTING_CHOICE, "offset", 0, 0, "offset|event-time|two-slot|naive|all", "compare",
     "MODE  how lambda joins batch and speed layer (docs/handover.md); all: four lambdas side by "
     "side, one of each, and what each loses and doubles"},
    {"events", SETTING_INT, "0", 0, 1e15, NULL, "gen ads,gen flights,gen replay",
     "N  how many events; 0: all that there are (ads: 1,000,000)"},
    {"seed", SETTING_INT, "1", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "N  the same seed makes the same events, on any machine"},
    {"rate", SETTING_TEXT, "10000", 0, 0, NULL, "gen ads", "N|max  events a second"},
    {"event-rate", SETTING_NUMBER, "10000", 0.001, 1e9, NULL, "gen ads",
     "N  events a second of event time"},
    {"speed", SETTING_TEXT, "max", 0, 0, NULL, "gen flights,gen replay",
     "X|max  recorded time over wall time; 20160 makes 14 days a minute"},
    {"tables", SETTING_TEXT, NULL, 0, 0, NULL, "gen ads,gen flights",
     "DIR  also write the default plan and its look-up table there"},
    {"file", SETTING_TEXT, NULL, 0, 0, NULL, "gen flights,gen replay",
     "FILE  JSON lines or CSV, plain or zstd"},
    {"time-field", SETTING_TEXT, NULL, 0, 0, NULL, "gen replay",
     "NAME  the field of the event time; in JSON a path such as bid.at"},
    {"time-format", SETTING_TEXT, NULL, 0, 0, NULL, "gen replay",
     "FORMAT  ms, s, us, rfc3339 or a strptime pattern [guessed from the first row]"},
    {"key-field", SETTING_TEXT, NULL, 0, 0, NULL, "gen replay",
     "NAME  the record's key: events of one key go to one partition"},
    {"skew", SETTING_BOOL, "no", 0, 0, NULL, "gen ads",
     "move event times by up to 50 ms, 1 in 100,000 by up to a minute, as the benchmark does"},
    {"delay-mean", SETTING_DURATION, "0ms", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "DURATION  delay every event by an exponential time of this mean"},
    {"late-share", SETTING_NUMBER, "0", 0, 1, NULL, "gen ads,gen flights,gen replay",
     "SHARE  of events that are held back, each by up to --late-max"},
    {"late-max", SETTING_DURATION, "0ms", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "DURATION  longest delay of a late event"},
    {"duplicate-share", SETTING_NUMBER, "0", 0, 1, NULL, "gen ads,gen flights,gen replay",
     "SHARE  of events that are sent again within --duplicate-max"},
    {"duplicate-max", SETTING_DURATION, "0ms", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "DURATION  longest time to a duplicate"},
    {"malformed-share", SETTING_NUMBER, "0", 0, 1, NULL, "gen ads,gen flights,gen replay",
     "SHARE  of events whose bytes are broken"},
    {"burst-every", SETTING_DURATION, "0ms", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "DURATION  between two bursts; 0: none"},
    {"burst", SETTING_DURATION, "0ms", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "DURATION  for which events are held and then sent at once"},
    {"start-ns", SETTING_INT, "0", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "NS  wall time at which the schedule starts, in ns since 1970; 0: now"},
    {"resume", SETTING_BOOL, "no", 0, 0, NULL, "gen ads,gen flights,gen replay",
     "the topic holds the beginning of these events: check it and go on behind it"},
    {"from", SETTING_CHOICE, NULL, 0, 0, "kappa|lambda",
     "query,verify,dlq list,dlq show,dlq export", "ARCH  whose view"},
    {"version", SETTING_INT, "0", 0, 10000, NULL, "query,verify,dlq list,dlq show,dlq export",
     "N  of the view; 0: query: the live one; others: the one made of the plan"},
    {"key", SETTING_TEXT, NULL, 0, 0, NULL, "query", "KEY  this key alone: ORD, or [\"ORD\", 7]"},
    {"window", SETTING_INT, NULL, 0, 0, NULL, "query", "MS  the window that starts then alone"},
    {"format", SETTING_CHOICE, "table", 0, 0, "table|json|csv", "query", "FORMAT  of the rows"},
    {"all", SETTING_BOOL, "no", 0, 0, NULL, "verify",
     "show every differing cell, not the first 20"},
    {"offset", SETTING_TEXT, NULL, 0, 0, NULL, "dlq show",
     "P:O  partition and offset of the event"},
    {"out", SETTING_TEXT, "out/compare", 0, 0, NULL, "compare",
     "DIR  for report.html, result.json, run.json, samples.jsonl and the work files"},
    {"events", SETTING_TEXT, NULL, 0, 0, NULL, "compare", "FILE  your recorded events"},
    {"time-field", SETTING_TEXT, NULL, 0, 0, NULL, "compare", "NAME  the field of their time"},
    {"time-format", SETTING_TEXT, NULL, 0, 0, NULL, "compare",
     "FORMAT  ms, s, us, rfc3339 or a strptime pattern [guessed]"},
    {"key-field", SETTING_TEXT, NULL, 0, 0, NULL, "compare",
     "NAME  the record's key: events of one key go to one partition"},
    {"count", SETTING_INT, "0", 0, 1e12, NULL, "compare",
     "N  how many events; 0: all (ads: 300,000)"},
    {"seed", SETTING_INT, "1", 0, 0, NULL, "compare", "N  decides the events and the faults"},
    {"speed", SETTING_TEXT, NULL, 0, 0, NULL, "compare",
     "X  recorded time over wall time; not for ads [20160: 14 days in a minute]"},
    {"rate", SETTING_NUMBER, "5000", 1, 1e7, NULL, "compare", "N  ads: events a second"},
    {"partitions", SETTING_INT, "4", 1, 1024, NULL, "compare", "N  of the topic"},
    {"commit", SETTING_DURATION, "100ms", 1, 60000, NULL, "compare", "DURATION  between commits"},
    {"span", SETTING_DURATION, "2s", 1, 86400000, NULL, "compare", "DURATION  between two cuts"},
    {"batch-every", SETTING_DURATION, "10s", 100, 86400000, NULL, "compare",
     "DURATION  between the beginnings of two batches"},
    {"heal-lateness", SETTING_TEXT, NULL, 0, 0, NULL, "compare",
     "DURATION  allowed lateness of the version that heals kappa [flights: 48h, else unlimited]"},
    {"faults", SETTING_TEXT, NULL, 0, 0, NULL, "compare",
     "LIST  of built-in schedules (kills, handover-kills, redis-restart, broker-restart, pause, "
     "disk-full) and "
     "files, "
     "separated by commas; none; list prints the built-in ones (docs/faults.md) [kills; with "
     "--handover all: none]"},
    {"log", SETTING_TEXT, NULL, 0, 0, NULL, "compare",
     "URI  kafka:HOST:PORT[,HOST:PORT...]; with --attach where the topic is [an embedded log in "
     "--out]"},
    {"keep-topic", SETTING_BOOL, "no", 0, 0, NULL, "compare",
     "leave the run's topic on Kafka (it has a name of its own)"},
    {"attach", SETTING_BOOL, "no", 0, 0, NULL, "compare",
     "start nothing: watch and judge what runs elsewhere on --log, --topic and --view; --count and "
     "--rate are then those of its lk gen (--events, --event-rate)"},
    {"patience", SETTING_DURATION, "2m", 1000, 86400000, NULL, "compare",
     "DURATION  with --attach: that topic, views or any progress may be missing"},
    {"count", SETTING_INT, "200000", 1000, 1e9, NULL, "compare evolve",
     "N  events in the log before anything starts"},
    {"rate", SETTING_NUMBER, "2000", 1, 1e6, NULL, "compare evolve",
     "N  events a second meanwhile"},
    {"seconds", SETTING_INT, "5", 1, 600, NULL, "compare evolve",
     "N  that are watched before the change, behind it, and behind the way back"},
    {"readers", SETTING_INT, "4", 1, 16, NULL, "compare evolve", "N  applications that ask"},
    {"out", SETTING_TEXT, "out/evolve", 0, 0, NULL, "compare evolve",
     "DIR  for report.html, its raw files, and the work files"},
    {"log", SETTING_TEXT, NULL, 0, 0, NULL, "compare evolve",
     "URI  kafka:HOST:PORT[,HOST:PORT...]; topics of the run's own, which go with it [an embedded "
     "log "
     "in --out]"},
    {"seed", SETTING_INT, "1", 0, 0, NULL, "compare evolve", "N  decides the events"},
    {"only", SETTING_TEXT, NULL, 0, 0, NULL, "compare runbooks",
     "NAME  this runbook alone (docs/runbooks.md) [all]"},
    {"arch", SETTING_CHOICE, NULL, 0, 0, "kappa|lambda", "compare runbooks,compare evolve",
     "ARCH  of this architecture alone [both]"},
    {"only", SETTING_TEXT, NULL, 0, 0, NULL, "compare drift",
     "NAME[,NAME...]  of the differences, by default all of them"},
    {"hours", SETTING_INT, "24", 2, 336, NULL, "compare drift", "N  of the flights' stream"},
    {"batch-hours", SETTING_INT, "6", 1, 336, NULL, "compare drift", "N  between two batches"},
    {"out", SETTING_TEXT, "out/drift", 0, 0, NULL, "compare drift",
     "DIR  for report.html and its raw files"},
    {"kills", SETTING_TEXT, NULL, 0, 0, NULL, "compare runbooks",
     "all|WORDS  then each step, or those whose command holds the words, once more for each of its "
     "fault points, killed there"},
    {"page", SETTING_BOOL, "no", 0, 0, NULL, "compare runbooks",
     "print docs/runbooks.md, play nothing"},
    {"out", SETTING_TEXT, "out/runbooks", 0, 0, NULL, "compare runbooks",
     "DIR  for report.html and the work files; those of a runbook that fails stay"},
    {"seed", SETTING_INT, "1", 0, 0, NULL, "compare runbooks", "N  decides the events"},
    {"log", SETTING_TEXT, NULL, 0, 0, NULL, "bench anomalies,bench interference",
     "URI  where it makes a topic of its own, such as kafka:HOST:PORT [an embedded log]"},
    {"log", SETTING_TEXT, NULL, 0, 0, NULL, "bench ysb,bench fresh,bench raw",
     "URI  kafka:HOST:PORT,..."},
    {"topic", SETTING_TEXT, NULL, 0, 0, NULL, "bench raw", "NAME  the topic"},
    {"events", SETTING_INT, "20000000", 1000, 1e12, NULL, "bench ysb", "N  ads events"},
    {"partitions", SETTING_INT, "4", 1, 1024, NULL, "bench ysb,bench fresh", "N  of the topic"},
    {"rounds", SETTING_INT, "3", 1, 100, NULL, "bench ysb", "N  of each contender, interleaved"},
    {"workers", SETTING_INT, "1", 1, 64, NULL, "bench ysb,bench raw",
     "N  threads of kappa, handles of the plain loop"},
    {"reads", SETTING_INT, "50000", 1000, 1e9, NULL, "bench read", "N  of each, for each plan"},
    {"keys", SETTING_INT, "1000000", 1, 9999999, NULL, "bench keys", "N  that a window has"},
    {"memory", SETTING_BYTES, "128MiB", 1048576, 1e12, NULL, "bench keys",
     "BYTES  that the cells of each may take"},
    {"windows", SETTING_INT, "24", 1, 1000, NULL, "bench keys", "N  of an hour each"},
    {"out", SETTING_TEXT, "out/keys", 0, 0, NULL, "bench keys",
     "DIR  for report.html and its raw files"},
    {"handover", SETTING_CHOICE, "all", 0, 0, "offset|event-time|two-slot|naive|all|none",
     "bench anomalies", "MODE  of lambda"},
    {"versions", SETTING_BOOL, "no", 0, 0, NULL, "bench anomalies",
     "also kappa's two versions, promoted and rolled back all the time"},
    {"reads", SETTING_INT, "1000000", 1, 1e12, NULL, "bench anomalies",
     "N  of each mode, at least"},
    {"flips", SETTING_INT, "1000", 1, 1e9, NULL, "bench anomalies",
     "N  generations published (versions: flips of the live pointer) in each mode, at least"},
    {"readers", SETTING_INT, "4", 1, 64, NULL, "bench anomalies", "N  threads that read"},
    {"kill", SETTING_BOOL, "no", 0, 0, NULL, "bench anomalies",
     "archiver, speed layer and batch, or both versions' workers, die by SIGKILL at each of their "
     "fault points in turn, and are started again"},
    {"seed", SETTING_INT, "1", 0, 0, NULL, "bench anomalies",
     "N  decides the events, what is read and who dies when"},
    {"rate", SETTING_NUMBER, "10000", 100, 1e7, NULL, "bench fresh", "N  events a second"},
    {"seconds", SETTING_INT, "20", 1, 3600, NULL, "bench fresh", "N  measured, behind a warm-up"},
    {"commit", SETTING_DURATION, "2ms", 1, 60000, NULL, "bench fresh", "DURATION  between commits"},
    {"rate", SETTING_NUMBER, "2000", 100, 1e6, NULL, "bench interference",
     "N  live events a second"},
    {"events", SETTING_INT, "3000000", 10000, 1e10, NULL, "bench interference",
     "N  ads events before the first live one, that a batch or a replay goes through"},
    {"block", SETTING_DURATION, "10s", 100, 600000, NULL, "bench interference",
     "DURATION  of each block"},
    {"rounds", SETTING_INT, "5", 1, 50, NULL, "bench interference",
     "N  of a block alone and one beside something big, for each of what is big"},
    {"commit", SETTING_DURATION, "100ms", 1, 60000, NULL, "bench interference",
     "DURATION  between commits of the live worker"},
    {"replay-rate", SETTING_INT, "200000", 1, 1e9, NULL, "bench interference",
     "N  events a second of the replay that is held back"},
    {"events", SETTING_INT, "2000000", 1000, 1e12, NULL, "bench batch-kinds",
     "N  ads events before the first batch"},
    {"rounds", SETTING_INT, "5", 1, 50, NULL, "bench batch-kinds", "N  batches of each kind"},
    {"growth", SETTING_NUMBER, "0.02", 0, 1, NULL, "bench batch-kinds",
     "SHARE  of these events that come between two batches"},
    {"late-share", SETTING_NUMBER, "0.0001", 0, 1, NULL, "bench batch-kinds",
     "SHARE  of events that are held back by up to half an hour of event time"},
    {"bucket", SETTING_DURATION, "1m", 1000, 1e13, NULL, "bench batch-kinds",
     "DURATION  of event time that by-time computes again or copies as a whole"},
    {"seed", SETTING_INT, "7", 0, 0, NULL, "bench batch-kinds", "N  decides the events"},
    {NULL, SETTING_TEXT, NULL, 0, 0, NULL, NULL, NULL},
};
