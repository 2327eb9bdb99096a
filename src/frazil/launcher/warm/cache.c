/* Finding snapshots in the cache, and having them made (warm/cache.h).
 *
 * Beside NAME.snapshot may stand NAME.attempt. Who creates that, or finds one that is old, and locks it, starts the process
 * that makes the snapshot, and leaves it the lock; that process removes the file when it is done. So one process at a time
 * makes a snapshot, and one that failed, or was killed, is not followed by another at each start. Snapshots are never written
 * in place: a start sees all of one or none. */
#define _GNU_SOURCE
#include "libc/real.h"

#include "warm/cache.h"

#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memfs/kernel.h"
#include "memfs/memfs.h"
#include "native/sha256.h"
#include "platform/platform.h"
#include "platform/private_directory.h"
#include "warm/build_id.h"

#define PAGE 4096ul
#define LARGEST (1ul << 36)
#define NAME_ROOM 96 /* for the name of a file */
#define DAY 86400
#define PATIENCE (7 * DAY) /* after an attempt that failed */
#define STACK 65536ul
#define LOCK                                                                                                                   \
    3 /* the descriptor that who makes a snapshot has of the attempt; frazil_runtime.snapshot.first_run writes there           \
       */
#define NICE 10
#define CLOSE_RANGE 436 /* Linux 5.9 */

/* -- names ------------------------------------------------------------------------------------------------------------ */

typedef struct identity {
    frazil_sha256 program; /* image and launcher, and where they are in the file */
    frazil_sha256 machine; /* libraries and processor */
    bool known;
} identity;

/* The program's build ID: the header that led to it may be that of the image now (builder/elf.py). */
static bool find_own_build(const struct dl_phdr_info *info, uint8_t build[FRAZIL_BUILD_ID_SIZE])
{
    static const struct {
        ElfW(Nhdr) header;
        char name[4];
    } wanted = {{4, 20, NT_GNU_BUILD_ID}, "GNU"};
    const char *start = NULL;

    for (int i = 0; i < info->dlpi_phnum && !start; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_filesz >= PAGE)
            start = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    memset(build, 0, FRAZIL_BUILD_ID_SIZE);
    for (size_t at = 0; start && at < PAGE - sizeof wanted - 20; at += 4)
        if (memcmp(start + at, &wanted, sizeof wanted) == 0) {
            memcpy(build, start + at + sizeof wanted, 20);
            return true;
        }
    return false;
}

static int add_object(struct dl_phdr_info *info, size_t size, void *context)
{
    identity *to = context;
    bool program = !*info->dlpi_name;
    const char *name = frazil_object_name(info);
    uint8_t build[FRAZIL_BUILD_ID_SIZE];

    (void)size;
    if (!program && info->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) /* the kernel's */
        return 0;
    to->known &= frazil_build_id(info, build) || (program && find_own_build(info, build));
    if (program)
        frazil_sha256_add(&to->program, info->dlpi_phdr, info->dlpi_phnum * sizeof *info->dlpi_phdr);
    else
        frazil_sha256_add(&to->machine, name, strlen(name) + 1);
    frazil_sha256_add(program ? &to->program : &to->machine, build, sizeof build);
    return 0;
}

