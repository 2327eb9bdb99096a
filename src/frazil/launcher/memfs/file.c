/* Contents of regular files (memfs/file.h). */
#include "memfs/file.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/memfd.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "image/inflate.h"
#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/reopen.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define PAGE 4096u
#define IDLE_MOST 256u /* memfds of files that are not open */
#define HEAP_MOST (1u << 20) /* larger files keep their memfd */
#define TRIM_EVERY (32u << 20) /* freed bytes of the heap */

static frazil_node *idle_first, *idle_last; /* not open, least recently closed first */
static uint32_t idle_count;
static uint64_t heap_bytes; /* in all files' heap */
static frazil_node *backed; /* all files that have a memfd */
static bool copies_made; /* descriptors exist that are not of their file's memfd */

/* Lists */

static void leave_idle(frazil_node *node)
{
    frazil_file *file = &node->file;

    if (!file->is_idle)
        return;
    *(file->idle_previous != NULL ? &file->idle_previous->file.idle_next : &idle_first) = file->idle_next;
    *(file->idle_next != NULL ? &file->idle_next->file.idle_previous : &idle_last) = file->idle_previous;
    file->is_idle = false;
    idle_count--;
}

static void become_idle(frazil_node *node)
{
    frazil_file *file = &node->file;

    if (file->is_idle)
        return;
    file->idle_next = NULL;
    file->idle_previous = idle_last;
    *(idle_last != NULL ? &idle_last->file.idle_next : &idle_first) = node;
    idle_last = node;
    file->is_idle = true;
    idle_count++;
}

static void become_backed(frazil_node *node)
{
    frazil_file *file = &node->file;

    file->backed_previous = NULL;
    file->backed_next = backed;
    if (backed != NULL)
        backed->file.backed_previous = node;
    backed = node;
    file->is_backed = true;
}

static void leave_backed(frazil_node *node)
{
    frazil_file *file = &node->file;

    if (!file->is_backed)
        return;
    *(file->backed_previous != NULL ? &file->backed_previous->file.backed_next : &backed) = file->backed_next;
    if (file->backed_next != NULL)
        file->backed_next->file.backed_previous = file->backed_previous;
    file->is_backed = false;
}

static void drop_heap(frazil_file *file)
{
    static uint64_t freed; /* since libc was last told to give back what it can */

    if (file->heap == NULL)
        return;
    heap_bytes -= file->size;
    freed += file->size;
    free(file->heap);
    file->heap = NULL;
    if (freed >= TRIM_EVERY) {
        freed = 0;
        malloc_trim(0);
    }
}

/* Filling memfds */

/* Where the kernel or a sandbox refuses memfds: a file without a name, in memory if there is a place for it. */
static int new_nameless_file(int refusal)
{
    static const char *const places[] = {"/dev/shm", "/tmp", "/var/tmp"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        long fd = frazil_kernel(SYS_openat, AT_FDCWD, places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
        if (fd >= 0)
            return (int)fd;
    }
    return refusal;
}

static int new_memfd(unsigned flags)
{
    static bool knows_exec = true;
    long fd = -EINVAL;

    if (__atomic_load_n(&knows_exec, __ATOMIC_RELAXED)) {
        fd = frazil_kernel(SYS_memfd_create, "frazil", MFD_CLOEXEC | MFD_EXEC | flags);
        if (fd == -EINVAL || fd == -EACCES) /* an older kernel; or vm.memfd_noexec=2, which refuses executable ones */
            __atomic_store_n(&knows_exec, false, __ATOMIC_RELAXED);
    }
    if (fd < 0 && fd != -EMFILE && fd != -ENFILE && fd != -ENOMEM)
        fd = frazil_kernel(SYS_memfd_create, "frazil", MFD_CLOEXEC | flags);
    return fd == -ENOSYS || fd == -EPERM || fd == -EACCES ? new_nameless_file((int)fd) : (int)fd;
}

static int write_all(int fd, const char *data, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        uint64_t piece = size - done < (1u << 30) ? size - done : 1u << 30;
        long written = frazil_kernel(SYS_pwrite64, fd, data + done, piece, done);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? (int)written : -EIO;
        done += (uint64_t)written;
    }
    return 0;
}

