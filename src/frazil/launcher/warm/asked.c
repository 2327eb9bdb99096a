/* What is asked of the system while a snapshot is made (warm/record.h). Each function stands in the place of libc's; those that
 * memfs has too are in libc/, and tell frazil_warm_saw. */
#include "libc/real.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "libc/asked.h"
#include "memfs/kernel.h"
#include "warm/condition.h"
#include "warm/record.h"
#include "warm/warm.h"

/* -- questions -------------------------------------------------------------------------------------------------------- */

/* A note of a question and its answer: kind, argument, two numbers and a text. */
static void asked_about(uint32_t kind, const char *name, uint32_t argument)
{
    char line[PATH_MAX + 128];
    frazil_answer answer;

    if (!frazil_ask(kind, name, argument, &answer))
        return;
    snprintf(line, sizeof line, "%u %u %lu %lu %s", kind, argument, answer.number[0], answer.number[1], answer.text);
    frazil_record_note("asked", name, line);
}

static void asked(uint32_t kind, uint32_t argument)
{
    int error = errno;

    if (frazil_is_making())
        asked_about(kind, "", argument);
    errno = error;
}

/* What is asked for and differs from start to start. */
static void asked_for(const char *kind, const char *name)
{
    int error = errno;

    if (frazil_is_making())
        frazil_record_note(kind, name, NULL);
    errno = error;
}

/* -- changes ---------------------------------------------------------------------------------------------------------- */

/* What a process has of its own and imports may change; a restored one has what it was started with. */
typedef struct possessions {
    frazil_answer directory;
    frazil_answer umask;
    frazil_answer limits[RLIM_NLIMITS];
    frazil_answer users[4];
} possessions;

static possessions before;

static void look_at_possessions(possessions *now)
{
    frazil_ask(CONDITION_DIRECTORY, "", 0, &now->directory);
    frazil_ask(CONDITION_UMASK, "", 0, &now->umask);
    for (uint32_t i = 0; i < RLIM_NLIMITS; i++)
        frazil_ask(CONDITION_LIMIT, "", i, &now->limits[i]);
    for (uint32_t i = 0; i < 4; i++)
        frazil_ask(CONDITION_USER, "", i, &now->users[i]);
}

static void compare(const char *what, const frazil_answer *then, const frazil_answer *now, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (then[i].number[0] != now[i].number[0] || then[i].number[1] != now[i].number[1]
            || strcmp(then[i].text, now[i].text) != 0) {
            frazil_record_note("changed", what, NULL);
            return;
        }
}

void frazil_asked_begin(void)
{
    look_at_possessions(&before);
}

void frazil_asked_end(void)
{
    static possessions after;

    look_at_possessions(&after);
    compare("the current directory", &before.directory, &after.directory, 1);
    compare("the umask", &before.umask, &after.umask, 1);
    compare("the process's limits", before.limits, after.limits, RLIM_NLIMITS);
    compare("the user", before.users, after.users, 4);
    frazil_record_note("end", "", NULL);
}

/* -- files ------------------------------------------------------------------------------------------------------------ */

static bool begins(const char *path, const char *with)
{
    return strncmp(path, with, strlen(with)) == 0;
}

/* What the kernel makes up when it is read; sizes and times are not those of content. */
static bool is_made_up(const char *path)
{
    return begins(path, "/proc/") || begins(path, "/sys/");
}

