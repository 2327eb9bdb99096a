/* glob and nftw, whose libc versions read directories without asking us. */
#include "libc/real.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc/asked.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

/* What is watched goes through our functions too. */
static bool is_ours(const char *path)
{
    return frazil_is_memfs(AT_FDCWD, path) || (path != NULL && frazil_is_watched());
}

/* glob: libc's, with our functions in the places that it has for others. */

_Static_assert(sizeof(glob_t) == sizeof(glob64_t), "glob_t and glob64_t are one");

typedef int glob_error(const char *path, int error);

static void close_stream(void *stream)
{
    closedir(stream);
}

static void *open_stream(const char *path)
{
    return opendir(path);
}

static struct dirent *read_stream(void *stream)
{
    return readdir(stream);
}

FRAZIL_SLOW static int glob_memfs(const char *pattern, int flags, glob_error *on_error, glob_t *found)
{
    found->gl_closedir = close_stream;
    found->gl_readdir = read_stream;
    found->gl_opendir = open_stream;
    found->gl_lstat = lstat;
    found->gl_stat = stat;
    int result = FRAZIL_REAL_OF(glob)(pattern, flags | GLOB_ALTDIRFUNC, on_error, found);
    found->gl_flags &= ~GLOB_ALTDIRFUNC;
    return result;
}

FRAZIL_EXPORT int glob(const char *restrict pattern, int flags, glob_error *on_error, glob_t *restrict found)
{
    if (!(flags & GLOB_ALTDIRFUNC) && is_ours(pattern))
        return glob_memfs(pattern, flags, on_error, found);
    return FRAZIL_REAL_OF(glob)(pattern, flags, on_error, found);
}

FRAZIL_EXPORT int glob64(const char *restrict pattern, int flags, glob_error *on_error, glob64_t *restrict found)
{
    if (!(flags & GLOB_ALTDIRFUNC) && is_ours(pattern))
        return glob_memfs(pattern, flags, on_error, (glob_t *)found);
    return FRAZIL_REAL_OF(glob64)(pattern, flags, on_error, found);
}

/* nftw */

typedef int visit_function(const char *path, const struct stat *status, int type, struct FTW *where);
typedef int plain_visit(const char *path, const struct stat *status, int type);

typedef struct frazil_tour {
    char path[PATH_MAX];
    size_t length;
    int flags;
    int level;
    visit_function *visit;
    plain_visit *plain; /* for ftw */
    dev_t device;
} frazil_tour;

static int base_of(const frazil_tour *tour)
{
    size_t base = tour->length;

    while (base > 1 && tour->path[base - 1] == '/')
        base--;
    while (base > 0 && tour->path[base - 1] != '/')
        base--;
    return (int)base;
}

static int call(frazil_tour *tour, const struct stat *status, int type)
{
    struct FTW where = {.base = base_of(tour), .level = tour->level};

    return tour->plain != NULL ? tour->plain(tour->path, status, type) : tour->visit(tour->path, status, type, &where);
}

static int tour_node(frazil_tour *tour);

/* All that a directory holds. The names are read first, so that no descriptor is open while it goes deeper. */
static int tour_children(frazil_tour *tour)
{
    struct dirent **names;
    int count = scandir(tour->path, &names, NULL, NULL), result = 0;
    size_t length = tour->length;

    if (count < 0)
        return -1;
    tour->level++;
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        size_t added = strlen(name);
        bool slash = length > 0 && tour->path[length - 1] != '/';
        if (result == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            if (length + slash + added >= sizeof tour->path) {
                errno = ENAMETOOLONG;
                result = -1;
            } else {
                tour->path[length] = '/';
                memcpy(tour->path + length + slash, name, added + 1);
                tour->length = length + slash + added;
                result = tour_node(tour);
            }
        }
        free(names[i]);
    }
    free(names);
    tour->level--;
    tour->length = length;
    tour->path[length] = 0;
    return result;
}

static int tour_directory(frazil_tour *tour, const struct stat *status)
{
    bool depth = tour->flags & FTW_DEPTH;

    if (access(tour->path, R_OK | X_OK) != 0)
        return call(tour, status, FTW_DNR);
    int result = depth ? 0 : call(tour, status, FTW_D);
    if ((tour->flags & FTW_ACTIONRETVAL) && (result == FTW_SKIP_SUBTREE || result == FTW_SKIP_SIBLINGS))
        return result == FTW_SKIP_SUBTREE ? 0 : result;
    if (result == 0)
        result = tour_children(tour);
    if ((tour->flags & FTW_ACTIONRETVAL) && result == FTW_SKIP_SIBLINGS)
        result = 0; /* those below this directory */
    return result == 0 && depth ? call(tour, status, FTW_DP) : result;
}

static int tour_node(frazil_tour *tour)
{
    struct stat status = {0};
    bool physical = tour->flags & FTW_PHYS;

    if ((physical ? lstat : stat)(tour->path, &status) != 0) {
        if (errno != ENOENT && errno != EACCES && errno != ELOOP)
            return -1;
        if (!physical && lstat(tour->path, &status) == 0 && S_ISLNK(status.st_mode))
            return call(tour, &status, tour->plain != NULL ? FTW_NS : FTW_SLN);
        return tour->level == 0 ? -1 : call(tour, &status, FTW_NS);
    }
    if (tour->level == 0)
        tour->device = status.st_dev;
    if ((tour->flags & FTW_MOUNT) && status.st_dev != tour->device)
        return 0;
    if (S_ISDIR(status.st_mode))
        return tour_directory(tour, &status);
    return call(tour, &status, S_ISLNK(status.st_mode) ? FTW_SL : FTW_F);
}

FRAZIL_SLOW static int make_tour(const char *path, visit_function *visit, plain_visit *plain, int flags)
{
    frazil_tour tour = {.flags = flags & ~FTW_CHDIR, .visit = visit, .plain = plain, .length = strlen(path)};

    if (tour.length >= sizeof tour.path)
        return (int)frazil_result(-ENAMETOOLONG);
    memcpy(tour.path, path, tour.length + 1);
    while (tour.length > 1 && tour.path[tour.length - 1] == '/')
        tour.path[--tour.length] = 0;
    int result = tour_node(&tour);
    return (flags & FTW_ACTIONRETVAL) && result == FTW_SKIP_SIBLINGS ? 0 : result;
}

FRAZIL_EXPORT int nftw(const char *path, visit_function *visit, int descriptors, int flags)
{
    if (is_ours(path))
        return make_tour(path, visit, NULL, flags);
    return FRAZIL_REAL_OF(nftw)(path, visit, descriptors, flags);
}

FRAZIL_EXPORT int ftw(const char *path, plain_visit *visit, int descriptors)
{
    if (is_ours(path))
        return make_tour(path, NULL, visit, 0);
    return FRAZIL_REAL_OF(ftw)(path, visit, descriptors);
}

typedef int visit64_function(const char *path, const struct stat64 *status, int type, struct FTW *where);
typedef int plain64_visit(const char *path, const struct stat64 *status, int type);

FRAZIL_EXPORT int nftw64(const char *path, visit64_function *visit, int descriptors, int flags)
{
    if (is_ours(path))
        return make_tour(path, (visit_function *)visit, NULL, flags);
    return FRAZIL_REAL_OF(nftw64)(path, visit, descriptors, flags);
}

FRAZIL_EXPORT int ftw64(const char *path, plain64_visit *visit, int descriptors)
{
    if (is_ours(path))
        return make_tour(path, NULL, (plain_visit *)visit, 0);
    return FRAZIL_REAL_OF(ftw64)(path, visit, descriptors);
}