/* Copy what is in one memfd to another, leaving holes. */
static int copy_all(int from, int to)
{
    static char buffer[1 << 16]; /* the lock is held */
    struct stat status;
    int64_t at = 0;

    int error = (int)frazil_kernel(SYS_fstat, from, &status);
    if (error == 0)
        error = (int)frazil_kernel(SYS_ftruncate, to, status.st_size);
    while (error == 0) {
        long data = frazil_kernel(SYS_lseek, from, at, SEEK_DATA);
        if (data == -ENXIO)
            break;
        if (data < 0)
            return (int)data;
        long hole = frazil_kernel(SYS_lseek, from, data, SEEK_HOLE);
        for (at = data; at < hole && error == 0;) {
            long piece = hole - at < (long)sizeof buffer ? hole - at : (long)sizeof buffer;
            long count = frazil_kernel(SYS_pread64, from, buffer, piece, at);
            if (count <= 0)
                return count < 0 ? (int)count : 0;
            long written = frazil_kernel(SYS_pwrite64, to, buffer, count, at);
            if (written <= 0)
                error = written < 0 ? (int)written : -EIO;
            else
                at += written;
        }
    }
    return error;
}

/* The content in the image, verified once. */
static int image_data(frazil_node *node, icecube_node *record)
{
    const icecube *image = frazil_tree_image();
    icecube_error damage;

    if (icecube_node_at(image, node->image, record, &damage) != ICECUBE_FOUND)
        return -EIO;
    if (!node->file.verified && icecube_verify(image, record, &damage) != ICECUBE_FOUND)
        return -EIO;
    node->file.verified = true;
    return 0;
}

/* What the image holds, as the program is to see it: in the image itself, or decoded into memory of its own. */
static int decoded(const icecube_node *record, frazil_content *content)
{
    *content = (frazil_content){.data = record->data, .size = record->size, .unchanged = true};
    if (record->encoding == ICECUBE_ENCODING_RAW) {
        content->in_image = true;
        content->crc = record->data_crc;
        return 0;
    }
    long at = frazil_kernel(SYS_mmap, 0, record->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at < 0 && at > -4096)
        return (int)at;
    content->data = content->mapping = (void *)at;
    if (frazil_inflate(record->data, record->stored_size, content->mapping, record->size))
        return 0;
    frazil_content_release(content);
    return -EIO;
}

static int fill(frazil_node *node, int fd)
{
    frazil_file *file = &node->file;
    frazil_content content;
    icecube_node record;
    int error = 0;

    if (file->backing >= 0)
        error = copy_all(file->backing, fd);
    else if (node->image == ICECUBE_NO_NODE)
        error = write_all(fd, file->heap, file->size);
    else if ((error = image_data(node, &record)) == 0 && (error = decoded(&record, &content)) == 0) {
        error = write_all(fd, (const char *)content.data, content.size);
        frazil_content_release(&content);
    }
    return error;
}

static int filled_memfd(frazil_node *node, unsigned flags)
{
    int fd = new_memfd(flags);

    if (fd < 0)
        return fd;
    int error = fill(node, fd);
    if (error == 0)
        return fd;
    frazil_kernel(SYS_close, fd);
    return error;
}

/* Set-id bits that the kernel takes away when others than root write. The memfd has them too, to learn of that. */
static uint32_t dropped_by_writes(uint32_t mode)
{
    return (mode & S_ISUID) | (mode & S_IXGRP ? mode & S_ISGID : 0);
}

void frazil_file_mode_changed(frazil_node *node)
{
    struct stat status;
    int fd = node->file.backing;

    if (fd < 0 || frazil_kernel(SYS_fstat, fd, &status) != 0
        || (status.st_mode & (S_ISUID | S_ISGID)) == dropped_by_writes(node->mode))
        return;
    frazil_kernel(SYS_fchmod, fd, 0777 | dropped_by_writes(node->mode));
}

