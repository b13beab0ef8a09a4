/* common/log/embedded_env.c - opens the LMDB environment of a directory, once a process.
 *
 *     DIR/data.mdb        pages; database "meta" and one database "TOPIC/PARTITION" each
 *     DIR/lock.mdb        LMDB's table of readers and its writer mutex
 *     DIR/wake            futex words (embedded_wake.c)
 *     DIR/TOPIC.producer  flock of the topic's generator, its pid inside (embedded.c)
 *
 * MDB_NOSYNC: a commit is in the kernel's hands when it returns, so it survives the death of any
 * process, and not a loss of power. No WRITEMAP: a stray pointer cannot damage the file, and the
 * file only grows by what is written. MDB_NOTLS: a reader may move between threads.
 * The map is address space, not memory: it is asked for large and halved until the system agrees.
 */
#include "common/log/embedded.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/directory.h"

#define FORMAT "lk embedded log 1"
enum { DATABASES_MAX = 4097, READERS_MAX = 512, FORGET_BYTES_MAX = 256 << 20 };
static const size_t MAP_BYTES_MAX = (size_t)1 << 40, MAP_BYTES_MIN = (size_t)1 << 26;

/* The environments that this process has open: LMDB must not open one twice, since closing either
 * would drop the locks of both. */
static struct embedded_env *open_envs;
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    int code, to;
    const char *next; /* what the user can do */
} CAUSES[] = {
    {MDB_MAP_FULL, ERR_FULL, "the log has taken all of its address space; begin a new directory"},
    {ENOSPC, ERR_FULL, "free some space there (df), then run it again"},
    {EDQUOT, ERR_FULL, "free some of your quota, then run it again"},
    {EFBIG, ERR_FULL, "the limit on file size is reached (ulimit -f)"},
    {EIO, ERR_FULL,
     "a write was cut short; if the disk is full (df), free some space there, then run it again"},
    {MDB_READERS_FULL, ERR_ENV, "too many processes read it; stop some"},
    {MDB_DBS_FULL, ERR_ENV, "too many partitions in one directory; use another for new topics"},
    {MDB_MAP_RESIZED, ERR_ENV, "it outgrew the address space this process may have (ulimit -v)"},
    {MDB_VERSION_MISMATCH, ERR_DATA, "it was written by another LMDB; use another directory"},
    {MDB_INVALID, ERR_DATA, "data.mdb is not an LMDB file; use another directory"},
    {MDB_CORRUPTED, ERR_DATA, "the file is damaged; remove the directory and generate it again"},
    {MDB_PAGE_NOTFOUND, ERR_DATA,
     "the file is damaged; remove the directory and generate it again"},
    {EACCES, ERR_ENV, "a reader needs write permission too, for its lock"},
    {EPERM, ERR_ENV, "a reader needs write permission too, for its lock"},
    {EROFS, ERR_ENV, "a reader needs write permission too, for its lock"},
};

int embedded_error(const struct embedded_env *env, int code, const char *doing, struct err *err)
{
    for (size_t i = 0; i < sizeof CAUSES / sizeof *CAUSES; i++)
        if (CAUSES[i].code == code)
            return err_set(err, CAUSES[i].to, "cannot %s the log embedded:%s: %s: %s", doing,
                           env->directory, mdb_strerror(code), CAUSES[i].next);
    return err_set(err, ERR_ENV, "cannot %s the log embedded:%s: %s", doing, env->directory,
                   mdb_strerror(code));
}

int embedded_begin(struct embedded_env *env, unsigned flags, MDB_txn **txn, struct err *err)
{
    int rc = mdb_txn_begin(env->mdb, NULL, flags, txn);
    if (rc == MDB_READERS_FULL) {
        mdb_reader_check(env->mdb, NULL);
        rc = mdb_txn_begin(env->mdb, NULL, flags, txn);
    }
    return rc ? embedded_error(env, rc, flags & MDB_RDONLY ? "read" : "append to", err) : 0;
}

