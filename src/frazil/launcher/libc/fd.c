/* What closes and copies descriptors, so that the table knows. */
#include "libc/real.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memfs/fd.h"
#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/pipe.h"

/* The program cannot close what is not its own: memfs's descriptors would look open to nobody. */
FRAZIL_SLOW static long close_ours(int fd)
{
    frazil_node *node = NULL;

    frazil_lock();
    bool guest = frazil_is_guest(), internal = frazil_fd_is_internal(fd);
    if (!guest && !internal)
        node = frazil_fd_take(fd);
    frazil_unlock();
    if (internal)
        return -EBADF;
    long result = frazil_kernel(SYS_close, fd);
    if (node != NULL) {
        frazil_lock();
        frazil_fd_release(node);
        frazil_unlock();
    }
    return result;
}

FRAZIL_EXPORT int close(int fd)
{
    return (int)frazil_result(frazil_fd_maybe(fd) ? close_ours(fd) : frazil_kernel(SYS_close, fd));
}

FRAZIL_EXPORT int __close(int fd)
{
    return (int)frazil_result(frazil_fd_maybe(fd) ? close_ours(fd) : frazil_kernel(SYS_close, fd));
}

/* `copy` is a new descriptor of what `fd` is one of. A child of vfork does this for the program it is about to start. */
FRAZIL_SLOW static long copied(int fd, long copy)
{
    if (copy < 0)
        return copy;
    frazil_lock();
    frazil_node *node = frazil_fd_node(fd);
    bool guest = node != NULL && frazil_is_guest();
    if (guest && S_ISREG(node->mode))
        node->file.stay = true;
    if (node != NULL && !guest)
        copy = frazil_fd_enter((int)copy, node);
    frazil_unlock();
    return copy;
}

FRAZIL_EXPORT int dup(int fd)
{
    long copy = frazil_kernel(SYS_dup, fd);

    return (int)frazil_result(frazil_fd_maybe(fd) ? copied(fd, copy) : copy);
}

FRAZIL_SLOW static long dup_over(int fd, int to, int flags)
{
    frazil_node *old = NULL;

    frazil_lock();
    bool guest = frazil_is_guest();
    if (!guest && frazil_fd_is_internal(to)) { /* the program wants this very number */
        int error = frazil_file_yield(to);
        if (error == -EBUSY)
            error = frazil_pipe_yield(to);
        if (error != 0) {
            frazil_unlock();
            return error;
        }
    }
    frazil_node *node = frazil_fd_node(fd);
    long copy = frazil_kernel(SYS_dup3, fd, to, flags);
    if (copy >= 0 && !guest)
        old = frazil_fd_take(to);
    if (copy >= 0 && node != NULL) {
        if (!guest)
            copy = frazil_fd_enter((int)copy, node);
        else if (S_ISREG(node->mode))
            node->file.stay = true;
    }
    frazil_fd_release(old);
    frazil_unlock();
    return copy;
}

static int dup_to(int fd, int to, int flags)
{
    if (frazil_fd_maybe(fd) || frazil_fd_maybe(to))
        return (int)frazil_result(dup_over(fd, to, flags));
    return (int)FRAZIL_LIBC(SYS_dup3, fd, to, flags);
}

FRAZIL_EXPORT int dup2(int fd, int to)
{
    if (fd == to) /* only asks whether it is open */
        return FRAZIL_LIBC(SYS_fcntl, fd, F_GETFD) < 0 ? -1 : fd;
    return dup_to(fd, to, 0);
}

FRAZIL_EXPORT int __dup2(int fd, int to)
{
    return dup2(fd, to);
}

FRAZIL_EXPORT int dup3(int fd, int to, int flags)
{
    return dup_to(fd, to, flags);
}

static int control(int fd, int command, void *argument)
{
    if (command == F_GETOWN) { /* the plain call cannot tell a process group from an error */
        struct f_owner_ex owner;
        long result = FRAZIL_LIBC(SYS_fcntl, fd, F_GETOWN_EX, &owner);
        return (int)(result < 0 ? result : owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid);
    }
    long result = frazil_kernel(SYS_fcntl, fd, command, argument);
    if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && frazil_fd_maybe(fd))
        result = copied(fd, result);
    return (int)frazil_result(result);
}

