/* Directory streams.
 *
 * A stream of memfs is a structure of our own: a list of names, taken when the stream is opened or rewound. libc's DIR begins
 * with its descriptor, which is never negative; ours begins with a negative number. */
#include "libc/real.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc/asked.h"
#include "memfs/call.h"
#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/walk.h"

#define OURS (-0x46525a4c)

_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "dirent and dirent64 are one");

typedef struct frazil_stream {
    int mark; /* OURS */
    int fd;
    char *records; /* of struct dirent, one after the other; NULL: not read yet */
    size_t size;
    size_t at; /* byte of the next record */
    long position; /* its number */
} frazil_stream;

static frazil_stream *ours(DIR *directory)
{
    return directory != NULL && *(const int *)directory == OURS ? (frazil_stream *)directory : NULL;
}

/* Append a record; false when memory is short. */
static bool add(frazil_stream *stream, size_t *room, uint64_t number, uint32_t mode, const char *name, size_t length)
{
    size_t size = (offsetof(struct dirent, d_name) + length + 1 + 7) & ~(size_t)7;

    if (stream->size + size > *room) {
        size_t wanted = (*room + size) * 2 + 1024;
        char *larger = realloc(stream->records, wanted);
        if (larger == NULL)
            return false;
        stream->records = larger;
        *room = wanted;
    }
    struct dirent *record = (struct dirent *)(void *)(stream->records + stream->size);
    record->d_ino = number;
    record->d_off = ++stream->position;
    record->d_reclen = (unsigned short)size;
    record->d_type = (unsigned char)IFTODT(mode);
    memcpy(record->d_name, name, length);
    record->d_name[length] = 0;
    stream->size += size;
    return true;
}

/* Take the list of names; the lock is held. */
static int list(frazil_stream *stream, frazil_node *node)
{
    size_t room = 0;
    int error = frazil_complete(node);
    const frazil_node *above = node->directory.parent;

    stream->position = 0;
    bool fits = error == 0 && add(stream, &room, node->number, S_IFDIR, ".", 1)
        && add(stream, &room, above->number, S_IFDIR, "..", 2);
    for (const frazil_entry *entry = node->directory.first; entry != NULL && fits; entry = entry->next)
        fits = add(stream, &room, entry->node->number, entry->node->mode, entry->name, entry->length);
    if (node->directory.removed && fits)
        stream->size = 0; /* not even "." is there any more */
    stream->position = 0;
    stream->at = 0;
    if (fits)
        return 0;
    free(stream->records);
    stream->records = NULL;
    stream->size = 0;
    return error != 0 ? error : -ENOMEM;
}

static int read_list(frazil_stream *stream)
{
    int error = -EBADF;

    frazil_lock();
    frazil_node *node = frazil_fd_node(stream->fd);
    if (node != NULL)
        error = S_ISDIR(node->mode) ? list(stream, node) : -ENOTDIR;
    frazil_unlock();
    return error;
}

static DIR *new_stream(int fd)
{
    frazil_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL)
        return NULL;
    stream->mark = OURS;
    stream->fd = fd;
    return (DIR *)stream;
}

static DIR *open_stream(int directory, const char *path)
{
    int fd = (int)frazil_result(frazil_call_open(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));

    if (fd < 0)
        return NULL;
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return stream;
}

FRAZIL_EXPORT DIR *opendir(const char *path)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return open_stream(AT_FDCWD, path);
    frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, path, O_RDONLY);
    return FRAZIL_REAL_OF(opendir)(path);
}

/* 1: a directory of memfs, 0: not memfs's, else a negative errno. */
FRAZIL_SLOW static int is_our_directory(int fd)
{
    frazil_lock();
    frazil_node *node = frazil_fd_node(fd);
    int result = node == NULL ? 0 : S_ISDIR(node->mode) ? 1 : -ENOTDIR;
    frazil_unlock();
    if (result == 1 && frazil_kernel(SYS_fcntl, fd, F_GETFL) & O_PATH)
        result = -EBADF;
    return result;
}

FRAZIL_EXPORT DIR *fdopendir(int fd)
{
    int result = frazil_fd_maybe(fd) ? is_our_directory(fd) : 0;

    if (result < 0)
        return (void)frazil_result(result), NULL;
    return result ? new_stream(fd) : FRAZIL_REAL_OF(fdopendir)(fd);
}

FRAZIL_EXPORT int closedir(DIR *directory)
{
    frazil_stream *stream = ours(directory);

    if (stream == NULL)
        return FRAZIL_REAL_OF(closedir)(directory);
    int result = close(stream->fd);
    free(stream->records);
    free(stream);
    return result;
}

static struct dirent *next(frazil_stream *stream)
{
    if (stream->records == NULL) {
        int error = read_list(stream);
        if (error != 0)
            return (void)frazil_result(error), NULL;
    }
    if (stream->at >= stream->size)
        return NULL;
    struct dirent *record = (struct dirent *)(void *)(stream->records + stream->at);
    stream->at += record->d_reclen;
    stream->position = record->d_off;
    return record;
}

FRAZIL_EXPORT struct dirent *readdir(DIR *directory)
{
    frazil_stream *stream = ours(directory);

    return stream != NULL ? next(stream) : FRAZIL_REAL_OF(readdir)(directory);
}

FRAZIL_EXPORT struct dirent64 *readdir64(DIR *directory)
{
    frazil_stream *stream = ours(directory);

    return stream != NULL ? (struct dirent64 *)next(stream) : FRAZIL_REAL_OF(readdir64)(directory);
}

