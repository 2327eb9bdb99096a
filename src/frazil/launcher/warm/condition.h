/* What imports look at outside of the program: questions to the system (docs/spec/snapshot.md, "Conditions").
 *
 * A question is asked by one function while a snapshot is made and when it is checked, so that both understand it in one way.
 */
#ifndef FRAZIL_WARM_CONDITION_H
#define FRAZIL_WARM_CONDITION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CONDITION_VARIABLE = 1,
    CONDITION_ABSENT = 2, /* a variable */
    CONDITION_FILE = 3, /* size, permissions and time; argument: flags of fstatat */
    CONDITION_MISSING = 4, /* a file; argument: flags of fstatat */
    CONDITION_TYPE = 5, /* type and permissions alone; argument: flags of fstatat */
    CONDITION_ACCESS = 6, /* argument: mode of faccessat, FRAZIL_EFFECTIVE */
    CONDITION_LINK = 7, /* where a link points */
    CONDITION_REAL_PATH = 8,
    CONDITION_CONTENT = 9, /* of the first 64 KiB */
    CONDITION_DIRECTORY = 10, /* the current one */
    CONDITION_TERMINAL = 11, /* argument: a standard stream */
    CONDITION_WINDOW = 12, /* size of a terminal; argument: a standard stream */
    CONDITION_SYSTEM = 13, /* argument: a name of sysconf */
    CONDITION_PROCESSORS = 14, /* those that this process may use */
    CONDITION_LIMIT = 15, /* argument: a resource of getrlimit */
    CONDITION_USER = 16, /* argument: getuid, geteuid, getgid, getegid are 0 to 3 */
    CONDITION_HOST = 17, /* argument: the number of a field of uname's answer */
    CONDITION_UMASK = 18,
};

#define FRAZIL_EFFECTIVE 8u /* with the mode of faccessat: for the effective user */

/* Either numbers or a text; what is not used is 0 and empty. */
typedef struct frazil_answer {
    uint64_t number[2];
    char text[PATH_MAX];
} frazil_answer;

/* The system's answer of now; false for what is no question. Variables are not asked for so. */
bool frazil_ask(uint32_t kind, const char *name, uint32_t argument, frazil_answer *answer);

#endif