static char *write_digits(char *to, frazil_sha256 *sum, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[32];

    frazil_sha256_finish(sum, digest);
    for (size_t i = 0; i < count; i++)
        *to++ = digits[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    *to = '\0';
    return to;
}

/* False when something has no build ID: then nothing says that it is the same. */
static bool find_name(frazil_cache *cache)
{
    identity of = {.known = true};
    uint64_t processor = frazil_key_processor();
    uint8_t image[32];
    char *at;

    if (!frazil_key_image(image))
        return false;
    frazil_sha256_start(&of.program);
    frazil_sha256_start(&of.machine);
    frazil_sha256_add(&of.program, image, sizeof image);
    frazil_sha256_add(&of.machine, &processor, sizeof processor);
    dl_iterate_phdr(add_object, &of);
    at = write_digits(cache->name, &of.program, 32);
    *at++ = '-';
    write_digits(at, &of.machine, 16);
    return of.known;
}

bool frazil_cache_is_used(frazil_cache *cache, frazil_setting *setting)
{
    const char *wanted = setting("warm.first-run");

    cache->python = setting("python");
    return wanted && strcmp(wanted, "1") == 0 && cache->python && find_name(cache);
}

/* -- finding ---------------------------------------------------------------------------------------------------------- */

static int open_cache(bool make, char path[PATH_MAX])
{
    int directory = -1;

    for (int number = 0; number < FRAZIL_CACHES && directory < 0; number++)
        directory = frazil_private_cache(number, "warm", make, path, NAME_ROOM);
    return directory;
}

static const char *file_name(char to[NAME_ROOM], const frazil_cache *cache, const char *suffix)
{
    snprintf(to, NAME_ROOM, "%s.%s", cache->name, suffix);
    return to;
}

static bool is_own(int file, struct stat *status)
{
    return frazil_kernel(SYS_fstat, file, status) == 0 && S_ISREG(status->st_mode)
        && status->st_uid == (uid_t)frazil_kernel(SYS_geteuid, 0) && !(status->st_mode & 022);
}

static const char *map_file(frazil_cache *cache, int file, frazil_snapshot *snapshot, frazil_need *need)
{
    long flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE, made;
    struct stat status;

    *need = FRAZIL_NEED_OTHER;
    if (!is_own(file, &status) || (uint64_t)status.st_size > LARGEST)
        return "the snapshot in the cache is not ours alone";
    cache->made = status.st_mtim.tv_sec;
    if (status.st_size == 0)
        return "the snapshot in the cache is empty";
    /* Writable, as the segment is: most pages will be. */
    made = frazil_kernel(SYS_mmap, FRAZIL_SNAPSHOT_ADDRESS, status.st_size, PROT_READ | PROT_WRITE, flags, file, 0);
    if (made != (long)FRAZIL_SNAPSHOT_ADDRESS) {
        if (made > 0) /* Linux before 4.17 takes the address for a wish */
            frazil_kernel(SYS_munmap, made, status.st_size);
        *need = FRAZIL_NEED_NONE;
        return "the snapshot in the cache cannot be mapped";
    }
    snapshot->data = (const uint8_t *)made;
    snapshot->size = (uint64_t)status.st_size;
    return NULL;
}

const char *frazil_cache_find(frazil_cache *cache, const char *named, frazil_snapshot *snapshot, frazil_need *need)
{
    char path[PATH_MAX], name[NAME_ROOM];
    const char *why = "no snapshot has been made here yet";
    int directory = named ? AT_FDCWD : open_cache(false, path);
    long flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, file = -1;

    if (named || directory >= 0)
        file = frazil_kernel(SYS_openat, directory, named ? named : file_name(name, cache, "snapshot"), flags, 0);
    *need = file == -ELOOP ? FRAZIL_NEED_OTHER : FRAZIL_NEED_FIRST;
    if (file >= 0)
        why = map_file(cache, (int)file, snapshot, need);
    else if (file == -ELOOP)
        why = "the snapshot in the cache is a link";
    if (file >= 0)
        frazil_kernel(SYS_close, file);
    if (!named && directory >= 0)
        frazil_kernel(SYS_close, directory);
    return why;
}

/* -- attempts --------------------------------------------------------------------------------------------------------- */

typedef struct attempt {
    int file; /* locked; -1 when another snapshot is not to be made now */
    const char *why; /* then */
    char text[512];
} attempt;

static int64_t now(void)
{
    struct timespec time;

    frazil_kernel(SYS_clock_gettime, CLOCK_REALTIME, &time);
    return time.tv_sec;
}

/* What an attempt left behind, as a line. */
static const char *read_text(int file, char text[512])
{
    long length = frazil_kernel(SYS_pread64, file, text, 511, 0);

    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return *text ? text : "it did not come to an end";
}

/* Whether what was opened is to be tried once more; `is_new`: it has just been created. */
static bool may_try(attempt *one, int file, bool is_new, bool only_tell)
{
    struct stat status;

    if (!is_own(file, &status))
        one->why = "the note of an attempt is not ours alone";
    else if (frazil_kernel(SYS_flock, file, LOCK_EX | LOCK_NB) < 0)
        one->why = "one is being made";
    else if (frazil_kernel(SYS_fstat, file, &status) < 0 || status.st_nlink == 0)
        one->why = "one has just been made";
    else if (!is_new && (only_tell || (now() >= status.st_mtim.tv_sec && now() - status.st_mtim.tv_sec < PATIENCE)))
        one->why = read_text(file, one->text);
    else
        return true;
    return false;
}

static void begin(attempt *one, int directory, const char *name, bool only_tell)
{
    long flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, file = -ENOENT;
    bool is_new = false;

    one->why = only_tell ? "" : "the cache cannot be written";
    if (!only_tell)
        file = frazil_kernel(SYS_openat, directory, name, flags | O_CREAT | O_EXCL, 0600);
    is_new = file >= 0;
    if (file == -EEXIST || only_tell)
        file = frazil_kernel(SYS_openat, directory, name, flags, 0);
    if (file < 0)
        return;
    if (may_try(one, (int)file, is_new, only_tell)) {
        frazil_kernel(SYS_ftruncate, file, 0);
        frazil_kernel(SYS_utimensat, file, 0, 0, 0);
        one->file = (int)file;
    } else {
        frazil_kernel(SYS_close, file);
    }
}

/* -- the process that makes a snapshot ---------------------------------------------------------------------------------- */

typedef struct job {
    char **words;
    char **environment;
    int lock;
} job;

static void close_others(void)
{
    struct rlimit limit = {1024, 1024};

    if (frazil_kernel(CLOSE_RANGE, LOCK + 1, ~0u, 0) == 0)
        return;
    frazil_kernel(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
    for (rlim_t number = LOCK + 1; number < limit.rlim_cur && number < 65536; number++)
        frazil_kernel(SYS_close, number);
}

/* Calls nothing but the kernel: it is a copy of the program in the middle of its start. */
__attribute__((noreturn)) static void run_maker(const job *with)
{
    uint64_t none = 0;
    uint64_t as_default[4] = {0};
    long null;

    for (int number = 1; number <= 64; number++) /* what was started to ignore a signal would be so in all restored processes */
        frazil_kernel(SYS_rt_sigaction, number, as_default, 0, 8);
    frazil_kernel(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
    frazil_kernel(SYS_setpriority, PRIO_PROCESS, 0, NICE);
    frazil_kernel(SYS_dup3, with->lock, LOCK + 1, 0);
    frazil_kernel(SYS_dup3, LOCK + 1, LOCK, 0);
    null = frazil_kernel(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
    for (int number = 0; number <= 2 && null >= 0; number++)
        if (null != number)
            frazil_kernel(SYS_dup3, null, number, 0);
    close_others();
    if (null >= 0 && frazil_kernel(SYS_chdir, "/") == 0)
        frazil_kernel(SYS_execve, "/proc/self/exe", with->words, with->environment);
    frazil_kernel(SYS_exit_group, 127);
    __builtin_unreachable();
}

/* Between the two, so that the program never hears of the other: a child it would have to wait for. This shares the program's
 * memory while that waits; the other does not, for starting it takes longer. */
static int run_between(void *context)
{
    frazil_kernel(SYS_setsid, 0);
    if (frazil_kernel(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
        run_maker(context);
    frazil_kernel(SYS_exit_group, 0);
    return 0;
}

static void start_maker(const frazil_cache *cache, const char *directory, int lock)
{
    char interpreter[64];
    const char *code = "import frazil_runtime.snapshot.first_run as first_run; first_run.main()";
    char *words[] = {interpreter, (char *)"-Isc", (char *)code, (char *)directory, (char *)cache->name, NULL};
    long stack = frazil_kernel(SYS_mmap, 0, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    job with = {words, environ, lock};
    int child;

    if (stack < 0)
        return;
    snprintf(interpreter, sizeof interpreter, FRAZIL_MOUNT "/bin/python%s", cache->python);
    child = clone(run_between, (char *)stack + STACK, CLONE_VM | CLONE_VFORK, &with);
    if (child > 0)
        frazil_kernel(SYS_wait4, child, 0, __WALL, 0);
    frazil_kernel(SYS_munmap, stack, STACK);
}

void frazil_cache_renew(const frazil_cache *cache, frazil_need need, bool debug, bool only_tell)
{
    char path[PATH_MAX] = "", name[NAME_ROOM];
    attempt one = {.file = -1, .why = only_tell ? "" : "there is no private cache directory"};
    int directory;
    struct stat status;

    /* The first process of a container would be given the one that makes a snapshot as its child. */
    if (need == FRAZIL_NEED_NONE || (need == FRAZIL_NEED_NEWER && now() - cache->made < DAY) || getpid() == 1)
        return;
    directory = open_cache(!only_tell, path);
    if (directory >= 0)
        begin(&one, directory, file_name(name, cache, "attempt"), only_tell);
    if (one.file >= 0 && need == FRAZIL_NEED_FIRST
        && frazil_kernel(SYS_newfstatat, directory, file_name(name, cache, "snapshot"), &status, AT_SYMLINK_NOFOLLOW) == 0
        && S_ISREG(status.st_mode)) {
        frazil_kernel(SYS_unlinkat, directory, file_name(name, cache, "attempt"), 0);
        one.why = "one has just been made";
    } else if (one.file >= 0) {
        start_maker(cache, path, one.file);
        one.why = "one is being made";
    }
    if (one.file >= 0)
        frazil_kernel(SYS_close, one.file);
    if (directory >= 0)
        frazil_kernel(SYS_close, directory);
    if (debug && *one.why)
        fprintf(stderr, "frazil: warm: a snapshot in %s: %s\n", directory >= 0 ? path : "the cache", one.why);
}

void frazil_cache_discard(const frazil_cache *cache)
{
    static const char text[] = "a start from it ended by a fault\n";
    char path[PATH_MAX], name[NAME_ROOM];
    int directory = open_cache(false, path);
    long file = -1;

    if (directory >= 0 && frazil_kernel(SYS_unlinkat, directory, file_name(name, cache, "snapshot"), 0) == 0)
        file = frazil_kernel(SYS_openat, directory, file_name(name, cache, "attempt"),
            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file >= 0) {
        frazil_kernel(SYS_write, file, text, sizeof text - 1);
        frazil_kernel(SYS_close, file);
    }
    if (directory >= 0)
        frazil_kernel(SYS_close, directory);
}
