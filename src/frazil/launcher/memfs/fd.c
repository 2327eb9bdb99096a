/* The table of descriptors (memfs/fd.h). */
#include "memfs/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "memfs/file.h"
#include "memfs/kernel.h"

frazil_descriptor *frazil_fd_chunks[FRAZIL_FD_CHUNKS];
static frazil_node internal; /* stands for descriptors of memfs's own */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void frazil_lock(void)
{
    pthread_mutex_lock(&lock);
}

void frazil_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void keep_backing(int fd, frazil_node *node)
{
    (void)fd;
    if (S_ISREG(node->mode))
        node->file.stay = true; /* the child can write to it when all descriptors here are closed */
}

static void before_fork(void)
{
    frazil_lock();
    frazil_fd_each(0, INT_MAX, keep_backing);
}

static void after_fork_in_parent(void)
{
    frazil_file_forked(false);
    frazil_unlock();
}

static void after_fork_in_child(void)
{
    frazil_no_guest();
    frazil_file_forked(true);
    frazil_unlock();
}

__attribute__((constructor)) static void watch_forks(void)
{
    frazil_no_guest();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static frazil_descriptor *make_slot(int fd)
{
    frazil_descriptor *slot = frazil_fd_slot(fd);

    if (slot != NULL || (unsigned)fd >= FRAZIL_FD_CHUNK * FRAZIL_FD_CHUNKS)
        return slot;
    frazil_descriptor *chunk = calloc(FRAZIL_FD_CHUNK, sizeof *chunk);
    __atomic_store_n(&frazil_fd_chunks[(unsigned)fd / FRAZIL_FD_CHUNK], chunk, __ATOMIC_RELEASE);
    return frazil_fd_slot(fd);
}

static void set(frazil_descriptor *slot, frazil_node *node)
{
    __atomic_store_n(&slot->node, node, __ATOMIC_RELEASE);
}

/* Whether the slot's entry still tells the truth. */
static bool is_current(int fd, const frazil_descriptor *slot, struct stat *status)
{
    return frazil_kernel(SYS_fstat, fd, status) == 0 && status->st_ino == slot->kernel_number
        && status->st_dev == slot->kernel_device;
}

frazil_node *frazil_fd_node_stat(int fd, struct stat *status)
{
    struct stat here;
    frazil_descriptor *slot = frazil_fd_slot(fd);

    if (slot == NULL || slot->node == NULL || slot->node == &internal)
        return NULL;
    if (is_current(fd, slot, status != NULL ? status : &here))
        return slot->node;
    if (!frazil_is_guest())
        frazil_fd_release(frazil_fd_take(fd));
    return NULL;
}

frazil_node *frazil_fd_node(int fd)
{
    return frazil_fd_node_stat(fd, NULL);
}

int frazil_fd_enter(int fd, frazil_node *node)
{
    struct stat status;
    uint64_t number, device;
    frazil_descriptor *slot = make_slot(fd);

    if (slot == NULL) {
        frazil_kernel(SYS_close, fd);
        return -EMFILE;
    }
    if (!S_ISREG(node->mode) || !frazil_file_identity(node, &number, &device)) {
        if (frazil_kernel(SYS_fstat, fd, &status) != 0)
            return -EBADF;
        number = status.st_ino;
        device = status.st_dev;
    }
    if (slot->node != NULL)
        frazil_fd_release(frazil_fd_take(fd));
    slot->kernel_number = number;
    slot->kernel_device = device;
    set(slot, node);
    frazil_node_hold(node);
    if (S_ISREG(node->mode))
        frazil_file_opened(node);
    return fd;
}

frazil_node *frazil_fd_take(int fd)
{
    frazil_descriptor *slot = frazil_fd_slot(fd);
    frazil_node *node = slot != NULL ? slot->node : NULL;

    if (node == NULL)
        return NULL;
    set(slot, NULL);
    slot->kernel_number = slot->kernel_device = 0;
    return node != &internal ? node : NULL;
}

void frazil_fd_release(frazil_node *node)
{
    if (node == NULL)
        return;
    node->holds--;
    if (S_ISREG(node->mode))
        frazil_file_closed(node);
    frazil_node_settle(node);
}

/* Numbers from half of the limit on: programs count on low numbers, and select() on those below 1024. */
static int first_internal(void)
{
    struct rlimit limit;

    if (frazil_kernel(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) != 0)
        return 512;
    return limit.rlim_cur >= 8192 ? 4096 : (int)limit.rlim_cur / 2;
}

int frazil_fd_keep(int fd)
{
    struct stat status;
    long kept = frazil_kernel(SYS_fcntl, fd, F_DUPFD_CLOEXEC, first_internal());

    if (kept >= 0 || kept == -EMFILE || kept == -EINVAL) {
        if (kept < 0) /* no room there: stay where it is */
            kept = fd;
        else
            frazil_kernel(SYS_close, fd);
        frazil_descriptor *slot = make_slot((int)kept);
        if (slot != NULL && frazil_kernel(SYS_fstat, kept, &status) == 0) {
            if (slot->node != NULL)
                frazil_fd_release(frazil_fd_take((int)kept));
            slot->kernel_number = status.st_ino;
            slot->kernel_device = status.st_dev;
            set(slot, &internal);
        }
    } else {
        frazil_kernel(SYS_close, fd);
    }
    return (int)kept;
}

bool frazil_fd_is_internal(int fd)
{
    struct stat status;
    frazil_descriptor *slot = frazil_fd_slot(fd);

    return slot != NULL && slot->node == &internal && is_current(fd, slot, &status);
}

void frazil_fd_drop(int fd)
{
    frazil_fd_take(fd);
    frazil_kernel(SYS_close, fd);
}

int frazil_fd_next_internal(int fd)
{
    for (; (unsigned)fd < FRAZIL_FD_CHUNK * FRAZIL_FD_CHUNKS; fd++) {
        frazil_descriptor *slot = frazil_fd_slot(fd);
        if (slot == NULL)
            fd |= FRAZIL_FD_CHUNK - 1;
        else if (slot->node == &internal)
            return fd;
    }
    return -1;
}

void frazil_fd_each(int first, int last, void (*visit)(int fd, frazil_node *node))
{
    for (int fd = first; fd <= last && (unsigned)fd < FRAZIL_FD_CHUNK * FRAZIL_FD_CHUNKS; fd++) {
        frazil_descriptor *slot = frazil_fd_slot(fd);
        if (slot == NULL)
            fd |= FRAZIL_FD_CHUNK - 1;
        else if (slot->node != NULL && slot->node != &internal)
            visit(fd, slot->node);
    }
}
