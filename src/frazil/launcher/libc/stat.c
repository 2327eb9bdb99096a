/* stat and its twins, access, readlink, statfs. */
#include "libc/real.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libc/asked.h"
#include "memfs/call.h"
#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"
#include "warm/condition.h"

/* On x86-64 there is one struct stat. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "stat and stat64 are one");

static int stat_at(int directory, const char *path, struct stat *status, int flags)
{
    if (frazil_is_memfs(directory, path)) {
        if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
            return (int)frazil_result(-EINVAL);
        return (int)frazil_result(frazil_call_stat(directory, path, status, flags));
    }
    frazil_saw(FRAZIL_LOOK_STATUS, directory, path, flags);
    return (int)FRAZIL_LIBC(SYS_newfstatat, directory, path, status, flags);
}

static int stat_fd(int fd, struct stat *status)
{
    if (frazil_fd_maybe(fd))
        return (int)frazil_result(frazil_call_fstat(fd, status));
    return (int)FRAZIL_LIBC(SYS_fstat, fd, status);
}

FRAZIL_EXPORT int stat(const char *restrict path, struct stat *restrict status)
{
    return stat_at(AT_FDCWD, path, status, 0);
}

FRAZIL_EXPORT int stat64(const char *restrict path, struct stat64 *restrict status)
{
    return stat_at(AT_FDCWD, path, (struct stat *)status, 0);
}

FRAZIL_EXPORT int lstat(const char *restrict path, struct stat *restrict status)
{
    return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

FRAZIL_EXPORT int lstat64(const char *restrict path, struct stat64 *restrict status)
{
    return stat_at(AT_FDCWD, path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}

FRAZIL_EXPORT int fstat(int fd, struct stat *status)
{
    return stat_fd(fd, status);
}

FRAZIL_EXPORT int fstat64(int fd, struct stat64 *status)
{
    return stat_fd(fd, (struct stat *)status);
}

FRAZIL_EXPORT int fstatat(int directory, const char *restrict path, struct stat *restrict status, int flags)
{
    return stat_at(directory, path, status, flags);
}

FRAZIL_EXPORT int fstatat64(int directory, const char *restrict path, struct stat64 *restrict status, int flags)
{
    return stat_at(directory, path, (struct stat *)status, flags);
}

/* What programs built for glibc before 2.33 call. Version 0 is the kernel's structure and 1 libc's: the same here. */
#define OLD_VERSION(version)                                                                                                   \
    if ((version) != 0 && (version) != 1)                                                                                      \
        return (int)frazil_result(-EINVAL);

FRAZIL_EXPORT int __xstat(int version, const char *path, struct stat *status)
{
    OLD_VERSION(version)
    return stat_at(AT_FDCWD, path, status, 0);
}

FRAZIL_EXPORT int __xstat64(int version, const char *path, struct stat64 *status)
{
    OLD_VERSION(version)
    return stat_at(AT_FDCWD, path, (struct stat *)status, 0);
}

