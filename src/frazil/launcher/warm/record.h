/* What a process told the C library while a snapshot was made of it, and what it asked the system for.
 *
 * Theory of operation. A restored process has an environment of its own: variables that were set are recorded, in memory that
 * the snapshot holds, and set again. So are handlers of fork, which it runs as a child does. What was asked (environment,
 * files, time, random numbers) goes as notes to a file beside the dump; the builder makes of them the snapshot's key, or leaves
 * the module out that asked. Time, random numbers and identities are made up while recording, the same ones in every dump: two
 * dumps then differ only by the addresses of what the system placed. */
#ifndef FRAZIL_WARM_RECORD_H
#define FRAZIL_WARM_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "warm/warm.h"

/* Whether a snapshot is being made: what is asked is noted, and what differs from process to process made up. */
static inline bool frazil_is_making(void)
{
    return __builtin_expect(frazil_warm == FRAZIL_WARM_MAKING, 0);
}

/* A snapshot is to be made. Notes go to `file`; where the program is (module and line) is what `frazil_warm_where` says. */
void frazil_record_begin(int file);
int frazil_record_file(void);
extern void (*frazil_warm_where)(char *text, unsigned long size);
#define FRAZIL_OTHER_THREAD "a thread of a library" /* where there is no Python code */

/* One line: a kind, a name and a value, which may be NULL. */
void frazil_record_note(const char *kind, const char *name, const char *value);

/* Before and after the imports: what they changed of what each process has of its own is noted. */
void frazil_asked_begin(void);
void frazil_asked_end(void);

/* The stack of a thread that was started, by number from 0; false behind the last. It may have ended, and its stack be kept. */
bool frazil_record_stack(unsigned number, uintptr_t *low, uintptr_t *high);

/* Run the handlers that fork runs in the parent before it forks; libraries end their threads in them. */
void frazil_record_prepare(void);

/* In the restored process: set variables, signal handlers and the locale. False when a locale is not there. */
bool frazil_record_replay(void);

/* Before the dump: keep the signal handlers. Returns false when there was not room for all that was recorded. */
bool frazil_record_keep(void);

/* Run the handlers that fork runs in the child. */
void frazil_record_after(void);

#endif
