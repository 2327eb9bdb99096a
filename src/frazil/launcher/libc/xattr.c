/* Extended attributes, and watches, which memfs refuses. Paths that lead out of memfs go on in the kernel. */
#include "libc/real.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/xattr.h>

#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"
#include "memfs/xattr.h"

/* What is asked for: the arguments behind the path or the descriptor. */
typedef struct request {
    enum { GET, SET, LIST, REMOVE } what;
    const char *name;
    void *bytes; /* value or list */
    size_t size;
    int flags;
} request;

static long ask(frazil_node *node, const request *wanted)
{
    switch (wanted->what) {
    case GET:
        return frazil_xattr_get(node, wanted->name, wanted->bytes, wanted->size);
    case SET:
        return frazil_xattr_set(node, wanted->name, wanted->bytes, wanted->size, wanted->flags);
    case LIST:
        return frazil_xattr_list(node, wanted->bytes, wanted->size);
    default:
        return frazil_xattr_remove(node, wanted->name);
    }
}

/* The system call; `subject` is a path or a descriptor. */
static long ask_kernel(long number, uintptr_t subject, const request *wanted)
{
    if (wanted->what == LIST)
        return frazil_kernel(number, subject, wanted->bytes, wanted->size);
    return frazil_kernel(number, subject, wanted->name, wanted->bytes, wanted->size, wanted->flags);
}

static FRAZIL_SLOW long on_memfs_path(long number, const char *path, int flags, const request *wanted)
{
    frazil_walk walk;

    frazil_lock();
    long result = frazil_walk_existing(&walk, AT_FDCWD, path, flags);
    if (result == 0)
        result = ask(walk.node, wanted);
    frazil_unlock();
    return result == FRAZIL_REAL ? ask_kernel(number, (uintptr_t)walk.text, wanted) : result;
}

static long on_path(long number, const char *path, int flags, request wanted)
{
    bool ours = frazil_is_memfs(AT_FDCWD, path);
    return frazil_result(ours ? on_memfs_path(number, path, flags, &wanted) : ask_kernel(number, (uintptr_t)path, &wanted));
}

static long on_fd(long number, int fd, request wanted)
{
    frazil_node *node = NULL;
    long result = 0;

    if (frazil_fd_maybe(fd)) {
        frazil_lock();
        node = frazil_fd_node(fd);
        if (node != NULL)
            result = frazil_kernel(SYS_fcntl, fd, F_GETFL) & O_PATH ? -EBADF : ask(node, &wanted);
        frazil_unlock();
    }
    return frazil_result(node != NULL ? result : ask_kernel(number, (uintptr_t)fd, &wanted));
}

FRAZIL_EXPORT ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
    return on_path(SYS_getxattr, path, FRAZIL_FOLLOW, (request){GET, name, value, size, 0});
}

FRAZIL_EXPORT ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
    return on_path(SYS_lgetxattr, path, 0, (request){GET, name, value, size, 0});
}

FRAZIL_EXPORT ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
    return on_fd(SYS_fgetxattr, fd, (request){GET, name, value, size, 0});
}

FRAZIL_EXPORT int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    return (int)on_path(SYS_setxattr, path, FRAZIL_FOLLOW, (request){SET, name, (void *)value, size, flags});
}

FRAZIL_EXPORT int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    return (int)on_path(SYS_lsetxattr, path, 0, (request){SET, name, (void *)value, size, flags});
}

FRAZIL_EXPORT int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
    return (int)on_fd(SYS_fsetxattr, fd, (request){SET, name, (void *)value, size, flags});
}

FRAZIL_EXPORT ssize_t listxattr(const char *path, char *list, size_t size)
{
    return on_path(SYS_listxattr, path, FRAZIL_FOLLOW, (request){LIST, NULL, list, size, 0});
}

FRAZIL_EXPORT ssize_t llistxattr(const char *path, char *list, size_t size)
{
    return on_path(SYS_llistxattr, path, 0, (request){LIST, NULL, list, size, 0});
}

FRAZIL_EXPORT ssize_t flistxattr(int fd, char *list, size_t size)
{
    return on_fd(SYS_flistxattr, fd, (request){LIST, NULL, list, size, 0});
}

FRAZIL_EXPORT int removexattr(const char *path, const char *name)
{
    return (int)on_path(SYS_removexattr, path, FRAZIL_FOLLOW, (request){REMOVE, name, NULL, 0, 0});
}

FRAZIL_EXPORT int lremovexattr(const char *path, const char *name)
{
    return (int)on_path(SYS_lremovexattr, path, 0, (request){REMOVE, name, NULL, 0, 0});
}

FRAZIL_EXPORT int fremovexattr(int fd, const char *name)
{
    return (int)on_fd(SYS_fremovexattr, fd, (request){REMOVE, name, NULL, 0, 0});
}

static FRAZIL_SLOW long watch_in_memfs(int fd, const char *path, uint32_t mask)
{
    frazil_walk walk;

    frazil_lock();
    int error = frazil_walk_existing(&walk, AT_FDCWD, path, mask & IN_DONT_FOLLOW ? 0 : FRAZIL_FOLLOW);
    frazil_unlock();
    if (error == FRAZIL_REAL)
        return frazil_kernel(SYS_inotify_add_watch, fd, walk.text, mask);
    return error != 0 ? error : -ENOTSUP;
}

FRAZIL_EXPORT int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    if (!frazil_is_memfs(AT_FDCWD, path))
        return (int)FRAZIL_LIBC(SYS_inotify_add_watch, fd, path, mask);
    return (int)frazil_result(watch_in_memfs(fd, path, mask));
}
