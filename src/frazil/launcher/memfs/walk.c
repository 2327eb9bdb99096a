/* Path resolution (memfs/walk.h). */
#include "memfs/walk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memfs/kernel.h"
#include "memfs/memfs.h"

#define MAX_LINKS 40
#define URL "memfs:"

frazil_node *frazil_cwd;
bool frazil_links_lead_in;

/* What follows the mount in a path that starts with it (/memfs:, //memfs:, memfs:/), or NULL. */
static const char *after_mount(const char *path)
{
    const char *at = path;

    while (*at == '/')
        at++;
    if (strncmp(at, URL, sizeof URL - 1) != 0)
        return NULL;
    at += sizeof URL - 1;
    return *at == '/' || *at == 0 ? at : NULL;
}

/* The same for a call with a descriptor. There "memfs:" alone is a name: that of an entry that reading the directory gave, such
 * as one made from a path below the mount without its slash. Whoever goes through a tree by descriptors must not come out at
 * the root. */
static const char *after_mount_at(int directory, const char *path)
{
    const char *rest = after_mount(path);

    return directory != AT_FDCWD && path[0] != '/' && rest != NULL && *rest == 0 ? NULL : rest;
}

bool frazil_starts_in_memfs_slow(int directory, const char *path)
{
    return after_mount_at(directory, path) != NULL && __atomic_load_n(&frazil_root, __ATOMIC_ACQUIRE) != NULL;
}

/* What follows the mount in a path such as ../../memfs:/a, as os.path.relpath makes it; NULL for others. */
static const char *after_mount_from_below(const char *path)
{
    char here[PATH_MAX];
    long ups = 0, depth = 0;

    while (strncmp(path, "../", 3) == 0) {
        ups++;
        for (path += 3; *path == '/'; path++)
            ;
    }
    const char *rest = strncmp(path, URL, sizeof URL - 1) == 0 ? after_mount(path) : NULL;
    if (rest == NULL || frazil_kernel(SYS_getcwd, here, sizeof here) <= 0)
        return NULL;
    for (const char *at = here; *at != 0; at++)
        depth += at[0] == '/' && at[1] != 0;
    return ups >= depth ? rest : NULL;
}

bool frazil_goes_up_to_memfs(const char *path)
{
    return __atomic_load_n(&frazil_root, __ATOMIC_ACQUIRE) != NULL && after_mount_from_below(path) != NULL;
}

/* Replace `path`, a prefix of which ends at `end` and is a link to `target`. */
static bool follow_real(char *path, const char *end, const char *target)
{
    char whole[2 * PATH_MAX];
    const char *base = path;

    for (const char *at = path; at < end; at++)
        if (*at == '/' && at + 1 < end)
            base = at + 1;
    size_t above = target[0] == '/' || after_mount(target) != NULL ? 0 : (size_t)(base - path);
    size_t length = strlen(target), rest = strlen(end);
    if (above + length + rest >= sizeof whole)
        return false;
    memcpy(whole, path, above);
    memcpy(whole + above, target, length);
    memcpy(whole + above + length, end, rest + 1);
    memcpy(path, whole, above + length + rest + 1);
    return true;
}

/* Follow the links of a real path as far as they are real; true when one leads to memfs, and the path in memfs. */
static bool lead_in(int directory, char *path, bool follow)
{
    char target[PATH_MAX];
    int links = 0;

    for (char *end = path; *end != 0;) {
        while (*end == '/')
            end++;
        end = strchrnul(end, '/');
        char kept = *end;
        *end = 0;
        long length = frazil_kernel(SYS_readlinkat, directory, path, target, sizeof target - 1);
        *end = kept;
        if (length == -ENOENT || length == -ENOTDIR || (kept == 0 && !follow))
            return false;
        if (length <= 0)
            continue;
        target[length] = 0;
        if (++links > MAX_LINKS || !follow_real(path, end, target))
            return false;
        if (after_mount(path) != NULL)
            return true;
        end = path;
    }
    return false;
}

bool frazil_leads_in(int directory, const char *path)
{
    char copy[2 * PATH_MAX];
    size_t length = strlen(path);

    if (length >= PATH_MAX)
        return false;
    memcpy(copy, path, length + 1);
    return lead_in(directory, copy, true);
}

