/* Private directories (platform/private_directory.h).
 *
 * Each is opened without following links and judged by its descriptor; what is in it is then named relative to that. */
#define _GNU_SOURCE
#include "platform/private_directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's, not the launcher's own definition: these paths are never in memfs. */
static int open_directory(int parent, const char *path, int flags)
{
    return (int)syscall(SYS_openat, parent, path, flags | O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

static bool is_private(int directory)
{
    struct stat status;
    struct statvfs mount;

    if (fstatvfs(directory, &mount) == 0 && mount.f_flag & ST_NOEXEC)
        return false;
    return fstat(directory, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 022);
}

static int descend(int parent, const char *name, bool make, bool private)
{
    int child = -1;

    if (parent < 0)
        return -1;
    if (make)
        (void)syscall(SYS_mkdirat, parent, name, 0700);
    child = open_directory(parent, name, private ? O_NOFOLLOW : 0);
    close(parent);
    if (child >= 0 && private && !is_private(child)) {
        close(child);
        child = -1;
    }
    return child;
}

int frazil_private_directory(int parent, const char *name, bool make)
{
    return descend(parent, name, make, true);
}

int frazil_private_cache(int number, const char *name, bool make, char path[PATH_MAX], size_t room)
{
    const char *base = number == 0 ? secure_getenv("XDG_CACHE_HOME") : secure_getenv("HOME");
    const char *below = number == 0 ? "" : "/.cache";
    int directory, length;

    if (!base || *base != '/')
        return -1;
    length = snprintf(path, PATH_MAX, "%s%s/frazil/%s", base, below, name);
    if (length < 0 || (size_t)length + room >= PATH_MAX)
        return -1;
    if (number == 0 && make)
        (void)syscall(SYS_mkdirat, AT_FDCWD, base, 0700);
    directory = open_directory(AT_FDCWD, base, 0);
    if (number == 1)
        directory = descend(directory, ".cache", make, false); /* people link it to a larger disk */
    return descend(descend(directory, "frazil", make, true), name, make, true);
}
