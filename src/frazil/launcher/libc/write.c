/* Functions that write to descriptors: memfs's limit is checked here, since the kernel does not know it.
 *
 * As on a full disk, what still fits is written, and ENOSPC comes when nothing does. Descriptors that are not memfs's cost one
 * look at the table. */
#include "libc/real.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memfs/fd.h"
#include "memfs/file.h"
#include "memfs/kernel.h"

#define AT_PLACE (-1) /* offset: where the descriptor stands */

/* How many of `wanted` bytes may be written to the descriptor at an offset. */
FRAZIL_SLOW static uint64_t room_for(int fd, uint64_t wanted, int64_t offset)
{
    frazil_lock();
    frazil_node *node = frazil_fd_node(fd);
    uint64_t room = wanted;
    if (node != NULL && S_ISREG(node->mode)) {
        struct stat status;
        if (frazil_kernel(SYS_fcntl, fd, F_GETFL) & O_APPEND)
            offset = frazil_kernel(SYS_fstat, fd, &status) == 0 ? status.st_size : 0;
        else if (offset < 0)
            offset = frazil_kernel(SYS_lseek, fd, 0, SEEK_CUR);
        room = frazil_file_room_at(node, offset, wanted);
    }
    frazil_unlock();
    return room;
}

/* Limit a count; false: nothing fits and errno says so. */
static bool fits(int fd, size_t *count, int64_t offset)
{
    if (*count == 0 || !frazil_fd_maybe(fd) || frazil_file_has_room(*count))
        return true;
    uint64_t room = room_for(fd, *count, offset);
    if (room == 0)
        return frazil_result(-ENOSPC), false;
    *count = room;
    return true;
}

FRAZIL_EXPORT ssize_t write(int fd, const void *data, size_t count)
{
    return fits(fd, &count, AT_PLACE) ? FRAZIL_LIBC(SYS_write, fd, data, count) : -1;
}

FRAZIL_EXPORT ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
    return fits(fd, &count, offset) ? FRAZIL_LIBC(SYS_pwrite64, fd, data, count, offset) : -1;
}

FRAZIL_EXPORT ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset)
{
    return fits(fd, &count, offset) ? FRAZIL_LIBC(SYS_pwrite64, fd, data, count, offset) : -1;
}

/* A vector of which all or nothing fits: it cannot be cut without a copy. */
static bool vector_fits(int fd, const struct iovec *vector, int length, int64_t offset)
{
    size_t total = 0;

    if (!frazil_fd_maybe(fd) || length <= 0 || length > IOV_MAX)
        return true;
    for (int i = 0; i < length; i++)
        total += vector[i].iov_len;
    size_t room = total;
    if (fits(fd, &room, offset) && room == total)
        return true;
    return frazil_result(-ENOSPC), false;
}

FRAZIL_EXPORT ssize_t writev(int fd, const struct iovec *vector, int length)
{
    return vector_fits(fd, vector, length, AT_PLACE) ? FRAZIL_LIBC(SYS_writev, fd, vector, length) : -1;
}

FRAZIL_EXPORT ssize_t pwritev(int fd, const struct iovec *vector, int length, off_t offset)
{
    return vector_fits(fd, vector, length, offset) ? FRAZIL_LIBC(SYS_pwritev, fd, vector, length, offset, 0) : -1;
}

FRAZIL_EXPORT ssize_t pwritev64(int fd, const struct iovec *vector, int length, off64_t offset)
{
    return vector_fits(fd, vector, length, offset) ? FRAZIL_LIBC(SYS_pwritev, fd, vector, length, offset, 0) : -1;
}

FRAZIL_EXPORT ssize_t pwritev2(int fd, const struct iovec *vector, int length, off_t offset, int flags)
{
    return vector_fits(fd, vector, length, offset) ? FRAZIL_LIBC(SYS_pwritev2, fd, vector, length, offset, 0, flags) : -1;
}

FRAZIL_EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t count)
{
    return fits(to, &count, AT_PLACE) ? FRAZIL_LIBC(SYS_sendfile, to, from, offset, count) : -1;
}

FRAZIL_EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t count)
{
    return fits(to, &count, AT_PLACE) ? FRAZIL_LIBC(SYS_sendfile, to, from, offset, count) : -1;
}

FRAZIL_EXPORT ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t count, unsigned flags)
{
    return fits(to, &count, to_offset != NULL ? *to_offset : AT_PLACE)
        ? FRAZIL_LIBC(SYS_copy_file_range, from, from_offset, to, to_offset, count, flags)
        : -1;
}

FRAZIL_EXPORT ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t count, unsigned flags)
{
    return fits(to, &count, to_offset != NULL ? *to_offset : AT_PLACE)
        ? FRAZIL_LIBC(SYS_splice, from, from_offset, to, to_offset, count, flags)
        : -1;
}

/* Space that is set aside is all or nothing. */
static long allocate(int fd, int mode, off_t offset, off_t length)
{
    if (length > 0 && !(mode & FALLOC_FL_PUNCH_HOLE) && frazil_fd_maybe(fd)) {
        size_t room = (size_t)length;
        int before = errno;
        bool enough = fits(fd, &room, offset) && room == (size_t)length;
        errno = before;
        if (!enough)
            return -ENOSPC;
    }
    return frazil_kernel(SYS_fallocate, fd, mode, offset, length);
}

FRAZIL_EXPORT int fallocate(int fd, int mode, off_t offset, off_t length)
{
    return (int)frazil_result(allocate(fd, mode, offset, length));
}

FRAZIL_EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    return (int)frazil_result(allocate(fd, mode, offset, length));
}

/* These return the error. Where the kernel cannot, libc writes. */
FRAZIL_EXPORT int posix_fallocate(int fd, off_t offset, off_t length)
{
    return frazil_fd_maybe(fd) ? (int)-allocate(fd, 0, offset, length) : FRAZIL_REAL_OF(posix_fallocate)(fd, offset, length);
}

FRAZIL_EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    return posix_fallocate(fd, offset, length);
}
