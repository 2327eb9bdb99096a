/* Functions that change mode, owner, times and size; extended attributes and watches, which memfs has not. */
#include "libc/real.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "libc/asked.h"
#include "memfs/call.h"
#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

/* chmod */

FRAZIL_EXPORT int fchmodat(int directory, const char *path, mode_t mode, int flags)
{
    if (!frazil_is_memfs(directory, path))
        return flags == 0 ? (int)FRAZIL_LIBC(SYS_fchmodat, directory, path, mode)
                          : FRAZIL_REAL_OF(fchmodat)(directory, path, mode, flags);
    if (flags & ~AT_SYMLINK_NOFOLLOW)
        return (int)frazil_result(-EINVAL);
    return (int)frazil_result(frazil_call_chmod(directory, path, mode, flags));
}

FRAZIL_EXPORT int chmod(const char *path, mode_t mode)
{
    return fchmodat(AT_FDCWD, path, mode, 0);
}

FRAZIL_EXPORT int lchmod(const char *path, mode_t mode)
{
    return fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW);
}

FRAZIL_EXPORT int fchmod(int fd, mode_t mode)
{
    return (int)frazil_result(frazil_fd_maybe(fd) ? frazil_call_fchmod(fd, mode) : frazil_kernel(SYS_fchmod, fd, mode));
}

FRAZIL_EXPORT mode_t umask(mode_t mask)
{
    frazil_saw_umask();
    mode_t before = (mode_t)frazil_kernel(SYS_umask, mask);

    frazil_umask_set(mask);
    return before;
}

/* chown */

FRAZIL_EXPORT int fchownat(int directory, const char *path, uid_t user, gid_t group, int flags)
{
    if (frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_chown(directory, path, user, group, flags));
    return (int)FRAZIL_LIBC(SYS_fchownat, directory, path, user, group, flags);
}

FRAZIL_EXPORT int chown(const char *path, uid_t user, gid_t group)
{
    return fchownat(AT_FDCWD, path, user, group, 0);
}

FRAZIL_EXPORT int lchown(const char *path, uid_t user, gid_t group)
{
    return fchownat(AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW);
}

FRAZIL_EXPORT int fchown(int fd, uid_t user, gid_t group)
{
    if (frazil_fd_maybe(fd))
        return (int)frazil_result(frazil_call_fchown(fd, user, group));
    return (int)FRAZIL_LIBC(SYS_fchown, fd, user, group);
}

/* Times */

static int set_times_at(int directory, const char *path, const struct timespec times[2], int flags)
{
    if (path != NULL && frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_utimens(directory, path, times, flags));
    return (int)FRAZIL_LIBC(SYS_utimensat, directory, path, times, flags);
}

FRAZIL_EXPORT int utimensat(int directory, const char *path, const struct timespec times[2], int flags)
{
    if (path == NULL) /* libc allows this to the direct call only */
        return (int)frazil_result(-EINVAL);
    return set_times_at(directory, path, times, flags);
}

FRAZIL_EXPORT int futimens(int fd, const struct timespec times[2])
{
    if (frazil_fd_maybe(fd))
        return (int)frazil_result(frazil_call_futimens(fd, times));
    return fd < 0 ? (int)frazil_result(-EBADF) : (int)FRAZIL_LIBC(SYS_utimensat, fd, NULL, times, 0);
}

/* False, with EINVAL, for microseconds out of range. */
static bool from_timevals(const struct timeval times[2], struct timespec out[2])
{
    for (int i = 0; i < 2; i++) {
        if (times[i].tv_usec < 0 || times[i].tv_usec >= 1000000)
            return frazil_result(-EINVAL), false;
        out[i] = (struct timespec){.tv_sec = times[i].tv_sec, .tv_nsec = times[i].tv_usec * 1000};
    }
    return true;
}

static int set_timevals(int directory, const char *path, const struct timeval times[2], int flags)
{
    struct timespec exact[2];

    if (times != NULL && !from_timevals(times, exact))
        return -1;
    return set_times_at(directory, path, times != NULL ? exact : NULL, flags);
}

FRAZIL_EXPORT int utimes(const char *path, const struct timeval times[2])
{
    return set_timevals(AT_FDCWD, path, times, 0);
}

FRAZIL_EXPORT int lutimes(const char *path, const struct timeval times[2])
{
    return set_timevals(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

FRAZIL_EXPORT int futimesat(int directory, const char *path, const struct timeval times[2])
{
    return set_timevals(directory, path, times, 0);
}

FRAZIL_EXPORT int futimes(int fd, const struct timeval times[2])
{
    struct timespec exact[2];

    if (times != NULL && !from_timevals(times, exact))
        return -1;
    return futimens(fd, times != NULL ? exact : NULL);
}

FRAZIL_EXPORT int utime(const char *path, const struct utimbuf *times)
{
    struct timespec exact[2];

    if (times != NULL) {
        exact[0] = (struct timespec){.tv_sec = times->actime};
        exact[1] = (struct timespec){.tv_sec = times->modtime};
    }
    return set_times_at(AT_FDCWD, path, times != NULL ? exact : NULL, 0);
}

/* Size */

FRAZIL_EXPORT int truncate(const char *path, off_t size)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return (int)frazil_result(frazil_call_truncate(path, size));
    return (int)FRAZIL_LIBC(SYS_truncate, path, size);
}

FRAZIL_EXPORT int truncate64(const char *path, off64_t size)
{
    return truncate(path, size);
}
