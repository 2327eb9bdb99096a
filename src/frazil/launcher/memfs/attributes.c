/* Calls that change what is known of a file: mode, owner, times, size (memfs/call.h). */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/call.h"
#include "memfs/fd.h"
#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

static int follow(int flags)
{
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : FRAZIL_FOLLOW) | (flags & AT_EMPTY_PATH ? FRAZIL_EMPTY : 0);
}

/* The node of a descriptor that allows more than naming (not O_PATH), or NULL with *error. */
static frazil_node *usable(int fd, int *error)
{
    frazil_node *node = frazil_fd_node(fd);

    *error = 0;
    if (node != NULL && (frazil_kernel(SYS_fcntl, fd, F_GETFL) & O_PATH))
        *error = -EBADF;
    return node;
}

static int set_mode(frazil_node *node, mode_t mode)
{
    if (S_ISLNK(node->mode))
        return -EOPNOTSUPP;
    if (!frazil_is_owner(node))
        return -EPERM;
    node->mode = (node->mode & S_IFMT) | (mode & 07777);
    if (S_ISREG(node->mode))
        frazil_file_mode_changed(node);
    node->ctime = frazil_now();
    return 0;
}

int frazil_call_chmod(int directory, const char *path, mode_t mode, int flags)
{
    frazil_walk walk;

    frazil_lock();
    int error = frazil_walk_existing(&walk, directory, path, follow(flags));
    if (error == 0)
        error = set_mode(walk.node, mode);
    frazil_unlock();
    if (error != FRAZIL_REAL)
        return error;
    return flags & AT_SYMLINK_NOFOLLOW ? -EOPNOTSUPP : (int)frazil_kernel(SYS_fchmodat, walk.directory, walk.text, mode);
}

int frazil_call_fchmod(int fd, mode_t mode)
{
    int error;

    frazil_lock();
    frazil_node *node = usable(fd, &error);
    if (node != NULL && error == 0)
        error = set_mode(node, mode);
    frazil_unlock();
    return node != NULL ? error : (int)frazil_kernel(SYS_fchmod, fd, mode);
}

static int set_owner(frazil_node *node, uid_t user, gid_t group)
{
    bool root = frazil_is_superuser();

    if (!root && user != (uid_t)-1 && (user != frazil_node_user(node) || !frazil_is_owner(node)))
        return -EPERM;
    if (!root && group != (gid_t)-1 && (!frazil_is_owner(node) || (group != frazil_node_group(node) && group != getegid())))
        return -EPERM;
    if (user != (uid_t)-1)
        node->uid = user;
    if (group != (gid_t)-1)
        node->gid = group;
    if (!S_ISDIR(node->mode)) {
        node->mode &= ~(uint32_t)S_ISUID;
        if (node->mode & S_IXGRP)
            node->mode &= ~(uint32_t)S_ISGID;
    }
    if (S_ISREG(node->mode))
        frazil_file_mode_changed(node);
    node->ctime = frazil_now();
    return 0;
}

int frazil_call_chown(int directory, const char *path, uid_t user, gid_t group, int flags)
{
    frazil_walk walk;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    frazil_lock();
    int error = frazil_walk_existing(&walk, directory, path, follow(flags));
    if (error == 0)
        error = set_owner(walk.node, user, group);
    frazil_unlock();
    return error == FRAZIL_REAL ? (int)frazil_kernel(SYS_fchownat, walk.directory, walk.text, user, group, flags) : error;
}

int frazil_call_fchown(int fd, uid_t user, gid_t group)
{
    int error;

    frazil_lock();
    frazil_node *node = usable(fd, &error);
    if (node != NULL && error == 0)
        error = set_owner(node, user, group);
    frazil_unlock();
    return node != NULL ? error : (int)frazil_kernel(SYS_fchown, fd, user, group);
}

static bool is_special(struct timespec time)
{
    return time.tv_nsec == UTIME_NOW || time.tv_nsec == UTIME_OMIT;
}

static int check_times(const frazil_node *node, const struct timespec times[2])
{
    bool now = times == NULL || (times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW);

    for (int i = 0; times != NULL && i < 2; i++)
        if (!is_special(times[i]) && (times[i].tv_nsec < 0 || times[i].tv_nsec > 999999999))
            return -EINVAL;
    if (now)
        return frazil_is_owner(node) ? 0 : frazil_permitted(node, W_OK, false);
    return frazil_is_owner(node) ? 0 : -EPERM;
}

static void apply(struct timespec *time, const struct timespec *wanted, struct timespec now)
{
    if (wanted == NULL || wanted->tv_nsec == UTIME_NOW)
        *time = now;
    else if (wanted->tv_nsec != UTIME_OMIT)
        *time = *wanted;
}

static int set_times(frazil_node *node, const struct timespec times[2])
{
    if (times != NULL && times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
        return 0;
    int error = check_times(node, times);
    if (error != 0)
        return error;
    struct timespec now = frazil_now();
    if (S_ISREG(node->mode) && node->file.backing >= 0) {
        error = frazil_file_set_times(node, times);
    } else {
        apply(&node->atime, times, now);
        apply(&node->mtime, times != NULL ? times + 1 : NULL, now);
    }
    node->ctime = now;
    return error;
}

int frazil_call_utimens(int directory, const char *path, const struct timespec times[2], int flags)
{
    frazil_walk walk;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    frazil_lock();
    int error = frazil_walk_existing(&walk, directory, path, follow(flags));
    if (error == 0)
        error = set_times(walk.node, times);
    frazil_unlock();
    return error == FRAZIL_REAL ? (int)frazil_kernel(SYS_utimensat, walk.directory, walk.text, times, flags) : error;
}

int frazil_call_futimens(int fd, const struct timespec times[2])
{
    int error;

    frazil_lock();
    frazil_node *node = usable(fd, &error);
    if (node != NULL && error == 0)
        error = set_times(node, times);
    frazil_unlock();
    return node != NULL ? error : (int)frazil_kernel(SYS_utimensat, fd, 0, times, 0);
}

int frazil_call_truncate(const char *path, off_t size)
{
    frazil_walk walk;

    if (size < 0)
        return -EINVAL;
    frazil_lock();
    int error = frazil_walk_existing(&walk, AT_FDCWD, path, FRAZIL_FOLLOW);
    if (error == 0 && !S_ISREG(walk.node->mode))
        error = S_ISDIR(walk.node->mode) ? -EISDIR : -EINVAL;
    if (error == 0)
        error = frazil_permitted(walk.node, W_OK, false);
    if (error == 0)
        error = frazil_file_truncate(walk.node, size);
    frazil_unlock();
    return error == FRAZIL_REAL ? (int)frazil_kernel(SYS_truncate, walk.text, size) : error;
}
