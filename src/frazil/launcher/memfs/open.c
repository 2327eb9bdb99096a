/* open, with all its flags (memfs/call.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/call.h"
#include "memfs/change.h"
#include "memfs/fd.h"
#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/pipe.h"
#include "memfs/walk.h"

/* A descriptor that stands for a directory (the kernel's root directory: reading it fails as it should), or for a link. */
static int open_placeholder(const frazil_node *node, int flags)
{
    int wanted = O_DIRECTORY | (flags & O_CLOEXEC);
    long fd = -EACCES;

    if (S_ISDIR(node->mode) && !(flags & O_PATH))
        fd = frazil_kernel(SYS_openat, AT_FDCWD, "/", wanted | O_RDONLY, 0);
    if (fd == -EACCES)
        fd = frazil_kernel(SYS_openat, AT_FDCWD, "/", wanted | O_PATH, 0);
    return (int)fd;
}

static int open_content(frazil_node *node, int flags, bool guest)
{
    if (S_ISREG(node->mode))
        return frazil_file_open(node, flags, guest);
    if (S_ISSOCK(node->mode) && !(flags & O_PATH))
        return -ENXIO;
    return S_ISFIFO(node->mode) && !(flags & O_PATH) ? frazil_pipe_open(node, flags, guest) : open_placeholder(node, flags);
}

static int wanted_access(int flags)
{
    static const int masks[] = {R_OK, W_OK, R_OK | W_OK, R_OK | W_OK};

    if (flags & O_PATH)
        return 0;
    return masks[flags & O_ACCMODE] | (flags & O_TRUNC ? W_OK : 0);
}

static int open_node(frazil_node *node, int flags, bool created)
{
    if (S_ISFIFO(node->mode) || S_ISSOCK(node->mode))
        flags &= ~O_TRUNC;
    if (S_ISLNK(node->mode)) {
        if (!(flags & O_PATH) || (flags & O_DIRECTORY))
            return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
    } else if ((flags & O_DIRECTORY) && !S_ISDIR(node->mode)) {
        return -ENOTDIR;
    } else if (S_ISDIR(node->mode) && !(flags & O_PATH) && (flags & (O_ACCMODE | O_CREAT | O_TRUNC))) {
        return -EISDIR;
    } else if (!created) {
        int error = frazil_permitted(node, wanted_access(flags), false);
        if (error != 0)
            return error;
        if ((flags & O_NOATIME) && !(flags & O_PATH) && !frazil_is_owner(node))
            return -EPERM;
    }
    frazil_node_hold(node); /* making room may let go of others */
    bool guest = frazil_is_guest();
    int fd = open_content(node, flags, guest);
    if (fd >= 0 && !guest)
        fd = frazil_fd_enter(fd, node);
    frazil_node_release(node);
    return fd;
}

static int open_new(const frazil_walk *walk, int flags, mode_t mode)
{
    frazil_node *node;
    int error = frazil_make(walk, S_IFREG | (mode & 07777 & ~frazil_umask()), NULL, &node);

    if (error != 0)
        return error;
    int fd = open_node(node, flags & ~O_TRUNC, true);
    if (fd < 0) /* no descriptor: no file either, as in the kernel */
        frazil_unmake(walk, node);
    return fd;
}

/* A file without a name. */
static int open_nameless(frazil_node *directory, int flags, mode_t mode)
{
    if (!S_ISDIR(directory->mode))
        return -ENOTDIR;
    int error = frazil_permitted(directory, W_OK | X_OK, false);
    frazil_node *node = error == 0 ? frazil_node_new(S_IFREG | (mode & 07777 & ~frazil_umask()), NULL, 0) : NULL;
    if (node == NULL)
        return error != 0 ? error : -ENOMEM;
    node->file.nameless = true;
    node->file.unlinkable = flags & O_EXCL;
    frazil_node_hold(node);
    bool guest = frazil_is_guest();
    int fd = frazil_file_open(node, flags & ~O_DIRECTORY, guest);
    if (fd >= 0 && !guest)
        fd = frazil_fd_enter(fd, node);
    frazil_node_release(node);
    return fd;
}

static int open_locked(frazil_walk *walk, int directory, const char *path, int flags, mode_t mode, bool *is_pipe)
{
    bool nameless = (flags & O_TMPFILE) == O_TMPFILE, creates = (flags & O_CREAT) && !(flags & O_PATH);
    bool follows = !(flags & O_NOFOLLOW) && !(creates && (flags & O_EXCL));

    if (nameless && ((flags & O_ACCMODE) == O_RDONLY || creates))
        return -EINVAL;
    if (creates && (flags & O_DIRECTORY))
        return -EINVAL;
    int result = frazil_walk_path(walk, directory, path, (follows ? FRAZIL_FOLLOW : 0) | (creates ? FRAZIL_CREATE : 0));
    if (result != 0)
        return result;
    if (walk->node == NULL) {
        if (!creates)
            return -ENOENT;
        return open_new(walk, flags, mode);
    }
    if (nameless)
        return open_nameless(walk->node, flags, mode);
    if (creates && (flags & O_EXCL))
        return -EEXIST;
    *is_pipe = S_ISFIFO(walk->node->mode);
    return open_node(walk->node, creates ? flags : flags & ~O_CREAT, false);
}

/* Wait for the other end, now that the lock is free. */
static int opened_pipe(int fd, int flags)
{
    int error = frazil_pipe_wait(fd, flags);

    if (error < 0) {
        frazil_lock();
        frazil_node *node = frazil_is_guest() ? NULL : frazil_fd_take(fd);
        frazil_kernel(SYS_close, fd);
        frazil_fd_release(node);
        frazil_unlock();
    }
    return error;
}

int frazil_call_open(int directory, const char *path, int flags, mode_t mode)
{
    frazil_walk walk;
    bool is_pipe = false;

    if (flags & O_PATH) /* the kernel ignores the others */
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    frazil_lock();
    int result = open_locked(&walk, directory, path, flags, mode, &is_pipe);
    frazil_unlock();
    if (result >= 0 && is_pipe && !(flags & O_PATH))
        return opened_pipe(result, flags);
    return result == FRAZIL_REAL ? (int)frazil_kernel(SYS_openat, walk.directory, walk.text, flags, mode) : result;
}
