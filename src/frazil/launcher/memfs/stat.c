/* Calls that ask: stat, access, readlink, and the current directory (memfs/call.h). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/call.h"
#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

#define ENTRY_SIZE 20 /* what tmpfs counts for a name in a directory */

void frazil_stat_node(frazil_node *node, const struct stat *known, struct stat *status)
{
    memset(status, 0, sizeof *status);
    status->st_dev = FRAZIL_DEVICE;
    status->st_ino = node->number;
    status->st_mode = node->mode;
    status->st_nlink = frazil_node_links(node);
    status->st_uid = frazil_node_user(node);
    status->st_gid = frazil_node_group(node);
    status->st_blksize = 4096;
    if (S_ISREG(node->mode)) {
        frazil_file_stat(node, known, status);
        return;
    }
    status->st_atim = node->atime;
    status->st_mtim = node->mtime;
    status->st_ctim = node->ctime;
    if (S_ISLNK(node->mode))
        status->st_size = node->link.length;
    else if (S_ISDIR(node->mode))
        status->st_size = ENTRY_SIZE * (int64_t)frazil_node_entries(node);
}

static int walk_flags(int flags)
{
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : FRAZIL_FOLLOW) | (flags & AT_EMPTY_PATH ? FRAZIL_EMPTY : 0);
}

int frazil_call_stat(int directory, const char *path, struct stat *status, int flags)
{
    frazil_walk walk;

    frazil_lock();
    int result = frazil_walk_existing(&walk, directory, path, walk_flags(flags));
    if (result == 0)
        frazil_stat_node(walk.node, NULL, status);
    frazil_unlock();
    return result == FRAZIL_REAL ? (int)frazil_kernel(SYS_newfstatat, walk.directory, walk.text, status, flags) : result;
}

int frazil_call_fstat(int fd, struct stat *status)
{
    struct stat known;

    frazil_lock();
    frazil_node *node = frazil_fd_node_stat(fd, &known);
    if (node != NULL)
        frazil_stat_node(node, &known, status);
    frazil_unlock();
    return node != NULL ? 0 : (int)frazil_kernel(SYS_fstat, fd, status);
}

int frazil_call_access(int directory, const char *path, int mode, int flags)
{
    frazil_walk walk;

    if (mode & ~(R_OK | W_OK | X_OK) || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    frazil_lock();
    int result = frazil_walk_existing(&walk, directory, path, walk_flags(flags));
    if (result == 0)
        result = frazil_permitted(walk.node, mode, !(flags & AT_EACCESS));
    frazil_unlock();
    if (result != FRAZIL_REAL)
        return result;
    if (flags != 0) {
        result = (int)frazil_kernel(SYS_faccessat2, walk.directory, walk.text, mode, flags);
        if (result != -ENOSYS)
            return result;
    }
    return (int)frazil_kernel(SYS_faccessat, walk.directory, walk.text, mode);
}

long frazil_call_readlink(int directory, const char *path, char *target, size_t size)
{
    frazil_walk walk;

    if ((ssize_t)size <= 0 || (int)size <= 0)
        return -EINVAL;
    frazil_lock();
    long result = frazil_walk_existing(&walk, directory, path, FRAZIL_EMPTY * (path[0] == 0 && directory != AT_FDCWD));
    if (result == 0 && !S_ISLNK(walk.node->mode)) {
        result = path[0] == 0 ? -ENOENT : -EINVAL;
    } else if (result == 0) {
        result = (long)(walk.node->link.length < size ? walk.node->link.length : size);
        memcpy(target, walk.node->link.target, (size_t)result);
    } else if (result == FRAZIL_REAL) {
        result = frazil_kernel(SYS_readlinkat, walk.directory, walk.text, target, size);
    }
    frazil_unlock();
    return result;
}

/* The current directory is `node` from now on; NULL: the kernel's. */
static void set_cwd(frazil_node *node)
{
    frazil_node *old = frazil_cwd;

    if (node != NULL)
        frazil_node_hold(node);
    __atomic_store_n(&frazil_cwd, node, __ATOMIC_RELEASE);
    if (old != NULL)
        frazil_node_release(old);
}

/* A child of vfork only asks whether it could go there: it is about to start another program, which has no memfs. */
static int enter_directory(frazil_node *node)
{
    if (!S_ISDIR(node->mode))
        return -ENOTDIR;
    int result = frazil_permitted(node, X_OK, false);
    if (result == 0 && !frazil_is_guest())
        set_cwd(node);
    return result;
}

int frazil_call_chdir(const char *path)
{
    frazil_walk walk;
    int result = FRAZIL_REAL;

    frazil_lock();
    if (frazil_is_memfs(AT_FDCWD, path)) {
        result = frazil_walk_existing(&walk, AT_FDCWD, path, FRAZIL_FOLLOW);
        if (result == FRAZIL_REAL)
            path = walk.text;
        else if (result == 0)
            result = enter_directory(walk.node);
    }
    if (result == FRAZIL_REAL) {
        result = (int)frazil_kernel(SYS_chdir, path);
        if (result == 0 && frazil_cwd != NULL && !frazil_is_guest())
            set_cwd(NULL);
    }
    frazil_unlock();
    return result;
}

int frazil_call_fchdir(int fd)
{
    int result;

    frazil_lock();
    frazil_node *node = frazil_fd_node(fd);
    if (node != NULL) {
        result = enter_directory(node);
    } else {
        result = (int)frazil_kernel(SYS_fchdir, fd);
        if (result == 0 && frazil_cwd != NULL && !frazil_is_guest())
            set_cwd(NULL);
    }
    frazil_unlock();
    return result;
}

long frazil_call_getcwd(char *path, size_t size)
{
    long length = 0;

    frazil_lock();
    if (frazil_cwd != NULL) {
        length = frazil_directory_path(frazil_cwd, path, size);
        if (length > 0)
            length++;
    }
    frazil_unlock();
    return length;
}