static void saw_open(const char *path, int flags)
{
    struct stat status;
    bool there;

    if (begins(path, "/dev/urandom") || begins(path, "/dev/random")) {
        frazil_record_note("random", "", NULL);
        return;
    }
    there = frazil_kernel(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0;
    if (there ? (flags & O_ACCMODE) != O_RDONLY && S_ISREG(status.st_mode) : flags & O_CREAT) {
        frazil_record_note("written", path, NULL);
        if (((flags & O_ACCMODE) == O_WRONLY || (flags & O_TRUNC)) && !(flags & O_EXCL))
            return; /* what was there before does not count */
    }
    if (!there) {
        asked_about(CONDITION_MISSING, path, 0);
        return;
    }
    if (is_made_up(path) || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        asked_about(S_ISREG(status.st_mode) ? CONDITION_CONTENT : CONDITION_TYPE, path, 0);
    else
        asked_about(CONDITION_FILE, path, 0);
    if (!(status.st_mode & S_IROTH) && (flags & O_ACCMODE) == O_RDONLY)
        asked_about(CONDITION_ACCESS, path, R_OK);
}

/* Of what is no file, time and size change without anybody's doing. */
static void saw_status(const char *path, int flags)
{
    uint32_t kept = (uint32_t)(flags & AT_SYMLINK_NOFOLLOW);
    struct stat status;

    if (frazil_kernel(SYS_newfstatat, AT_FDCWD, path, &status, kept) != 0)
        asked_about(CONDITION_MISSING, path, kept);
    else
        asked_about(S_ISREG(status.st_mode) && !is_made_up(path) ? CONDITION_FILE : CONDITION_TYPE, path, kept);
}

/* The path from the root on; NULL when there is none. */
static const char *whole_path(int directory, const char *path, char room[2 * PATH_MAX])
{
    char link[40];
    long length;

    if (*path == '/')
        return path;
    if (directory == AT_FDCWD)
        asked_about(CONDITION_DIRECTORY, "", 0);
    if (directory == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    length = frazil_kernel(SYS_readlink, link, room, PATH_MAX - 1);
    if (length <= 0 || *room != '/')
        return NULL;
    snprintf(room + length, 2 * PATH_MAX - (size_t)length, length > 1 ? "/%s" : "%s", path);
    return room;
}

void frazil_warm_saw(frazil_look look, int directory, const char *path, int detail)
{
    char room[2 * PATH_MAX];
    int error = errno;
    const char *whole = *path ? whole_path(directory, path, room) : NULL;

    if (whole)
        switch (look) {
        case FRAZIL_LOOK_OPEN:
            saw_open(whole, detail);
            break;
        case FRAZIL_LOOK_STATUS:
            saw_status(whole, detail);
            break;
        case FRAZIL_LOOK_ACCESS:
            asked_about(CONDITION_ACCESS, whole, (uint32_t)detail);
            break;
        case FRAZIL_LOOK_LINK:
            asked_about(CONDITION_LINK, whole, 0);
            break;
        case FRAZIL_LOOK_REAL_PATH:
            asked_about(CONDITION_REAL_PATH, whole, 0);
            break;
        case FRAZIL_LOOK_CHANGE:
            frazil_record_note("written", whole, NULL);
            break;
        case FRAZIL_LOOK_RUN:
            frazil_record_note("program", whole, NULL);
            break;
        }
    errno = error;
}

void frazil_warm_saw_directory(void)
{
    asked(CONDITION_DIRECTORY, 0);
}

void frazil_warm_saw_umask(void)
{
    asked(CONDITION_UMASK, 0);
}

/* -- environment ------------------------------------------------------------------------------------------------------ */

FRAZIL_EXPORT char *getenv(const char *name)
{
    char *value = FRAZIL_REAL_OF(getenv)(name);

    if (frazil_is_making())
        frazil_record_note("variable", name, value);
    return value;
}

FRAZIL_EXPORT char *secure_getenv(const char *name)
{
    char *value = FRAZIL_REAL_OF(secure_getenv)(name);

    if (frazil_is_making())
        frazil_record_note("variable", name, value);
    return value;
}

/* -- terminals -------------------------------------------------------------------------------------------------------- */

static void asked_of_stream(uint32_t kind, int fd)
{
    if (fd >= 0 && fd <= 2)
        asked(kind, (uint32_t)fd);
}

FRAZIL_EXPORT int isatty(int fd)
{
    asked_of_stream(CONDITION_TERMINAL, fd);
    return FRAZIL_REAL_OF(isatty)(fd);
}

FRAZIL_EXPORT int tcgetattr(int fd, struct termios *settings)
{
    asked_of_stream(CONDITION_TERMINAL, fd);
    return FRAZIL_REAL_OF(tcgetattr)(fd, settings);
}

FRAZIL_EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == TCGETS)
        asked_of_stream(CONDITION_TERMINAL, fd);
    if (request == TIOCGWINSZ)
        asked_of_stream(CONDITION_WINDOW, fd);
    return (int)FRAZIL_LIBC(SYS_ioctl, fd, request, argument);
}

/* -- the machine ------------------------------------------------------------------------------------------------------ */

FRAZIL_EXPORT long sysconf(int name)
{
    switch (name) {
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN:
    case _SC_PHYS_PAGES:
    case _SC_OPEN_MAX:
    case _SC_CHILD_MAX:
    case _SC_ARG_MAX:
        asked(CONDITION_SYSTEM, (uint32_t)name);
        break;
    case _SC_AVPHYS_PAGES:
        asked_for("load", "");
        break;
    default: /* never changes */
        break;
    }
    return FRAZIL_REAL_OF(sysconf)(name);
}

FRAZIL_EXPORT int get_nprocs(void)
{
    asked(CONDITION_SYSTEM, _SC_NPROCESSORS_ONLN);
    return FRAZIL_REAL_OF(get_nprocs)();
}

FRAZIL_EXPORT int get_nprocs_conf(void)
{
    asked(CONDITION_SYSTEM, _SC_NPROCESSORS_CONF);
    return FRAZIL_REAL_OF(get_nprocs_conf)();
}

FRAZIL_EXPORT int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set)
{
    asked(CONDITION_PROCESSORS, 0);
    return FRAZIL_REAL_OF(sched_getaffinity)(process, size, set);
}