/* Where the walk starts, and what is left to walk. */
static int start(frazil_walk *walk, int directory, const char *path, int flags)
{
    const char *rest = after_mount_at(directory, path);

    walk->last = FRAZIL_TOP;
    if (rest == NULL && directory == AT_FDCWD && frazil_cwd == NULL)
        rest = after_mount_from_below(path);
    if (rest != NULL) {
        walk->node = frazil_root;
    } else {
        if (path[0] == 0 && !(flags & FRAZIL_EMPTY))
            return -ENOENT;
        walk->node = path[0] == '/' ? NULL : directory == AT_FDCWD ? frazil_cwd : frazil_fd_node(directory);
        if (walk->node == NULL) { /* a real path after all, unless a link leads in */
            if (strlen(path) >= PATH_MAX)
                return -ENAMETOOLONG;
            memcpy(walk->text, path, strlen(path) + 1);
            walk->directory = directory;
            if (!frazil_links_lead_in || !lead_in(directory, walk->text, (flags & FRAZIL_FOLLOW) != 0))
                return memcpy(walk->text, path, strlen(path) + 1), FRAZIL_REAL;
            rest = after_mount(walk->text);
            memmove(walk->text, rest, strlen(rest) + 1);
            walk->node = frazil_root;
            return 0;
        }
        rest = path;
        if (path[0] != 0)
            walk->last = FRAZIL_DOT;
    }
    size_t length = strlen(path);
    if (length >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(walk->text, rest, strlen(rest) + 1);
    return 0;
}

/* Go on in the kernel with "/" and `rest`, unless that comes back. Returns what is left to walk, or NULL. */
static const char *leave(frazil_walk *walk, const char *rest, int *result)
{
    size_t length = strlen(rest);

    if (length + 1 >= PATH_MAX) {
        *result = -ENAMETOOLONG;
        return NULL;
    }
    memmove(walk->text + (rest[0] != '/'), rest, length + 1);
    walk->text[0] = '/';
    const char *back = after_mount(walk->text);
    if (back == NULL)
        *result = FRAZIL_REAL;
    return back;
}

/* Put the link's target before `rest`. */
static int expand(frazil_walk *walk, const frazil_node *link, const char *rest)
{
    size_t left = strlen(rest), length = link->link.length;

    if (length == 0 || length >= PATH_MAX)
        return length == 0 ? -ENOENT : -ENAMETOOLONG;
    if (length + left + 1 >= sizeof walk->text)
        return -ELOOP; /* only links that nest come here */
    memmove(walk->text + length, rest, left + 1);
    memcpy(walk->text, link->link.target, length);
    return 0;
}

int frazil_walk_path(frazil_walk *walk, int directory, const char *path, int flags)
{
    int links = 0, result = 0;

    walk->entry = NULL;
    walk->parent = NULL;
    walk->slash = false;
    walk->late = 0;
    walk->directory = AT_FDCWD;
    if ((result = start(walk, directory, path, flags)) != 0)
        return result;
    const char *at = walk->text;
    for (;;) {
        while (*at == '/')
            at++;
        if (*at == 0)
            return 0;
        if (!S_ISDIR(walk->node->mode))
            return -ENOTDIR;
        if ((result = frazil_permitted(walk->node, X_OK, false)) != 0)
            return result;
        const char *end = strchrnul(at, '/');
        size_t length = (size_t)(end - at);
        const char *rest = end;
        while (*end == '/')
            end++;
        bool last = *end == 0;
        walk->slash = last && end != rest;
        walk->entry = NULL;
        if (walk->slash && (flags & FRAZIL_CREATE))
            return -EISDIR;
        if (length > NAME_MAX && !(last && (flags & FRAZIL_LAST)))
            return -ENAMETOOLONG;
        if (length == 1 && at[0] == '.') {
            walk->last = FRAZIL_DOT;
            at = end;
            continue;
        }
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            walk->last = FRAZIL_DOTDOT;
            at = end;
            if (walk->node != frazil_root) {
                walk->node = walk->node->directory.parent;
            } else if ((at = leave(walk, end, &result)) == NULL) {
                return result;
            }
            continue;
        }
        if (length > NAME_MAX)
            walk->late = -ENAMETOOLONG;
        frazil_entry *entry = length > NAME_MAX ? NULL : frazil_lookup(walk->node, at, length, &result);
        if (result != 0)
            return result;
        if (entry == NULL && !last)
            return -ENOENT;
        if (entry != NULL && S_ISLNK(entry->node->mode)
            && (!last || (flags & FRAZIL_FOLLOW) || (walk->slash && !(flags & FRAZIL_LAST)))) {
            if (++links > MAX_LINKS)
                return -ELOOP;
            if ((result = expand(walk, entry->node, rest)) != 0)
                return result;
            const char *target = after_mount(walk->text);
            at = walk->text;
            if (target != NULL) {
                walk->node = frazil_root;
                walk->last = FRAZIL_TOP;
                at = target;
            } else if (walk->text[0] == '/') {
                return strlen(walk->text) < PATH_MAX ? FRAZIL_REAL : -ENAMETOOLONG;
            }
            continue;
        }
        if (last) {
            walk->last = FRAZIL_NAME;
            walk->parent = walk->node;
            walk->entry = entry;
            walk->node = entry != NULL ? entry->node : NULL;
            walk->name = at;
            walk->length = length;
            if (walk->node != NULL && walk->slash && !(flags & FRAZIL_LAST) && !S_ISDIR(walk->node->mode))
                return -ENOTDIR;
            return 0;
        }
        walk->node = entry->node;
        at = end;
    }
}

int frazil_walk_existing(frazil_walk *walk, int directory, const char *path, int flags)
{
    int result = frazil_walk_path(walk, directory, path, flags);

    return result == 0 && walk->node == NULL ? -ENOENT : result;
}