void embedded_env_forget(const char *low, const char *high)
{
    low -= (uintptr_t)low % (uintptr_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (size_t)(high - low);
    /* A log is read once, front to back: what was copied would only count as our memory. If it
     * cannot be given back, nothing is lost but that. */
    if (bytes <= FORGET_BYTES_MAX)
        madvise((void *)low, bytes, MADV_DONTNEED);
}

/* Refuse a directory with files in it that is no log: 1 if it is one, 0 if it is empty. */
static int look_inside(const char *directory, struct err *err)
{
    DIR *dir = opendir(directory);
    if (!dir)
        return err_errno(err, ERR_ENV, "cannot open the log directory %s", directory);
    char stranger[256] = "";
    bool ours = false;
    for (struct dirent *entry; (entry = readdir(dir));) {
        ours |= strcmp(entry->d_name, "data.mdb") == 0;
        if (entry->d_name[0] != '.')
            snprintf(stranger, sizeof stranger, "%s", entry->d_name);
    }
    closedir(dir);
    /* Two processes that create the same log see each other's other files first. */
    if (!ours && *stranger && strcmp(stranger, "lock.mdb") != 0 && strcmp(stranger, "wake") != 0)
        return err_set(
            err, ERR_ENV,
            "%s holds something that is not a log (%s); give an empty or a new directory",
            directory, stranger);
    return ours;
}

static int prepare_directory(const char *directory, bool create, struct err *err)
{
    struct stat st;
    if (create && directory_make(directory) != 0)
        return err_errno(err, ERR_ENV, "cannot make the log directory %s", directory);
    if (stat(directory, &st) != 0)
        return errno == ENOENT
                   ? err_set(err, ERR_ENV, "there is no log at %s; `lk gen` makes one", directory)
                   : err_errno(err, ERR_ENV, "cannot open the log directory %s", directory);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_ENV, "%s is not a directory; a log needs one of its own",
                       directory);
    int holds = look_inside(directory, err);
    if (holds == 0 && !create)
        return err_set(err, ERR_ENV, "there is no log in %s; `lk gen` makes one", directory);
    return holds < 0 ? holds : 0;
}

/* One attempt with a map of so many bytes: an LMDB code. */
static int try_open(struct embedded_env *env, size_t map_bytes)
{
    int rc = mdb_env_create(&env->mdb);
    if (rc)
        return rc;
    mdb_env_set_mapsize(env->mdb, map_bytes);
    mdb_env_set_maxdbs(env->mdb, DATABASES_MAX);
    mdb_env_set_maxreaders(env->mdb, READERS_MAX);
    rc = mdb_env_open(env->mdb, env->directory, MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0666);
    if (rc) {
        mdb_env_close(env->mdb);
        env->mdb = NULL;
    }
    return rc;
}

static int open_mdb(struct embedded_env *env, struct err *err)
{
    int rc = ENOMEM;
    for (size_t bytes = MAP_BYTES_MAX; rc == ENOMEM && bytes >= MAP_BYTES_MIN; bytes /= 2)
        rc = try_open(env, bytes);
    if (rc == 0)
        rc = mdb_reader_check(env->mdb, NULL);
    return rc ? embedded_error(env, rc, "open", err) : 0;
}

static int not_ours(const struct embedded_env *env, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "%s/data.mdb is not a log of this lk (expected \"%s\"); use another directory",
                   env->directory, FORMAT);
}

/* Find the meta database and its format record: 1, 0 in an empty file, or a code. */
static int find_format(struct embedded_env *env, MDB_txn *txn, struct err *err)
{
    int rc = mdb_dbi_open(txn, "meta", 0, &env->meta);
    if (rc == MDB_NOTFOUND) {
        MDB_stat stat;
        MDB_dbi unnamed;
        rc = mdb_dbi_open(txn, NULL, 0, &unnamed);
        rc = rc ? rc : mdb_stat(txn, unnamed, &stat);
        if (rc == 0 && stat.ms_entries == 0)
            return 0;
        return rc ? embedded_error(env, rc, "open", err) : not_ours(env, err);
    }
    MDB_val key = {6, (void *)"format"}, value;
    if (rc == 0)
        rc = mdb_get(txn, env->meta, &key, &value);
    if (rc == 0 && value.mv_size == strlen(FORMAT) &&
        memcmp(value.mv_data, FORMAT, value.mv_size) == 0)
        return 1;
    return rc && rc != MDB_NOTFOUND && rc != MDB_INCOMPATIBLE ? embedded_error(env, rc, "open", err)
                                                              : not_ours(env, err);
}

