/* vfork and clone: know when children may live that share our memory, but not our descriptors.
 *
 * Asking the kernel who runs, at each open and close, costs a twentieth of them; nearly always there is no such child. Those
 * that libc starts itself (posix_spawn, system) run nothing of ours. */
#include "libc/real.h"

#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include "memfs/fd.h"
#include "memfs/kernel.h"

/* Children that may live; one that the parent does not wait for counts for ever. */
static uint32_t frazil_guests __attribute__((used));
static long owner; /* the process that memfs describes */

bool frazil_is_guest(void)
{
    return __builtin_expect(__atomic_load_n(&frazil_guests, __ATOMIC_RELAXED) != 0, 0) && frazil_kernel(SYS_getpid, 0) != owner;
}

void frazil_no_guest(void)
{
    owner = getpid();
    __atomic_store_n(&frazil_guests, 0, __ATOMIC_RELAXED);
}

/* It returns twice, to the same place on the same stack, so the return address waits in a register that the kernel preserves.
 */
__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        "    .cfi_startproc\n"
        "    endbr64\n"
        "    popq %rdi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_register %rip, %rdi\n"
        "    lock incl frazil_guests(%rip)\n"
        "    movl $58, %eax\n" /* SYS_vfork */
        "    syscall\n"
        "    pushq %rdi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    testl %eax, %eax\n"
        "    je 1f\n" /* the child */
        "    lock decl frazil_guests(%rip)\n"
        "    cmpl $-4095, %eax\n"
        "    jae 2f\n"
        "1:  ret\n"
        "2:  negl %eax\n"
        "    pushq %rax\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    call __errno_location@PLT\n"
        "    popq %rcx\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    movl %ecx, (%rax)\n"
        "    movl $-1, %eax\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size vfork, .-vfork\n");

FRAZIL_EXPORT int clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
    bool shares = (flags & (CLONE_VM | CLONE_THREAD)) == CLONE_VM;
    bool last = flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID), second = last || (flags & CLONE_SETTLS);
    bool first = second || (flags & (CLONE_PARENT_SETTID | CLONE_PIDFD));
    va_list more;

    va_start(more, argument);
    void *parent_number = first ? va_arg(more, void *) : NULL;
    void *storage = second ? va_arg(more, void *) : NULL;
    void *child_number = last ? va_arg(more, void *) : NULL;
    va_end(more);
    if (shares)
        __atomic_add_fetch(&frazil_guests, 1, __ATOMIC_RELAXED);
    int child = FRAZIL_REAL_OF(clone)(run, stack, flags, argument, parent_number, storage, child_number);
    if (shares && (child < 0 || (flags & CLONE_VFORK)))
        __atomic_sub_fetch(&frazil_guests, 1, __ATOMIC_RELAXED);
    return child;
}