FRAZIL_EXPORT int __lxstat(int version, const char *path, struct stat *status)
{
    OLD_VERSION(version)
    return stat_at(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

FRAZIL_EXPORT int __lxstat64(int version, const char *path, struct stat64 *status)
{
    OLD_VERSION(version)
    return stat_at(AT_FDCWD, path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}

FRAZIL_EXPORT int __fxstat(int version, int fd, struct stat *status)
{
    OLD_VERSION(version)
    return stat_fd(fd, status);
}

FRAZIL_EXPORT int __fxstat64(int version, int fd, struct stat64 *status)
{
    OLD_VERSION(version)
    return stat_fd(fd, (struct stat *)status);
}

FRAZIL_EXPORT int __fxstatat(int version, int directory, const char *path, struct stat *status, int flags)
{
    OLD_VERSION(version)
    return stat_at(directory, path, status, flags);
}

FRAZIL_EXPORT int __fxstatat64(int version, int directory, const char *path, struct stat64 *status, int flags)
{
    OLD_VERSION(version)
    return stat_at(directory, path, (struct stat *)status, flags);
}

static struct statx_timestamp timestamp(struct timespec time)
{
    return (struct statx_timestamp){.tv_sec = time.tv_sec, .tv_nsec = (uint32_t)time.tv_nsec};
}

/* statx of a node; -1 in *result when the kernel is to be asked. */
FRAZIL_SLOW static bool statx_memfs(int directory, const char *path, int flags, struct statx *answer, int *result)
{
    struct stat status;
    int error;

    if (path[0] == 0 && (flags & AT_EMPTY_PATH) && directory != AT_FDCWD)
        error = frazil_call_fstat(directory, &status);
    else
        error = frazil_call_stat(directory, path, &status, flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
    *result = (int)frazil_result(error);
    if (error != 0)
        return true;
    *answer = (struct statx){
        .stx_mask = STATX_BASIC_STATS,
        .stx_blksize = (uint32_t)status.st_blksize,
        .stx_nlink = (uint32_t)status.st_nlink,
        .stx_uid = status.st_uid,
        .stx_gid = status.st_gid,
        .stx_mode = (uint16_t)status.st_mode,
        .stx_ino = status.st_ino,
        .stx_size = (uint64_t)status.st_size,
        .stx_blocks = (uint64_t)status.st_blocks,
        .stx_atime = timestamp(status.st_atim),
        .stx_ctime = timestamp(status.st_ctim),
        .stx_mtime = timestamp(status.st_mtim),
        .stx_dev_major = major(status.st_dev),
        .stx_dev_minor = minor(status.st_dev),
    };
    return true;
}

FRAZIL_EXPORT int statx(int directory, const char *restrict path, int flags, unsigned mask, struct statx *restrict answer)
{
    int result;

    if (frazil_is_memfs(directory, path) && statx_memfs(directory, path, flags, answer, &result))
        return result;
    frazil_saw(FRAZIL_LOOK_STATUS, directory, path, flags);
    return (int)FRAZIL_LIBC(SYS_statx, directory, path, flags, mask, answer);
}

/* access */

static int access_at(int directory, const char *path, int mode, int flags)
{
    if (frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_access(directory, path, mode, flags));
    frazil_saw(FRAZIL_LOOK_ACCESS, directory, path, flags & AT_EACCESS ? mode | (int)FRAZIL_EFFECTIVE : mode);
    if (flags == 0)
        return (int)FRAZIL_LIBC(SYS_faccessat, directory, path, mode);
    return FRAZIL_REAL_OF(faccessat)(directory, path, mode, flags);
}

FRAZIL_EXPORT int access(const char *path, int mode)
{
    return access_at(AT_FDCWD, path, mode, 0);
}

FRAZIL_EXPORT int faccessat(int directory, const char *path, int mode, int flags)
{
    return access_at(directory, path, mode, flags);
}

FRAZIL_EXPORT int euidaccess(const char *path, int mode)
{
    return access_at(AT_FDCWD, path, mode, AT_EACCESS);
}

FRAZIL_EXPORT int eaccess(const char *path, int mode)
{
    return access_at(AT_FDCWD, path, mode, AT_EACCESS);
}

/* readlink */

static ssize_t readlink_at(int directory, const char *path, char *target, size_t size)
{
    if (frazil_is_memfs(directory, path))
        return frazil_result(frazil_call_readlink(directory, path, target, size));
    frazil_saw(FRAZIL_LOOK_LINK, directory, path, 0);
    return FRAZIL_LIBC(SYS_readlinkat, directory, path, target, size);
}

FRAZIL_EXPORT ssize_t readlink(const char *restrict path, char *restrict target, size_t size)
{
    return readlink_at(AT_FDCWD, path, target, size);
}

FRAZIL_EXPORT ssize_t readlinkat(int directory, const char *restrict path, char *restrict target, size_t size)
{
    return readlink_at(directory, path, target, size);
}

FRAZIL_EXPORT ssize_t __readlink_chk(const char *path, char *target, size_t size, size_t room)
{
    if (size > room)
        abort();
    return readlink_at(AT_FDCWD, path, target, size);
}

FRAZIL_EXPORT ssize_t __readlinkat_chk(int directory, const char *path, char *target, size_t size, size_t room)
{
    if (size > room)
        abort();
    return readlink_at(directory, path, target, size);
}

/* statfs */

static void fill_statfs(struct statfs *status)
{
    uint64_t limit = frazil_file_limit(), used;

    frazil_lock();
    used = frazil_file_used();
    frazil_unlock();
    *status = (struct statfs){
        .f_type = 0x01021994, /* tmpfs */
        .f_bsize = 4096,
        .f_frsize = 4096,
        .f_blocks = limit / 4096,
        .f_bfree = used < limit ? (limit - used) / 4096 : 0,
        .f_bavail = used < limit ? (limit - used) / 4096 : 0,
        .f_files = limit / 1024,
        .f_ffree = limit / 1024,
        .f_namelen = NAME_MAX,
        .f_flags = 0x20 | ST_NOSUID | ST_NODEV, /* 0x20: the flags are valid */
    };
    status->f_fsid.__val[0] = (int)FRAZIL_DEVICE;
}

/* Whether the path is memfs's and was answered. */
FRAZIL_SLOW static int statfs_path(const char *path, struct statfs *status)
{
    frazil_walk walk;

    frazil_lock();
    int result = frazil_walk_existing(&walk, AT_FDCWD, path, FRAZIL_FOLLOW);
    frazil_unlock();
    if (result == FRAZIL_REAL)
        return (int)frazil_kernel(SYS_statfs, walk.text, status);
    if (result == 0)
        fill_statfs(status);
    return result;
}

FRAZIL_SLOW static int statfs_fd(int fd, struct statfs *status)
{
    frazil_lock();
    frazil_node *node = frazil_fd_node(fd);
    frazil_unlock();
    if (node == NULL)
        return (int)frazil_kernel(SYS_fstatfs, fd, status);
    fill_statfs(status);
    return 0;
}

FRAZIL_EXPORT int statfs(const char *path, struct statfs *status)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return (int)frazil_result(statfs_path(path, status));
    return (int)FRAZIL_LIBC(SYS_statfs, path, status);
}

FRAZIL_EXPORT int statfs64(const char *path, struct statfs64 *status)
{
    return statfs(path, (struct statfs *)status);
}

FRAZIL_EXPORT int fstatfs(int fd, struct statfs *status)
{
    if (frazil_fd_maybe(fd))
        return (int)frazil_result(statfs_fd(fd, status));
    return (int)FRAZIL_LIBC(SYS_fstatfs, fd, status);
}

FRAZIL_EXPORT int fstatfs64(int fd, struct statfs64 *status)
{
    return fstatfs(fd, (struct statfs *)status);
}

static void fill_statvfs(const struct statfs *from, struct statvfs *status)
{
    *status = (struct statvfs){
        .f_bsize = (unsigned long)from->f_bsize,
        .f_frsize = (unsigned long)from->f_frsize,
        .f_blocks = from->f_blocks,
        .f_bfree = from->f_bfree,
        .f_bavail = from->f_bavail,
        .f_files = from->f_files,
        .f_ffree = from->f_ffree,
        .f_favail = from->f_ffree,
        .f_fsid = (unsigned)from->f_fsid.__val[0] | (unsigned long)(unsigned)from->f_fsid.__val[1] << 32,
        .f_flag = (unsigned long)from->f_flags & ~0x20ul,
        .f_namemax = (unsigned long)from->f_namelen,
    };
}

FRAZIL_EXPORT int statvfs(const char *restrict path, struct statvfs *restrict status)
{
    struct statfs from;

    if (!frazil_is_memfs(AT_FDCWD, path))
        return FRAZIL_REAL_OF(statvfs)(path, status);
    if (statfs(path, &from) != 0)
        return -1;
    fill_statvfs(&from, status);
    return 0;
}

FRAZIL_EXPORT int statvfs64(const char *restrict path, struct statvfs64 *restrict status)
{
    return statvfs(path, (struct statvfs *)status);
}

FRAZIL_EXPORT int fstatvfs(int fd, struct statvfs *status)
{
    struct statfs from;

    if (!frazil_fd_maybe(fd))
        return FRAZIL_REAL_OF(fstatvfs)(fd, status);
    if (fstatfs(fd, &from) != 0)
        return -1;
    fill_statvfs(&from, status);
    return 0;
}

FRAZIL_EXPORT int fstatvfs64(int fd, struct statvfs64 *status)
{
    return fstatvfs(fd, (struct statvfs *)status);
}

/* pathconf: the answers of the root directory, for what exists. */

FRAZIL_SLOW static long limits_of(const char *path, int name)
{
    struct stat status;

    return stat(path, &status) == 0 ? FRAZIL_REAL_OF(pathconf)("/", name) : -1;
}

FRAZIL_EXPORT long pathconf(const char *path, int name)
{
    return frazil_is_memfs(AT_FDCWD, path) ? limits_of(path, name) : FRAZIL_REAL_OF(pathconf)(path, name);
}