/* The memfd has the content from now on. */
static void set_backing(frazil_node *node, int fd, const struct timespec times[2])
{
    struct stat status;
    frazil_file *file = &node->file;

    frazil_kernel(SYS_utimensat, fd, 0, times, 0);
    file->backing = fd;
    if (dropped_by_writes(node->mode) != 0)
        frazil_file_mode_changed(node);
    if (frazil_kernel(SYS_fstat, fd, &status) == 0) {
        file->base_ctime = status.st_ctim;
        file->kernel_number = status.st_ino;
        file->kernel_device = status.st_dev;
        file->handle_size = 0;
    }
    file->inherited = false;
    drop_heap(file);
    become_backed(node);
}

/* A memfd that no other process has. Descriptors that are open keep the old one. */
static int make_private(frazil_node *node)
{
    struct stat status = {.st_mode = node->mode};
    frazil_file *file = &node->file;

    frazil_file_stat(node, NULL, &status);
    int fd = filled_memfd(node, 0);
    if (fd < 0 || (fd = frazil_fd_keep(fd)) < 0)
        return fd;
    copies_made |= file->opens != 0;
    frazil_fd_drop(file->backing);
    leave_backed(node);
    node->ctime = status.st_ctim;
    set_backing(node, fd, (struct timespec[2]){status.st_atim, status.st_mtim});
    return 0;
}

/* See to it that the file has a memfd. After a fork, the child takes one of its own, unless it has descriptors of the old one:
 * then path and descriptor stay one file. */
static int back(frazil_node *node)
{
    if (node->file.backing >= 0)
        return node->file.inherited && node->file.opens == 0 && node->image == ICECUBE_NO_NODE ? make_private(node) : 0;
    int fd = filled_memfd(node, 0);
    if (fd < 0 || (fd = frazil_fd_keep(fd)) < 0)
        return fd;
    set_backing(node, fd, (struct timespec[2]){node->atime, node->mtime});
    become_idle(node);
    return 0;
}

static bool keeps_times;

void frazil_file_keep_times(bool keeps)
{
    keeps_times = keeps;
}

/* Give the memfd back; the content goes to the heap, or is still in the image. */
static int unback(frazil_node *node)
{
    struct stat status;
    frazil_file *file = &node->file;
    char *heap = NULL;

    status.st_mode = node->mode;
    frazil_file_stat(node, NULL, &status);
    if (node->image == ICECUBE_NO_NODE && status.st_size > 0) {
        heap = malloc((size_t)status.st_size);
        if (heap == NULL)
            return -ENOMEM;
        for (int64_t done = 0; done < status.st_size;) {
            long count = frazil_kernel(SYS_pread64, file->backing, heap + done, status.st_size - done, done);
            if (count <= 0) {
                free(heap);
                return -EIO;
            }
            done += count;
        }
    }
    if (!keeps_times) {
        node->atime = status.st_atim;
        node->mtime = status.st_mtim;
        node->ctime = status.st_ctim;
    }
    file->base_ctime = (struct timespec){0};
    node->mode = status.st_mode;
    file->size = (uint64_t)status.st_size;
    file->heap = heap;
    heap_bytes += heap != NULL ? file->size : 0;
    frazil_fd_drop(file->backing);
    file->backing = -1;
    file->kernel_number = file->kernel_device = 0;
    /* A snapshot holds nothing that only one process knows. */
    memset(file->handle, 0, sizeof file->handle);
    file->handle_size = 0;
    file->handle_type = 0;
    leave_backed(node);
    leave_idle(node);
    return 0;
}

/* Whether the memfd can be given up: nobody else can still change what is in it. */
static bool can_rest(const frazil_node *node)
{
    struct stat status;

    if (node->image != ICECUBE_NO_NODE)
        return true;
    return !node->file.stay && frazil_kernel(SYS_fstat, node->file.backing, &status) == 0 && status.st_size <= HEAP_MOST;
}

