/* For native modules, and C programs that link the launcher. Needs no Python.h.
 *
 * The start of the program that is inside (docs/embedding.md), and where modules come from that are not in the executable
 * (docs/spec/pmm.md, "Functions"). */
#ifndef FRAZIL_H
#define FRAZIL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Run the program that is inside, as if it were this one: to be called once, by the first thread, from main with its arguments.
 * Returns its exit code. */
int frazil_main(int argc, char **argv);

/* Only start the interpreter, with argv as sys.argv; once, by the first thread. 0: the calling thread holds the GIL, the
 * functions of Python.h and every module inside are there, and the program ends Python with Py_FinalizeEx. Otherwise the exit
 * code for main, after a message.
 *
 * Does not return in a process that Python code of this program started to have an interpreter (sys.executable with -c or -m,
 * multiprocessing): call it before anything that such a child must not do. */
int frazil_initialize(int argc, char **argv);

/* What a storage answers. */
#define FRAZIL_FOUND 1 /* *data and *size are the module's bytes, as `frazil pmm compile` writes them */
#define FRAZIL_NOT_HERE 0 /* the next storage is asked, then the executable */
#define FRAZIL_ERROR (-1) /* the import fails; *data and *size may be a text that says why */

/* Look for a module by its dotted name. The bytes must stay as they are until the function is called again; memory that can be
 * addressed, such as mapped flash, need not be copied. Never called by two threads at once. */
typedef int (*frazil_load)(void *context, const char *name, const void **data, size_t *size);

/* Ask `load` for modules from now on; `context` is passed to it. May be called before Python starts, from any thread.
 * 0; or -1 when there is no room for more. */
int frazil_register_storage(frazil_load load, void *context);

#ifdef __cplusplus
}
#endif

#endif
