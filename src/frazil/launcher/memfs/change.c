/* Calls that make and remove names: mkdir, unlink, symlink, link, rename (memfs/call.h). */
#include "memfs/change.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/call.h"
#include "memfs/fd.h"
#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/pipe.h"

/* The file mode creation mask can only be asked for by setting it; umask() keeps this copy true. */
static int known_umask = -1;

mode_t frazil_umask(void)
{
    int mask = __atomic_load_n(&known_umask, __ATOMIC_RELAXED);

    if (mask < 0) {
        mask = (int)frazil_kernel(SYS_umask, 077);
        frazil_kernel(SYS_umask, mask);
        __atomic_store_n(&known_umask, mask, __ATOMIC_RELAXED);
    }
    return (mode_t)mask;
}

void frazil_umask_set(mode_t mask)
{
    if (!frazil_is_guest())
        __atomic_store_n(&known_umask, (int)(mask & 0777), __ATOMIC_RELAXED);
}

/* Names */

static int may_change(const frazil_node *directory)
{
    if (directory->directory.removed)
        return -ENOENT;
    return frazil_permitted(directory, W_OK | X_OK, false);
}

/* Whether the name may be taken away; `directory`: by a call for directories. */
static int may_remove(const frazil_node *parent, const frazil_node *node, bool directory)
{
    int error = frazil_permitted(parent, W_OK | X_OK, false);

    if (error != 0)
        return error;
    if ((parent->mode & S_ISVTX) && !frazil_is_owner(parent) && !frazil_is_owner(node))
        return -EPERM;
    if (directory && !S_ISDIR(node->mode))
        return -ENOTDIR;
    return !directory && S_ISDIR(node->mode) ? -EISDIR : 0;
}

int frazil_make(const frazil_walk *walk, uint32_t mode, const char *target, frazil_node **made)
{
    int error = may_change(walk->parent);

    if (error != 0)
        return error;
    if (!frazil_file_has_room(1) && frazil_file_room(1) == 0)
        return -ENOSPC;
    frazil_node *node = frazil_node_new(mode, target, target != NULL ? strlen(target) : 0);
    if (node == NULL)
        return -ENOMEM;
    if (walk->parent->mode & S_ISGID) {
        node->gid = walk->parent->gid;
        if (S_ISDIR(mode))
            node->mode |= S_ISGID;
    }
    error = frazil_attach(walk->parent, walk->name, walk->length, node);
    if (error != 0)
        frazil_node_settle(node);
    *made = node;
    return error;
}

void frazil_unmake(const frazil_walk *walk, frazil_node *node)
{
    int error;
    frazil_entry *entry = frazil_lookup(walk->parent, walk->name, walk->length, &error);

    if (entry != NULL && entry->node == node)
        frazil_detach(walk->parent, entry);
}

/* Walk to a name that is to be made; -EEXIST when there is something. */
static int walk_to_new(frazil_walk *walk, int directory, const char *path, bool for_directory)
{
    int error = frazil_walk_path(walk, directory, path, FRAZIL_LAST);

    if (error != 0)
        return error;
    if (walk->last != FRAZIL_NAME || walk->node != NULL)
        return -EEXIST;
    if (walk->late != 0)
        return walk->late;
    return walk->slash && !for_directory ? -ENOENT : 0;
}

int frazil_call_mkdir(int directory, const char *path, mode_t mode)
{
    frazil_walk walk;
    frazil_node *node;

    frazil_lock();
    int error = walk_to_new(&walk, directory, path, true);
    if (error == 0)
        error = frazil_make(&walk, S_IFDIR | (mode & 01777 & ~frazil_umask()), NULL, &node);
    frazil_unlock();
    return error == FRAZIL_REAL ? (int)frazil_kernel(SYS_mkdirat, walk.directory, walk.text, mode) : error;
}

