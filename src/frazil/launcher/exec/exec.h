/* Starting programs (docs/spec/launcher.md, "Modes").
 *
 * The launcher defines execve, execv, execvp, execvpe, execl, execlp, execle, execveat, posix_spawn and posix_spawnp; the
 * dynamic linker prefers these to libc's. They start programs that lie in memfs, and our own executable as the interpreter when
 * the arguments ask for one. libc's own system() and popen() do not come here. */
#ifndef FRAZIL_EXEC_H
#define FRAZIL_EXEC_H

#include <stdbool.h>

/* `executable_path` is the absolute path of the running executable, "" when unknown; `interpreter_argv0` is the argv[0] with
 * which it runs as the interpreter, and the path of the link in memfs that means the same. `application_only`: argv[0] is never
 * replaced. The strings must live on. Before that, programs are started as they are. */
void frazil_exec_init(const char *executable_path, const char *interpreter_argv0, bool application_only);

/* Whether arguments, argv[0] included, ask for an interpreter. Looks at the file system, keeps nothing.
 *
 * "-" (the program is on the standard input stream), options alone ("-V") and no arguments do not: applications have such
 * arguments, too, and the specification does not name them. Nor do options that CPython does not know, or "-c" and "-m" without
 * a value. */
bool frazil_exec_wants_interpreter(char *const argv[]);

#endif