FRAZIL_EXPORT int getloadavg(double loads[], int count)
{
    asked_for("load", "");
    return FRAZIL_REAL_OF(getloadavg)(loads, count);
}

FRAZIL_EXPORT int sysinfo(struct sysinfo *information)
{
    asked_for("load", "");
    return FRAZIL_REAL_OF(sysinfo)(information);
}

FRAZIL_EXPORT int gethostname(char *name, size_t size)
{
    asked(CONDITION_HOST, 1);
    return FRAZIL_REAL_OF(gethostname)(name, size);
}

/* The fields that may differ where the program runs at all. */
FRAZIL_EXPORT int uname(struct utsname *names)
{
    for (uint32_t field = 1; field <= 3; field++)
        asked(CONDITION_HOST, field);
    return FRAZIL_REAL_OF(uname)(names);
}

FRAZIL_EXPORT int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict wanted,
    struct addrinfo **restrict found)
{
    asked_for("network", "");
    return FRAZIL_REAL_OF(getaddrinfo)(name, service, wanted, found);
}

FRAZIL_EXPORT int connect(int socket, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    asked_for("network", "");
    return FRAZIL_REAL_OF(connect)(socket, address, size);
}

/* -- users and limits ------------------------------------------------------------------------------------------------- */

#define OF_USER(number, type, name)                                                                                            \
    FRAZIL_EXPORT type name(void)                                                                                              \
    {                                                                                                                          \
        asked(CONDITION_USER, number);                                                                                         \
        return (type)frazil_kernel(SYS_##name, 0);                                                                             \
    }

OF_USER(0, uid_t, getuid)
OF_USER(1, uid_t, geteuid)
OF_USER(2, gid_t, getgid)
OF_USER(3, gid_t, getegid)

/* The C library reads these files by itself. */
#define OF_FILE(file, type, name, parameters, arguments)                                                                       \
    FRAZIL_EXPORT type name parameters                                                                                         \
    {                                                                                                                          \
        frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, file, O_RDONLY);                                                                \
        return FRAZIL_REAL_OF(name) arguments;                                                                                 \
    }

#define USERS "/etc/passwd"
#define GROUPS "/etc/group"

OF_FILE(USERS, struct passwd *, getpwuid, (uid_t user), (user))
OF_FILE(USERS, struct passwd *, getpwnam, (const char *name), (name))
OF_FILE(USERS, void, setpwent, (void), ())
OF_FILE(USERS, int, getpwuid_r, (uid_t user, struct passwd *entry, char *room, size_t size, struct passwd **found),
    (user, entry, room, size, found))
OF_FILE(USERS, int, getpwnam_r, (const char *name, struct passwd *entry, char *room, size_t size, struct passwd **found),
    (name, entry, room, size, found))
OF_FILE(GROUPS, struct group *, getgrgid, (gid_t group), (group))
OF_FILE(GROUPS, struct group *, getgrnam, (const char *name), (name))
OF_FILE(GROUPS, void, setgrent, (void), ())
OF_FILE(GROUPS, int, getgrgid_r, (gid_t group, struct group *entry, char *room, size_t size, struct group **found),
    (group, entry, room, size, found))
OF_FILE(GROUPS, int, getgrnam_r, (const char *name, struct group *entry, char *room, size_t size, struct group **found),
    (name, entry, room, size, found))

FRAZIL_EXPORT pid_t getppid(void)
{
    asked_for("process", "parent");
    return (pid_t)frazil_kernel(SYS_getppid, 0);
}

FRAZIL_EXPORT int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    asked(CONDITION_LIMIT, (uint32_t)resource);
    return (int)FRAZIL_LIBC(SYS_prlimit64, 0, resource, NULL, limit);
}

FRAZIL_EXPORT int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *limit)
{
    return getrlimit(resource, (struct rlimit *)limit);
}

FRAZIL_EXPORT int prlimit(pid_t process, __rlimit_resource_t resource, const struct rlimit *new, struct rlimit *old)
{
    asked(CONDITION_LIMIT, (uint32_t)resource);
    return (int)FRAZIL_LIBC(SYS_prlimit64, process, resource, new, old);
}

FRAZIL_EXPORT int prlimit64(pid_t process, __rlimit_resource_t resource, const struct rlimit64 *new, struct rlimit64 *old)
{
    return prlimit(process, resource, (const struct rlimit *)new, (struct rlimit *)old);
}