static int next_into(frazil_stream *stream, struct dirent *room, struct dirent **result)
{
    int before = errno;

    errno = 0;
    const struct dirent *record = next(stream);
    int error = errno;
    errno = before;
    *result = NULL;
    if (record != NULL) {
        memcpy(room, record, record->d_reclen);
        *result = room;
    }
    return record != NULL ? 0 : error;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* programs still call them */
FRAZIL_EXPORT int readdir_r(DIR *restrict directory, struct dirent *restrict room, struct dirent **restrict result)
{
    frazil_stream *stream = ours(directory);

    return stream != NULL ? next_into(stream, room, result) : FRAZIL_REAL_OF(readdir_r)(directory, room, result);
}

FRAZIL_EXPORT int readdir64_r(DIR *restrict directory, struct dirent64 *restrict room, struct dirent64 **restrict result)
{
    frazil_stream *stream = ours(directory);

    return stream != NULL ? next_into(stream, (struct dirent *)room, (struct dirent **)result)
                          : FRAZIL_REAL_OF(readdir64_r)(directory, room, result);
}
#pragma GCC diagnostic pop

FRAZIL_EXPORT void rewinddir(DIR *directory)
{
    frazil_stream *stream = ours(directory);

    if (stream == NULL) {
        FRAZIL_REAL_OF(rewinddir)(directory);
        return;
    }
    free(stream->records);
    stream->records = NULL;
    stream->size = stream->at = 0;
    stream->position = 0;
}

FRAZIL_EXPORT long telldir(DIR *directory)
{
    frazil_stream *stream = ours(directory);

    return stream != NULL ? stream->position : FRAZIL_REAL_OF(telldir)(directory);
}

FRAZIL_EXPORT void seekdir(DIR *directory, long position)
{
    frazil_stream *stream = ours(directory);

    if (stream == NULL) {
        FRAZIL_REAL_OF(seekdir)(directory, position);
        return;
    }
    stream->at = 0;
    stream->position = 0;
    while (stream->position < position && next(stream) != NULL)
        ;
}

FRAZIL_EXPORT int dirfd(DIR *directory)
{
    frazil_stream *stream = ours(directory);

    return stream != NULL ? stream->fd : FRAZIL_REAL_OF(dirfd)(directory);
}

/* scandir */

typedef int select_function(const struct dirent *);
typedef int order_function(const struct dirent **, const struct dirent **);

static int collect(DIR *directory, struct dirent ***names, select_function *wanted, int *count)
{
    size_t room = 0;
    struct dirent *record, **list = NULL;

    *count = 0;
    for (errno = 0; (record = readdir(directory)) != NULL; errno = 0) {
        if (wanted != NULL && !wanted(record))
            continue;
        if ((size_t)*count == room) {
            struct dirent **larger = realloc(list, (room = room * 2 + 16) * sizeof *list);
            if (larger == NULL)
                break;
            list = larger;
        }
        struct dirent *copy = malloc(record->d_reclen);
        if (copy == NULL)
            break;
        list[(*count)++] = memcpy(copy, record, record->d_reclen);
    }
    *names = list;
    return record != NULL ? ENOMEM : errno;
}

FRAZIL_SLOW static int scan(
    int directory, const char *path, struct dirent ***names, select_function *wanted, order_function *order)
{
    struct dirent **list;
    int count, before = errno;
    DIR *stream = open_stream(directory, path);

    if (stream == NULL)
        return -1;
    int error = collect(stream, &list, wanted, &count);
    closedir(stream);
    if (error != 0) {
        while (count > 0)
            free(list[--count]);
        free(list);
        errno = error;
        return -1;
    }
    if (order != NULL && count > 1)
        qsort(list, (size_t)count, sizeof *list, (int (*)(const void *, const void *))(void (*)(void))order);
    *names = list;
    errno = before;
    return count;
}

FRAZIL_EXPORT int scandir(
    const char *restrict path, struct dirent ***restrict names, select_function *wanted, order_function *order)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return scan(AT_FDCWD, path, names, wanted, order);
    frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, path, O_RDONLY);
    return FRAZIL_REAL_OF(scandir)(path, names, wanted, order);
}

FRAZIL_EXPORT int scandirat(
    int directory, const char *restrict path, struct dirent ***restrict names, select_function *wanted, order_function *order)
{
    if (frazil_is_memfs(directory, path))
        return scan(directory, path, names, wanted, order);
    frazil_saw(FRAZIL_LOOK_OPEN, directory, path, O_RDONLY);
    return FRAZIL_REAL_OF(scandirat)(directory, path, names, wanted, order);
}

typedef int select64_function(const struct dirent64 *);
typedef int order64_function(const struct dirent64 **, const struct dirent64 **);

FRAZIL_EXPORT int scandir64(
    const char *restrict path, struct dirent64 ***restrict names, select64_function *wanted, order64_function *order)
{
    if (frazil_is_memfs(AT_FDCWD, path))
        return scan(AT_FDCWD, path, (struct dirent ***)names, (select_function *)wanted, (order_function *)order);
    frazil_saw(FRAZIL_LOOK_OPEN, AT_FDCWD, path, O_RDONLY);
    return FRAZIL_REAL_OF(scandir64)(path, names, wanted, order);
}

FRAZIL_EXPORT int scandirat64(int directory, const char *restrict path, struct dirent64 ***restrict names,
    select64_function *wanted, order64_function *order)
{
    if (frazil_is_memfs(directory, path))
        return scan(directory, path, (struct dirent ***)names, (select_function *)wanted, (order_function *)order);
    frazil_saw(FRAZIL_LOOK_OPEN, directory, path, O_RDONLY);
    return FRAZIL_REAL_OF(scandirat64)(directory, path, names, wanted, order);
}