int frazil_call_mknod(int directory, const char *path, mode_t mode, dev_t device)
{
    frazil_walk walk;
    frazil_node *node;
    mode_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;

    frazil_lock();
    int error = walk_to_new(&walk, directory, path, false);
    if (error == 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
        error = -EPERM; /* there would be no device behind it */
    if (error == 0)
        error = frazil_make(&walk, type | (mode & 07777 & ~frazil_umask()), NULL, &node);
    if (error == 0 && type == S_IFIFO && (error = frazil_pipe_make(node)) != 0)
        frazil_unmake(&walk, node);
    frazil_unlock();
    return error == FRAZIL_REAL ? (int)frazil_kernel(SYS_mknodat, walk.directory, walk.text, mode, device) : error;
}

int frazil_call_symlink(const char *target, int directory, const char *path)
{
    frazil_walk walk;
    frazil_node *node;

    if (target[0] == 0)
        return -ENOENT;
    if (strlen(target) >= PATH_MAX)
        return -ENAMETOOLONG;
    frazil_lock();
    int error = walk_to_new(&walk, directory, path, false);
    if (error == 0)
        error = frazil_make(&walk, S_IFLNK | 0777, target, &node);
    frazil_unlock();
    return error == FRAZIL_REAL ? (int)frazil_kernel(SYS_symlinkat, target, walk.directory, walk.text) : error;
}

/* unlink, rmdir */

static int remove_directory(const frazil_walk *walk)
{
    switch (walk->last) {
    case FRAZIL_DOT:
        return -EINVAL;
    case FRAZIL_DOTDOT:
        return -ENOTEMPTY;
    case FRAZIL_TOP:
        return -EBUSY;
    case FRAZIL_NAME:
        break;
    }
    if (walk->node == NULL)
        return walk->late != 0 ? walk->late : -ENOENT;
    int error = may_remove(walk->parent, walk->node, true);
    if (error == 0)
        error = frazil_node_entries(walk->node) != 0 ? -ENOTEMPTY : frazil_complete(walk->parent);
    if (error == 0)
        frazil_detach(walk->parent, walk->entry);
    return error;
}

static int remove_file(const frazil_walk *walk)
{
    if (walk->last != FRAZIL_NAME)
        return -EISDIR;
    if (walk->node == NULL)
        return walk->late != 0 ? walk->late : -ENOENT;
    if (walk->slash)
        return S_ISDIR(walk->node->mode) ? -EISDIR : -ENOTDIR;
    int error = may_remove(walk->parent, walk->node, false);
    if (error == 0)
        error = frazil_complete(walk->parent);
    if (error == 0)
        frazil_detach(walk->parent, walk->entry);
    return error;
}

int frazil_call_unlink(int directory, const char *path, int flags)
{
    frazil_walk walk;

    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    frazil_lock();
    int error = frazil_walk_path(&walk, directory, path, FRAZIL_LAST);
    if (error == 0)
        error = flags & AT_REMOVEDIR ? remove_directory(&walk) : remove_file(&walk);
    frazil_unlock();
    return error == FRAZIL_REAL ? (int)frazil_kernel(SYS_unlinkat, walk.directory, walk.text, flags) : error;
}

/* Calls with two paths: where each of them ends up. */

typedef struct frazil_side {
    frazil_walk walk;
    bool is_real;
    int directory; /* with is_real: for the kernel */
    const char *path;
} frazil_side;

/* 0 also for a real path. */
static int walk_side(frazil_side *side, int directory, const char *path, int flags)
{
    side->is_real = !frazil_is_memfs(directory, path);
    side->directory = directory;
    side->path = path;
    if (side->is_real)
        return 0;
    int error = frazil_walk_path(&side->walk, directory, path, flags);
    if (error != FRAZIL_REAL)
        return error;
    side->is_real = true;
    side->directory = side->walk.directory;
    side->path = side->walk.text;
    return 0;
}

/* Errors of a real path come before EXDEV, as in the kernel: its directory, and the file for an old name, must be there. */
static int check_real(const frazil_side *side, bool exists, int follow)
{
    struct stat status;
    char above[PATH_MAX];
    size_t length = strlen(side->path);

    if (exists)
        return (int)frazil_kernel(SYS_newfstatat, side->directory, side->path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW);
    if (length >= sizeof above)
        return -ENAMETOOLONG;
    memcpy(above, side->path, length + 1);
    while (length > 0 && above[length - 1] == '/')
        length--;
    while (length > 0 && above[length - 1] != '/')
        length--;
    above[length] = 0;
    if (length == 0)
        memcpy(above, ".", 2);
    return (int)frazil_kernel(SYS_newfstatat, side->directory, above, &status, 0);
}

/* -EXDEV for paths on both sides of the border, or what the new one lacks; the old one was seen to. */
static int across(const frazil_side *new)
{
    int error = new->is_real ? check_real(new, false, 0) : 0;

    return error != 0 ? error : -EXDEV;
}

/* link */

static int link_node(const frazil_walk *new, frazil_node *node)
{
    int error = may_change(new->parent);

    if (error != 0)
        return error;
    if (S_ISDIR(node->mode))
        return -EPERM;
    if (node->links == 0 && (!S_ISREG(node->mode) || node->holds == 0 || node->file.unlinkable || !node->file.nameless))
        return -ENOENT;
    if (!frazil_file_has_room(1) && frazil_file_room(1) == 0)
        return -ENOSPC;
    error = frazil_attach(new->parent, new->name, new->length, node);
    if (error == 0)
        node->ctime = new->parent->ctime;
    return error;
}

/* The descriptor in "/proc/self/fd/N", the usual way to name an O_TMPFILE file; -1 for other paths. */
static int descriptor_in(const char *path)
{
    static const char prefix[] = "/proc/self/fd/";
    char *end;

    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return -1;
    long fd = strtol(path + sizeof prefix - 1, &end, 10);
    return *end == 0 && end != path + sizeof prefix - 1 && fd >= 0 && fd <= INT_MAX && frazil_fd_maybe((int)fd) ? (int)fd : -1;
}

static int link_locked(frazil_side *old, frazil_side *new, int flags)
{
    frazil_node *node;
    int fd = flags & AT_SYMLINK_FOLLOW ? descriptor_in(old->path) : -1;
    int error = 0;

    if (fd >= 0 && (node = frazil_fd_node(fd)) != NULL) {
        old->is_real = false;
    } else {
        error = walk_side(old, old->directory, old->path,
            (flags & AT_SYMLINK_FOLLOW ? FRAZIL_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? FRAZIL_EMPTY : 0));
        if (error == 0 && !old->is_real && old->walk.node == NULL)
            error = -ENOENT;
        node = old->walk.node;
    }
    if (error == 0 && old->is_real)
        error = check_real(old, true, flags & AT_SYMLINK_FOLLOW);
    if (error == 0)
        error = walk_side(new, new->directory, new->path, FRAZIL_LAST);
    if (error != 0)
        return error;
    if (old->is_real && new->is_real)
        return FRAZIL_REAL;
    if (old->is_real != new->is_real && !(old->is_real && new->walk.node != NULL))
        return across(new);
    if (new->walk.last != FRAZIL_NAME || new->walk.node != NULL)
        return -EEXIST;
    if (new->walk.late != 0)
        return new->walk.late;
    return new->walk.slash ? -ENOENT : link_node(&new->walk, node);
}

int frazil_call_link(int from, const char *old, int to, const char *new, int flags)
{
    frazil_side before = {.directory = from, .path = old}, after = {.directory = to, .path = new};

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    frazil_lock();
    int error = link_locked(&before, &after, flags);
    frazil_unlock();
    return error == FRAZIL_REAL
        ? (int)frazil_kernel(SYS_linkat, before.directory, before.path, after.directory, after.path, flags)
        : error;
}

/* rename */

static int check_rename(const frazil_walk *old, const frazil_walk *new, unsigned flags)
{
    bool exchange = flags & RENAME_EXCHANGE, directory = old->node != NULL && S_ISDIR(old->node->mode);

    if (old->last != FRAZIL_NAME)
        return -EBUSY;
    if (new->last != FRAZIL_NAME)
        return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    if (old->node == NULL)
        return old->late != 0 ? old->late : -ENOENT;
    if (new->late != 0)
        return new->late;
    if ((flags & RENAME_NOREPLACE) && new->node != NULL)
        return -EEXIST;
    if (exchange && new->node == NULL)
        return -ENOENT;
    if (exchange && new->slash && !S_ISDIR(new->node->mode))
        return -ENOTDIR;
    if (!directory && (old->slash || (!exchange && new->slash)))
        return -ENOTDIR;
    if (directory && frazil_is_below(new->parent, old->node))
        return -EINVAL;
    if (new->node != NULL && S_ISDIR(new->node->mode) && frazil_is_below(old->parent, new->node))
        return exchange ? -EINVAL : -ENOTEMPTY;
    return 0;
}

static int permit_rename(const frazil_walk *old, const frazil_walk *new, unsigned flags)
{
    bool directory = S_ISDIR(old->node->mode);
    int error = may_remove(old->parent, old->node, directory);

    if (error == 0)
        error = new->node == NULL
            ? may_change(new->parent)
            : may_remove(new->parent, new->node, flags & RENAME_EXCHANGE ? S_ISDIR(new->node->mode) : directory);
    if (error == 0 && directory && old->parent != new->parent)
        error = frazil_permitted(old->node, W_OK, false);
    if (error == 0 && (flags & RENAME_EXCHANGE) && S_ISDIR(new->node->mode) && old->parent != new->parent)
        error = frazil_permitted(new->node, W_OK, false);
    if (error == 0 && !(flags & RENAME_EXCHANGE) && new->node != NULL && directory && frazil_node_entries(new->node) != 0)
        error = -ENOTEMPTY;
    return error;
}

static int rename_names(const frazil_walk *old, const frazil_walk *new, unsigned flags)
{
    frazil_node *node = old->node;
    int error = check_rename(old, new, flags);

    if (error != 0 || node == new->node)
        return error;
    if ((error = permit_rename(old, new, flags)) != 0)
        return error;
    if ((error = frazil_complete(old->parent)) != 0 || (error = frazil_complete(new->parent)) != 0)
        return error;
    if (flags & RENAME_EXCHANGE) {
        frazil_swap(old->parent, old->entry, new->parent, new->entry);
        return 0;
    }
    return frazil_move(old->parent, old->entry, new->parent, new->entry, new->name, new->length);
}

int frazil_call_rename(int from, const char *old, int to, const char *new, unsigned flags)
{
    frazil_side before, after;

    if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    frazil_lock();
    int error = walk_side(&before, from, old, FRAZIL_LAST);
    if (error == 0 && before.is_real)
        error = check_real(&before, false, 0);
    if (error == 0)
        error = walk_side(&after, to, new, FRAZIL_LAST);
    if (error == 0 && before.is_real && after.is_real)
        error = FRAZIL_REAL;
    else if (error == 0 && before.is_real != after.is_real)
        error = across(&after);
    else if (error == 0)
        error = rename_names(&before.walk, &after.walk, flags);
    frazil_unlock();
    return error == FRAZIL_REAL
        ? (int)frazil_kernel(SYS_renameat2, before.directory, before.path, after.directory, after.path, flags)
        : error;
}
