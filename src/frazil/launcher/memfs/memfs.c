/* memfs for the other parts of the core (memfs/memfs.h). */
#include "memfs/memfs.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/file.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

void frazil_memfs_mount(const icecube *image, uint64_t limit)
{
    frazil_file_set_limit(limit);
    frazil_tree_mount(image);
}

void frazil_memfs_trim(void)
{
    frazil_lock();
    frazil_file_trim();
    frazil_file_forget_limit();
    frazil_unlock();
}

void frazil_memfs_prepare(void)
{
    frazil_file_keep_times(true);
}

void frazil_memfs_adopt(void)
{
    frazil_file_keep_times(false);
    frazil_tree_know_user();
}

bool frazil_memfs_is_unchanged(const char *path, size_t length)
{
    frazil_lock();
    bool unchanged = frazil_tree_is_unchanged(path, length);
    frazil_unlock();
    return unchanged;
}

bool frazil_memfs_is_changed(void)
{
    return frazil_tree_is_changed();
}

bool frazil_memfs_owns(const char *path)
{
    return frazil_is_memfs(AT_FDCWD, path);
}

int frazil_content_open(const char *path, frazil_content *content)
{
    frazil_walk walk;

    frazil_lock();
    int error = frazil_walk_existing(&walk, AT_FDCWD, path, FRAZIL_FOLLOW);
    if (error == FRAZIL_REAL)
        error = -EXDEV;
    else if (error == 0 && !S_ISREG(walk.node->mode))
        error = S_ISDIR(walk.node->mode) ? -EISDIR : -EINVAL;
    if (error == 0)
        error = frazil_file_content(walk.node, content);
    frazil_unlock();
    return -error;
}

void frazil_content_release(frazil_content *content)
{
    if (content->mapping != NULL)
        frazil_kernel(SYS_munmap, content->mapping, content->size);
    *content = (frazil_content){0};
}

/* The normal path of what the walk found. */
static int path_of(const frazil_walk *walk, char *path, size_t size)
{
    const frazil_node *directory = S_ISDIR(walk->node->mode) ? walk->node : walk->parent;
    long length = directory != NULL ? frazil_directory_path(directory, path, size) : -ENOENT;

    if (length < 0)
        return (int)length;
    if (directory == walk->node)
        return 0;
    if ((size_t)length + 1 + walk->length + 1 > size)
        return -ERANGE;
    path[length++] = '/';
    memcpy(path + length, walk->name, walk->length);
    path[length + (long)walk->length] = 0;
    return 0;
}

int frazil_memfs_realpath(const char *path, char *resolved, size_t size)
{
    frazil_walk walk;

    frazil_lock();
    int error = frazil_walk_existing(&walk, AT_FDCWD, path, FRAZIL_FOLLOW);
    if (error == 0)
        error = path_of(&walk, resolved, size);
    frazil_unlock();
    if (error == FRAZIL_REAL) {
        error = -EXDEV;
        if (strlen(walk.text) < size)
            memcpy(resolved, walk.text, strlen(walk.text) + 1);
    }
    return -error;
}