static void rest_down_to(uint32_t most)
{
    frazil_node *next;

    for (frazil_node *node = idle_first; node != NULL && idle_count > most; node = next) {
        next = node->file.idle_next;
        if (!can_rest(node) || unback(node) != 0)
            leave_idle(node); /* it keeps its memfd until it is next closed */
    }
}

void frazil_file_trim(void)
{
    frazil_reopen_forget();
    rest_down_to(0);
}

/* Opening */

/* Without /proc and the rights for handles, there is no second description of one memfd. Readers get a sealed copy; writers
 * share the one that there is. */
static int open_without_proc(frazil_node *node, int flags)
{
    long fd;

    if ((flags & O_ACCMODE) == O_RDONLY && (node->image != ICECUBE_NO_NODE || node->file.opens > 0)) {
        fd = filled_memfd(node, MFD_ALLOW_SEALING);
        copies_made = true;
        if (fd >= 0)
            frazil_kernel(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    } else {
        fd = frazil_kernel(SYS_fcntl, node->file.backing, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
        if (fd >= 0 && (flags & O_TRUNC))
            frazil_kernel(SYS_ftruncate, fd, 0);
        if (fd >= 0)
            frazil_kernel(SYS_fcntl, fd, F_SETFL, flags);
    }
    if (fd < 0)
        return (int)fd;
    if (!(flags & O_CLOEXEC))
        frazil_kernel(SYS_fcntl, fd, F_SETFD, 0);
    frazil_kernel(SYS_lseek, fd, 0, SEEK_SET);
    return (int)fd;
}

static int reopen(frazil_node *node, int flags, bool guest)
{
    int fd = frazil_reopen(node, flags, guest);

    return fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES ? open_without_proc(node, flags) : fd;
}

/* For a child of vfork: a copy, with nothing kept. */
static int open_as_guest(frazil_node *node, int flags)
{
    if (node->file.backing >= 0)
        return reopen(node, flags, true);
    int fd = filled_memfd(node, 0);
    if (fd >= 0 && !(flags & O_CLOEXEC))
        frazil_kernel(SYS_fcntl, fd, F_SETFD, 0);
    if (fd >= 0 && (flags & O_TRUNC))
        frazil_kernel(SYS_ftruncate, fd, 0);
    return fd;
}

int frazil_file_open(frazil_node *node, int flags, bool guest)
{
    bool writes = !(flags & O_PATH) && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC));

    flags &= ~(O_CREAT | O_EXCL | O_NOFOLLOW | O_DIRECTORY | O_NOCTTY | (O_TMPFILE & ~O_DIRECTORY));
    if (guest)
        return open_as_guest(node, flags);
    int error = writes ? frazil_file_own(node) : back(node);
    if (error == -EMFILE || error == -ENFILE) { /* our own descriptors may be what is too many */
        rest_down_to(0);
        error = writes ? frazil_file_own(node) : back(node);
    }
    if (error != 0)
        return error;
    int fd = reopen(node, flags, false);
    if (fd == -EMFILE || fd == -ENFILE) {
        frazil_node *keep = node;
        leave_idle(keep);
        rest_down_to(0);
        fd = reopen(node, flags, false);
        if (fd < 0)
            become_idle(keep);
    }
    return fd;
}

int frazil_file_own(frazil_node *node)
{
    icecube_node record;

    if (node->image == ICECUBE_NO_NODE)
        return back(node);
    if (node->file.backing < 0) {
        int error = image_data(node, &record);
        if (error == 0 && !frazil_file_has_room(record.size) && frazil_file_room(record.size) < record.size)
            error = -ENOSPC;
        if (error != 0)
            return error;
    }
    /* A copy of what is in the image may be shared with another process, but not what is written to it. */
    int error = node->file.backing >= 0 && node->file.inherited ? make_private(node) : back(node);
    if (error == 0) {
        node->image = ICECUBE_NO_NODE;
        frazil_tree_changed(NULL);
    }
    return error;
}

