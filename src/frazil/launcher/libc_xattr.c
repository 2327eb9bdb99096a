/* Extended attributes and watches: memfs has none and says so. Paths that lead out of memfs go on in the kernel. */
#include "libc_real.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/xattr.h>

#include "memfs_fd.h"
#include "memfs_kernel.h"
#include "memfs_walk.h"

/* -ENOTSUP for what is in memfs, its errors, or FRAZIL_REAL with the path in walk->text. */
static int refuse(frazil_walk *walk, const char *path, int flags)
{
    frazil_lock();
    int error = frazil_walk_existing(walk, AT_FDCWD, path, flags);
    frazil_unlock();
    return error != 0 ? error : -ENOTSUP;
}

/* An attribute call on a path: refused, or the kernel's. */
#define ON_PATH(path, flags, number, ...)                                                                                      \
    frazil_walk walk;                                                                                                          \
    if (!frazil_is_memfs(AT_FDCWD, path))                                                                                      \
        return FRAZIL_LIBC(number, path, __VA_ARGS__);                                                                         \
    int error = refuse(&walk, path, flags);                                                                                    \
    if (error == FRAZIL_REAL)                                                                                                  \
        return FRAZIL_LIBC(number, walk.text, __VA_ARGS__);                                                                    \
    return frazil_result(error);

static long path_call3(long number, const char *path, int flags, uintptr_t a, size_t b)
{
    ON_PATH(path, flags, number, a, b)
}

static long path_call4(long number, const char *path, int flags, const char *a, uintptr_t b, size_t c, int d)
{
    ON_PATH(path, flags, number, a, b, c, d)
}

static bool is_ours(int fd)
{
    if (!frazil_fd_maybe(fd))
        return false;
    frazil_lock();
    bool ours = frazil_fd_node(fd) != NULL;
    frazil_unlock();
    return ours;
}

#define ON_FD(fd, number, ...) (is_ours(fd) ? frazil_result(-ENOTSUP) : FRAZIL_LIBC(number, fd, __VA_ARGS__))

FRAZIL_EXPORT ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
    return path_call4(SYS_getxattr, path, FRAZIL_FOLLOW, name, (uintptr_t)value, size, 0);
}

FRAZIL_EXPORT ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
    return path_call4(SYS_lgetxattr, path, 0, name, (uintptr_t)value, size, 0);
}

FRAZIL_EXPORT ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
    return ON_FD(fd, SYS_fgetxattr, name, value, size);
}

FRAZIL_EXPORT int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    return (int)path_call4(SYS_setxattr, path, FRAZIL_FOLLOW, name, (uintptr_t)value, size, flags);
}

FRAZIL_EXPORT int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    return (int)path_call4(SYS_lsetxattr, path, 0, name, (uintptr_t)value, size, flags);
}

FRAZIL_EXPORT int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
    return (int)ON_FD(fd, SYS_fsetxattr, name, value, size, flags);
}

FRAZIL_EXPORT ssize_t listxattr(const char *path, char *list, size_t size)
{
    return path_call3(SYS_listxattr, path, FRAZIL_FOLLOW, (uintptr_t)list, size);
}

FRAZIL_EXPORT ssize_t llistxattr(const char *path, char *list, size_t size)
{
    return path_call3(SYS_llistxattr, path, 0, (uintptr_t)list, size);
}

FRAZIL_EXPORT ssize_t flistxattr(int fd, char *list, size_t size)
{
    return ON_FD(fd, SYS_flistxattr, list, size);
}

FRAZIL_EXPORT int removexattr(const char *path, const char *name)
{
    return (int)path_call3(SYS_removexattr, path, FRAZIL_FOLLOW, (uintptr_t)name, 0);
}

FRAZIL_EXPORT int lremovexattr(const char *path, const char *name)
{
    return (int)path_call3(SYS_lremovexattr, path, 0, (uintptr_t)name, 0);
}

FRAZIL_EXPORT int fremovexattr(int fd, const char *name)
{
    return (int)ON_FD(fd, SYS_fremovexattr, name);
}

FRAZIL_EXPORT int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    frazil_walk walk;

    if (!frazil_is_memfs(AT_FDCWD, path))
        return (int)FRAZIL_LIBC(SYS_inotify_add_watch, fd, path, mask);
    int error = refuse(&walk, path, mask & IN_DONT_FOLLOW ? 0 : FRAZIL_FOLLOW);
    return error == FRAZIL_REAL ? (int)FRAZIL_LIBC(SYS_inotify_add_watch, fd, walk.text, mask) : (int)frazil_result(error);
}