FRAZIL_EXPORT int fcntl(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return control(fd, command, argument);
}

FRAZIL_EXPORT int fcntl64(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return control(fd, command, argument);
}

FRAZIL_EXPORT int __fcntl(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return control(fd, command, argument);
}

static void close_one(int fd, frazil_node *node)
{
    frazil_fd_take(fd);
    frazil_kernel(SYS_close, fd);
    frazil_fd_release(node);
}

/* Close a range, but for memfs's own descriptors. */
static long close_between(unsigned first, unsigned last, unsigned flags)
{
    if (first > last || (flags & CLOSE_RANGE_CLOEXEC))
        return frazil_kernel(SYS_close_range, first, last, flags);
    frazil_lock();
    if (!frazil_is_guest() && !(flags & CLOSE_RANGE_UNSHARE) && first <= INT_MAX)
        frazil_fd_each((int)first, last < INT_MAX ? (int)last : INT_MAX, close_one);
    long result = 0;
    while (result == 0) {
        int ours = first <= INT_MAX ? frazil_fd_next_internal((int)first) : -1;
        if (ours < 0 || (unsigned)ours > last) {
            result = frazil_kernel(SYS_close_range, first, last, flags);
            break;
        }
        if ((unsigned)ours > first)
            result = frazil_kernel(SYS_close_range, first, ours - 1, flags);
        if ((unsigned)ours == last)
            break;
        first = (unsigned)ours + 1;
    }
    frazil_unlock();
    return result;
}

FRAZIL_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    return (int)frazil_result(close_between(first, last, (unsigned)flags));
}

FRAZIL_EXPORT void closefrom(int first)
{
    if (close_between(first < 0 ? 0 : (unsigned)first, UINT_MAX, 0) == -ENOSYS)
        for (long fd = first < 0 ? 0 : first, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
            close((int)fd);
}

/* A shared mapping outlives its descriptors and may be written to: the file must keep its memfd. */
FRAZIL_SLOW void frazil_fd_keep_memfd(int fd)
{
    frazil_lock();
    frazil_node *node = frazil_fd_node(fd);
    if (node != NULL && S_ISREG(node->mode))
        node->file.stay = true;
    frazil_unlock();
}

FRAZIL_EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && !(flags & MAP_PRIVATE) && frazil_fd_maybe(fd))
        frazil_fd_keep_memfd(fd);
    return (void *)FRAZIL_LIBC(SYS_mmap, address, length, protection, flags, fd, offset);
}

FRAZIL_EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return mmap(address, length, protection, flags, fd, offset);
}

/* Directories of memfs stand on a placeholder that belongs to others: not to be locked or synchronised. */
static bool is_placeholder(int fd)
{
    if (!frazil_fd_maybe(fd))
        return false;
    frazil_lock();
    frazil_node *node = frazil_fd_node(fd);
    bool placeholder = node != NULL && (S_ISDIR(node->mode) || S_ISLNK(node->mode));
    frazil_unlock();
    return placeholder;
}

FRAZIL_EXPORT int fsync(int fd)
{
    return is_placeholder(fd) ? 0 : (int)FRAZIL_LIBC(SYS_fsync, fd);
}

FRAZIL_EXPORT int fdatasync(int fd)
{
    return is_placeholder(fd) ? 0 : (int)FRAZIL_LIBC(SYS_fdatasync, fd);
}

FRAZIL_EXPORT int syncfs(int fd)
{
    return is_placeholder(fd) ? 0 : (int)FRAZIL_LIBC(SYS_syncfs, fd);
}

FRAZIL_EXPORT int flock(int fd, int operation)
{
    return is_placeholder(fd) ? 0 : (int)FRAZIL_LIBC(SYS_flock, fd, operation);
}