int frazil_file_yield(int fd)
{
    if (frazil_reopen_yield(fd))
        return 0;
    frazil_node *node = backed;
    while (node != NULL && node->file.backing != fd)
        node = node->file.backed_next;
    int copy = node != NULL ? (int)frazil_kernel(SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1) : -EBUSY;
    if (copy >= 0 && (copy = frazil_fd_keep(copy)) == fd) /* no other number is left */
        return -EBUSY;
    if (copy < 0)
        return copy;
    node->file.backing = copy;
    frazil_fd_drop(fd);
    return 0;
}

bool frazil_file_identity(const frazil_node *node, uint64_t *number, uint64_t *device)
{
    *number = node->file.kernel_number;
    *device = node->file.kernel_device;
    return node->file.backing >= 0 && !copies_made;
}

void frazil_file_opened(frazil_node *node)
{
    node->file.opens++;
    leave_idle(node);
}

void frazil_file_closed(frazil_node *node)
{
    if (--node->file.opens != 0 || node->file.backing < 0 || node->links == 0)
        return;
    become_idle(node);
    rest_down_to(IDLE_MOST);
}

void frazil_file_forget(frazil_node *node)
{
    leave_idle(node);
    leave_backed(node);
    if (node->file.backing >= 0)
        frazil_fd_drop(node->file.backing);
    drop_heap(&node->file);
}

void frazil_file_forked(bool child)
{
    if (child)
        frazil_reopen_forget(); /* it is the parent's */
    for (frazil_node *node = backed; node != NULL; node = node->file.backed_next)
        if (child || node->image != ICECUBE_NO_NODE)
            node->file.inherited = true;
}

/* Metadata */

int frazil_file_truncate(frazil_node *node, int64_t size)
{
    int error = frazil_file_own(node);

    return error != 0 ? error : (int)frazil_kernel(SYS_ftruncate, node->file.backing, size);
}

int frazil_file_set_times(frazil_node *node, const struct timespec times[2])
{
    int error = back(node);

    if (error == 0)
        error = (int)frazil_kernel(SYS_utimensat, node->file.backing, 0, times, 0);
    return error;
}

static bool is_later(struct timespec one, struct timespec other)
{
    return one.tv_sec != other.tv_sec ? one.tv_sec > other.tv_sec : one.tv_nsec > other.tv_nsec;
}