static int write_format(struct embedded_env *env, MDB_txn *txn, struct err *err)
{
    MDB_val key = {6, (void *)"format"}, value = {strlen(FORMAT), (void *)FORMAT};
    int rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &env->meta);
    rc = rc ? rc : mdb_put(txn, env->meta, &key, &value, 0);
    return rc ? embedded_error(env, rc, "make", err) : 0;
}

/* The format is looked at in a read first, so that opening a log waits for no writer. */
static int check_format(struct embedded_env *env, bool create, struct err *err)
{
    for (int writing = 0; writing <= create; writing++) {
        MDB_txn *txn;
        int rc = embedded_begin(env, writing ? 0 : MDB_RDONLY, &txn, err);
        if (rc < 0)
            return rc;
        int found = find_format(env, txn, err);
        if (found == 0 && writing)
            found = write_format(env, txn, err) < 0 ? err->code : 1;
        if (found <= 0) {
            mdb_txn_abort(txn);
            if (found < 0)
                return found;
            continue;
        }
        rc = mdb_txn_commit(txn);
        return rc ? embedded_error(env, rc, "open", err) : 0;
    }
    return err_set(err, ERR_ENV, "the log in %s is empty; `lk gen` makes one", env->directory);
}

static void release(struct embedded_env *env)
{
    embedded_wake_close(env);
    if (env->mdb)
        mdb_env_close(env->mdb);
    for (int i = 0; i < env->topic_count; i++)
        free(env->topics[i]);
    free(env->topics);
    free(env->directory);
    pthread_mutex_destroy(&env->lock);
    free(env);
}

/* By the data file, which we hold open: a directory's inode can be another's after a deletion. */
static struct embedded_env *find_open(const char *directory)
{
    struct buf path = {0};
    struct stat st;
    buf_printf(&path, "%s/data.mdb", directory);
    int rc = stat(path.ptr, &st);
    buf_release(&path);
    if (rc != 0)
        return NULL;
    struct embedded_env *env = open_envs;
    while (env && (env->device != st.st_dev || env->inode != st.st_ino || env->pid != getpid()))
        env = env->next;
    return env;
}

static void note_identity(struct embedded_env *env)
{
    int fd;
    struct stat st;
    if (mdb_env_get_fd(env->mdb, &fd) == 0 && fstat(fd, &st) == 0) {
        env->device = st.st_dev;
        env->inode = st.st_ino;
    }
    env->pid = getpid();
}

static int open_new(const char *directory, bool create, struct embedded_env **out, struct err *err)
{
    struct embedded_env *env = mem_zero(1, sizeof *env);
    env->directory = mem_copy_string(directory);
    pthread_mutex_init(&env->lock, NULL);
    struct err first = {0}; /* check_format asks for the code, so err must not be NULL */
    int rc = open_mdb(env, &first);
    rc = rc ? rc : check_format(env, create, &first);
    rc = rc ? rc : embedded_wake_open(env, &first);
    if (rc < 0) {
        release(env);
        return err_set(err, rc, "%s", first.text);
    }
    note_identity(env);
    env->next = open_envs;
    open_envs = env;
    *out = env;
    return 0;
}

int embedded_env_open(const char *directory, bool create, struct embedded_env **out,
                      struct err *err)
{
    int rc = prepare_directory(directory, create, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&open_lock);
    struct embedded_env *env = find_open(directory);
    if (!env)
        rc = open_new(directory, create, &env, err);
    if (env)
        env->users++;
    *out = env;
    pthread_mutex_unlock(&open_lock);
    return rc;
}

void embedded_env_close(struct embedded_env *env)
{
    pthread_mutex_lock(&open_lock);
    if (--env->users == 0) {
        struct embedded_env **at = &open_envs;
        while (*at != env)
            at = &(*at)->next;
        *at = env->next;
        release(env);
    }
    pthread_mutex_unlock(&open_lock);
}
