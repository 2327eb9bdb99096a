/* For the embedding in a restored process. */
#ifndef FRAZIL_WARM_RESTORE_H
#define FRAZIL_WARM_RESTORE_H

#include <stdbool.h>

/* What stays this process's own while its memory is replaced: it lies outside of everything that a snapshot holds. */
typedef struct frazil_fresh {
    int argc;
    bool debug;
    bool guarded;
    char **argv;
    char **environment;
    const char *file; /* the executable, where there is no /proc */
    unsigned long thread_stack; /* bytes; what libc gives new threads, as the limits were */
    unsigned long long begun; /* nanoseconds; when main did */
    struct {
        unsigned long words[4];
    } before[2]; /* signal handlers, as the kernel has them */
} frazil_fresh;

#define FRAZIL_FRESH ((frazil_fresh *)0x0EFFFFFFF000ul)

/* Where the process goes on, with the snapshot's memory and its own stack. */
__attribute__((noreturn)) void frazil_warm_restored(void);

/* Python's UTF-8 mode is what the environment asks for: the locale is C, or there is none of that name. */
bool frazil_warm_locale_is_c(void);

/* Whether standard streams take any byte, as Python has it in the C locale and those like it. */
bool frazil_warm_locale_is_lenient(void);

/* The entry is about to run: faults are the program's own from now on. */
void frazil_warm_settled(void);

/* This process cannot go on as it is: execute the program again, cold. Calls nothing but the kernel. */
__attribute__((noreturn)) void frazil_warm_give_up(const char *why);

/* From here on until it is settled, a fault is a reason to give up. */
void frazil_warm_guard(void);

/* A line of FRAZIL_DEBUG on the standard error stream; reason and detail may be empty. */
void frazil_warm_tell(const char *decision, const char *reason, const char *detail);

#endif
