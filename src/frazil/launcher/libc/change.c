/* Functions that make, move and remove names. */
#include "libc/real.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc/asked.h"
#include "memfs/call.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

FRAZIL_EXPORT int mkdirat(int directory, const char *path, mode_t mode)
{
    if (frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_mkdir(directory, path, mode));
    frazil_saw(FRAZIL_LOOK_CHANGE, directory, path, 0);
    return (int)FRAZIL_LIBC(SYS_mkdirat, directory, path, mode);
}

FRAZIL_EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

FRAZIL_EXPORT int mknodat(int directory, const char *path, mode_t mode, dev_t device)
{
    if (frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_mknod(directory, path, mode, device));
    frazil_saw(FRAZIL_LOOK_CHANGE, directory, path, 0);
    return (int)FRAZIL_LIBC(SYS_mknodat, directory, path, mode, device);
}

FRAZIL_EXPORT int mknod(const char *path, mode_t mode, dev_t device)
{
    return mknodat(AT_FDCWD, path, mode, device);
}

FRAZIL_EXPORT int __xmknod(int version, const char *path, mode_t mode, dev_t *device)
{
    return version == 0 ? mknodat(AT_FDCWD, path, mode, *device) : (int)frazil_result(-EINVAL);
}

FRAZIL_EXPORT int __xmknodat(int version, int directory, const char *path, mode_t mode, dev_t *device)
{
    return version == 0 ? mknodat(directory, path, mode, *device) : (int)frazil_result(-EINVAL);
}

FRAZIL_EXPORT int mkfifoat(int directory, const char *path, mode_t mode)
{
    return mknodat(directory, path, (mode & 07777) | S_IFIFO, 0);
}

FRAZIL_EXPORT int mkfifo(const char *path, mode_t mode)
{
    return mkfifoat(AT_FDCWD, path, mode);
}

FRAZIL_EXPORT int unlinkat(int directory, const char *path, int flags)
{
    if (frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_unlink(directory, path, flags));
    frazil_saw(FRAZIL_LOOK_CHANGE, directory, path, 0);
    return (int)FRAZIL_LIBC(SYS_unlinkat, directory, path, flags);
}

FRAZIL_EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

FRAZIL_EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

FRAZIL_EXPORT int remove(const char *path)
{
    int before = errno;

    if (unlinkat(AT_FDCWD, path, 0) == 0)
        return 0;
    if (errno != EISDIR)
        return -1;
    errno = before;
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

FRAZIL_EXPORT int symlinkat(const char *target, int directory, const char *path)
{
    if (target != NULL && frazil_is_memfs(directory, path))
        return (int)frazil_result(frazil_call_symlink(target, directory, path));
    if (target != NULL && (target[0] == '/' || target[0] == 'm') && frazil_starts_in_memfs_slow(AT_FDCWD, target))
        __atomic_store_n(&frazil_links_lead_in, true, __ATOMIC_RELAXED);
    frazil_saw(FRAZIL_LOOK_CHANGE, directory, path, 0);
    return (int)FRAZIL_LIBC(SYS_symlinkat, target, directory, path);
}

FRAZIL_EXPORT int symlink(const char *target, const char *path)
{
    return symlinkat(target, AT_FDCWD, path);
}

FRAZIL_EXPORT int linkat(int from, const char *old, int to, const char *new, int flags)
{
    if (old != NULL && new != NULL && (frazil_is_memfs(from, old) || frazil_is_memfs(to, new)))
        return (int)frazil_result(frazil_call_link(from, old, to, new, flags));
    frazil_saw(FRAZIL_LOOK_CHANGE, to, new, 0);
    return (int)FRAZIL_LIBC(SYS_linkat, from, old, to, new, flags);
}

FRAZIL_EXPORT int link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

FRAZIL_EXPORT int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    if (old != NULL && new != NULL && (frazil_is_memfs(from, old) || frazil_is_memfs(to, new)))
        return (int)frazil_result(frazil_call_rename(from, old, to, new, flags));
    frazil_saw(FRAZIL_LOOK_CHANGE, from, old, 0);
    frazil_saw(FRAZIL_LOOK_CHANGE, to, new, 0);
    if (flags == 0)
        return (int)FRAZIL_LIBC(SYS_renameat, from, old, to, new);
    return (int)FRAZIL_LIBC(SYS_renameat2, from, old, to, new, flags);
}

FRAZIL_EXPORT int renameat(int from, const char *old, int to, const char *new)
{
    return renameat2(from, old, to, new, 0);
}

FRAZIL_EXPORT int rename(const char *old, const char *new)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}
