/* Named pipes (memfs/pipe.h).
 *
 * Theory: an O_PATH descriptor keeps the inode of a pipe, but counts neither as reader nor as writer. Opening it again through
 * /proc gives one end, also when nobody else has it open, and also in a child of fork, which inherits the descriptor. The
 * kernel makes whoever opens a pipe with a name wait for the other end; for one without it does not, so we ask it, again and
 * again: poll says POLLHUP while there is no writer, and POLLERR while there is no reader. */
#include "memfs/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "memfs/fd.h"
#include "memfs/kernel.h"
#include "memfs/reopen.h"

static frazil_node *pipes; /* all nodes that have one */

int frazil_pipe_make(frazil_node *node)
{
    int ends[2];
    long error = frazil_kernel(SYS_pipe2, ends, O_CLOEXEC);

    if (error != 0)
        return (int)error;
    int kept = frazil_reopen_fd(ends[0], O_PATH | O_CLOEXEC, frazil_is_guest());
    frazil_kernel(SYS_close, ends[0]);
    frazil_kernel(SYS_close, ends[1]);
    if (kept >= 0)
        kept = frazil_fd_keep(kept);
    if (kept < 0)
        return kept == -EMFILE || kept == -ENFILE ? kept : -EPERM;
    node->pipe.kept = kept;
    node->pipe.next = pipes;
    pipes = node;
    return 0;
}

int frazil_pipe_open(const frazil_node *node, int flags, bool guest)
{
    return frazil_reopen_fd(node->pipe.kept, flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW), guest);
}

void frazil_pipe_free(frazil_node *node)
{
    frazil_node **at = &pipes;

    while (*at != NULL && *at != node)
        at = &(*at)->pipe.next;
    if (*at == NULL) /* it never got one */
        return;
    *at = node->pipe.next;
    frazil_fd_drop(node->pipe.kept);
}

int frazil_pipe_yield(int fd)
{
    frazil_node *node = pipes;

    while (node != NULL && node->pipe.kept != fd)
        node = node->pipe.next;
    int copy = node != NULL ? (int)frazil_kernel(SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1) : -EBUSY;
    if (copy >= 0 && (copy = frazil_fd_keep(copy)) == fd)
        return -EBUSY;
    if (copy < 0)
        return copy;
    node->pipe.kept = copy;
    frazil_fd_drop(fd);
    return 0;
}

/* Whether nobody has the other end. What a writer left counts as well as the writer. */
static bool is_alone(int fd, bool reads)
{
    struct pollfd asked = {.fd = fd, .events = reads ? POLLIN : POLLOUT};

    if (frazil_kernel(SYS_poll, &asked, 1, 0) < 0)
        return false;
    return reads ? (asked.revents & (POLLHUP | POLLIN)) == POLLHUP : (asked.revents & POLLERR) != 0;
}

int frazil_pipe_wait(int fd, int flags)
{
    bool reads = (flags & O_ACCMODE) == O_RDONLY;
    struct timespec pause = {.tv_nsec = 100000};
    long error = 0;

    if ((flags & O_ACCMODE) == O_RDWR || (reads && (flags & O_NONBLOCK)))
        return fd;
    while (error == 0 && is_alone(fd, reads)) {
        error = flags & O_NONBLOCK ? -ENXIO : frazil_kernel(SYS_nanosleep, &pause, NULL);
        if (pause.tv_nsec < 5000000)
            pause.tv_nsec *= 2;
    }
    return error == 0 ? fd : (int)error;
}
