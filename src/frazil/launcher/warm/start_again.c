/* Falling back: a process that cannot go on as the snapshot's executes its program once more, cold. */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "memfs/kernel.h"
#include "warm/restore.h"
#include "warm/warm.h"

static const int guarded_signals[2] = {SIGSEGV, SIGBUS};

void frazil_warm_tell(const char *decision, const char *reason, const char *detail)
{
    fprintf(stderr, "frazil: warm: %s%s%s%s%s\n", decision, *reason ? ": " : "", reason, *detail ? " " : "", detail);
}

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

static void write_line(const char *said, const char *why)
{
    frazil_kernel(SYS_write, 2, said, length_of(said));
    frazil_kernel(SYS_write, 2, why, length_of(why));
    frazil_kernel(SYS_write, 2, "\n", 1);
}

/* Execute this program once more, cold, with `mark` in its environment. Calls nothing that a fault could have left half done.
 */
__attribute__((noreturn)) static void start_again(const char *why, char *mark)
{
    const frazil_fresh *own = FRAZIL_FRESH;
    size_t count = 0;
    long block;

    if (own->debug)
        write_line("frazil: warm: starting again, cold: ", why);
    while (own->environment[count])
        count++;
    block
        = frazil_kernel(SYS_mmap, 0, (count + 2) * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block > 0) {
        char **environment = (char **)block; /* zero behind the mark */
        for (size_t i = 0; i < count; i++)
            environment[i] = own->environment[i];
        environment[count] = mark;
        frazil_kernel(SYS_execve, "/proc/self/exe", own->argv, environment);
        frazil_kernel(SYS_execve, own->file, own->argv, environment);
    }
    write_line("frazil: the program cannot be executed again after a warm start that failed: ", why);
    frazil_kernel(SYS_exit_group, 1);
    __builtin_unreachable();
}

void frazil_warm_give_up(const char *why)
{
    start_again(why, (char *)FRAZIL_WARM_COLD "=1");
}

static void on_fault(int number)
{
    uint64_t set = 1ul << (number - 1);

    frazil_kernel(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8);
    start_again("a fault", (char *)FRAZIL_WARM_COLD "=" FRAZIL_WARM_AFTER_FAULT);
}

/* As the kernel takes it; the handler never returns, and needs no way back. */
void frazil_warm_guard(void)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        unsigned long restorer;
        unsigned long mask;
    } action = {on_fault, SA_NODEFER | 0x04000000 /* SA_RESTORER, which x86-64 demands */, (unsigned long)on_fault, 0};

    for (size_t i = 0; i < 2; i++)
        frazil_kernel(SYS_rt_sigaction, guarded_signals[i], &action, &FRAZIL_FRESH->before[i], 8);
    FRAZIL_FRESH->guarded = true;
}

void frazil_warm_settled(void)
{
    frazil_fresh *own = FRAZIL_FRESH;

    for (size_t i = 0; i < 2 && own->guarded; i++)
        frazil_kernel(SYS_rt_sigaction, guarded_signals[i], &own->before[i], 0, 8);
    own->guarded = false;
    if (own->debug)
        frazil_warm_tell("warm", "", "");
}