static bool is_same(struct timespec one, struct timespec other)
{
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

void frazil_file_stat(const frazil_node *node, const struct stat *known, struct stat *status)
{
    struct stat kernel;
    const frazil_file *file = &node->file;

    status->st_ctim = node->ctime;
    if (known == NULL && file->backing >= 0 && frazil_kernel(SYS_fstat, file->backing, &kernel) == 0)
        known = &kernel;
    if (known == NULL) {
        status->st_size = (int64_t)file->size;
        status->st_blocks = (int64_t)((file->size + PAGE - 1) / PAGE * (PAGE / 512));
        status->st_atim = node->atime;
        status->st_mtim = node->mtime;
        return;
    }
    status->st_size = known->st_size;
    status->st_blocks = known->st_blocks;
    status->st_atim = known->st_atim;
    status->st_mtim = known->st_mtim;
    bool is_other = known->st_ino != file->kernel_number; /* a copy for one reader */
    if (is_other) {
        status->st_atim = node->atime;
        status->st_mtim = node->mtime;
        return;
    }
    status->st_mode &= ~(dropped_by_writes(node->mode) & ~known->st_mode);
    if (!is_same(known->st_ctim, file->base_ctime) && is_later(known->st_ctim, node->ctime))
        status->st_ctim = known->st_ctim;
}

int frazil_file_content(frazil_node *node, frazil_content *content)
{
    icecube_node record;

    if (node->image != ICECUBE_NO_NODE) {
        int error = image_data(node, &record);
        return error != 0 ? error : decoded(&record, content);
    }
    struct stat status;
    int fd = frazil_is_guest() && node->file.backing < 0 ? filled_memfd(node, 0) : -1;
    int error = fd < 0 ? back(node) : 0;
    if (error != 0)
        return error;
    frazil_file_stat(node, NULL, &status);
    *content = (frazil_content){.data = (const uint8_t *)"", .size = (size_t)status.st_size};
    if (content->size != 0) {
        long at = frazil_kernel(SYS_mmap, 0, content->size, PROT_READ, MAP_PRIVATE, fd < 0 ? node->file.backing : fd, 0);
        if (at < 0 && at > -4096)
            error = (int)at;
        else
            content->data = content->mapping = (void *)at;
    }
    if (fd >= 0)
        frazil_kernel(SYS_close, fd);
    return error;
}

/* The limit. Writes go straight to the kernel, so what is used is an estimate from above: what was counted last, and all that
 * was written since. Only when that passes the limit, all files are counted again. */

static uint64_t limit;
static bool limit_is_own; /* by the machine's memory: nobody has set one */
static uint64_t estimate;

void frazil_file_set_limit(uint64_t bytes)
{
    __atomic_store_n(&limit, bytes, __ATOMIC_RELAXED);
    limit_is_own = false;
}

uint64_t frazil_file_limit(void)
{
    struct sysinfo system;
    uint64_t most = __atomic_load_n(&limit, __ATOMIC_RELAXED);

    if (most == 0) {
        bool known = frazil_kernel(SYS_sysinfo, &system) == 0;
        most = known ? (uint64_t)system.totalram * system.mem_unit / 2 : UINT64_MAX;
        frazil_file_set_limit(most);
        limit_is_own = true;
    }
    return most;
}

void frazil_file_forget_limit(void)
{
    if (limit_is_own)
        frazil_file_set_limit(0);
}

uint64_t frazil_file_used(void)
{
    struct stat status;
    uint64_t used = frazil_node_bytes;

    for (const frazil_node *node = backed; node != NULL; node = node->file.backed_next)
        if (node->image == ICECUBE_NO_NODE && frazil_kernel(SYS_fstat, node->file.backing, &status) == 0)
            used += (uint64_t)status.st_blocks * 512;
    return used + heap_bytes;
}

static uint64_t pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

bool frazil_file_has_room(uint64_t wanted)
{
    uint64_t most = __atomic_load_n(&limit, __ATOMIC_RELAXED);

    if (most == 0 || wanted > most)
        return false;
    return __atomic_add_fetch(&estimate, pages(wanted), __ATOMIC_RELAXED) <= most;
}

uint64_t frazil_file_room(uint64_t wanted)
{
    uint64_t most = frazil_file_limit(), used = frazil_file_used();

    __atomic_store_n(&estimate, used + pages(wanted), __ATOMIC_RELAXED);
    if (used + pages(wanted) <= most)
        return wanted;
    uint64_t left = used < most ? (most - used) / PAGE * PAGE : 0;
    return left < wanted ? left : wanted;
}

/* How many bytes from `offset` on lie in pages that the file has. */
static uint64_t present_at(const frazil_node *node, int64_t offset)
{
    int fd = node->file.backing;
    long end = offset, place = fd >= 0 ? frazil_kernel(SYS_lseek, fd, 0, SEEK_CUR) : -1; /* others may share it, see above */

    if (place < 0)
        return 0;
    long page = offset / PAGE * PAGE;
    if (frazil_kernel(SYS_lseek, fd, page, SEEK_DATA) == page)
        end = (frazil_kernel(SYS_lseek, fd, page, SEEK_HOLE) + PAGE - 1) / PAGE * PAGE;
    frazil_kernel(SYS_lseek, fd, place, SEEK_SET);
    return end > offset ? (uint64_t)(end - offset) : 0;
}

uint64_t frazil_file_room_at(const frazil_node *node, int64_t offset, uint64_t wanted)
{
    uint64_t room = frazil_file_room(wanted);

    if (room == wanted)
        return room;
    uint64_t present = present_at(node, offset);
    return present >= wanted ? wanted : present + frazil_file_room(wanted - present);
}
