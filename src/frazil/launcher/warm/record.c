/* Calls that are recorded while a snapshot is made (warm/record.h). Each function stands in the place of libc's. */
#include "libc/real.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "memfs/kernel.h"
#include "warm/record.h"
#include "warm/warm.h"
#include "warm/window.h"

#define HANDLERS_AT_MOST 512
#define VARIABLES_AT_MOST 64
#define VARIABLE_SIZE 512
#define LOCALES_AT_MOST 16
#define LOCALE_SIZE 256

/* No thread and no process has these. */
#define PROCESS 0x5EED5EED
#define EPOCH 1577836800

typedef struct handlers {
    void (*prepare)(void);
    void (*child)(void);
} handlers;

typedef struct locale_set {
    int category;
    char name[LOCALE_SIZE];
} locale_set;

static handlers fork_handlers[HANDLERS_AT_MOST];
static char variables[VARIABLES_AT_MOST][VARIABLE_SIZE]; /* NAME=VALUE, or NAME to unset it */
static struct sigaction signals[NSIG];
static locale_set locales[LOCALES_AT_MOST];
static unsigned fork_count, variable_count, locale_count;
static char **first_environment; /* on the stack, where the kernel put it */
static bool overflow;
static int notes = -1;
static uint64_t ticks, random_state = 0x9E3779B97F4A7C15u;

void (*frazil_warm_where)(char *text, unsigned long size);

/* -- notes ------------------------------------------------------------------------------------------------------------ */

void frazil_record_begin(int file)
{
    notes = file;
    first_environment = environ;
}

int frazil_record_file(void)
{
    return notes;
}

/* Percent-encoded, so that one note is one line. */
static size_t put(char *line, size_t at, size_t size, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; text && *text && at + 4 < size; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte > ' ' && byte != '%' && byte < 0x7F) {
            line[at++] = (char)byte;
            continue;
        }
        line[at++] = '%';
        line[at++] = digits[byte >> 4];
        line[at++] = digits[byte & 15];
    }
    line[at] = '\0';
    return at;
}

void frazil_record_note(const char *kind, const char *name, const char *value)
{
    static bool inside;
    static char late[8192];
    static size_t late_size;
    char line[sizeof late], where[512] = "";
    size_t at;

    if (notes < 0 || inside)
        return;
    inside = true;
    if (frazil_warm_where)
        frazil_warm_where(where, sizeof where);
    if (frazil_warm_where && !*where)
        strcpy(where, FRAZIL_OTHER_THREAD);
    at = put(line, 0, sizeof line, kind);
    line[at++] = '\t';
    at = put(line, at, sizeof line, name);
    line[at++] = '\t';
    line[at++] = value ? '=' : '-';
    at = put(line, at, sizeof line, value);
    line[at++] = '\t';
    at = put(line, at, sizeof line, where);
    line[at++] = '\n';
    if (frazil_kernel(SYS_write, notes, line, at) < 0 && !late_size) { /* in a child of vfork that has closed it */
        memcpy(late, line, at);
        late_size = at;
    } else if (late_size) {
        frazil_kernel(SYS_write, notes, late, late_size);
        late_size = 0;
    }
    inside = false;
}

/* -- environment ------------------------------------------------------------------------------------------------------ */

static void keep_variable(const char *text, size_t length)
{
    if (variable_count == VARIABLES_AT_MOST || length >= VARIABLE_SIZE) {
        overflow = true;
        return;
    }
    memcpy(variables[variable_count], text, length);
    variables[variable_count++][length] = '\0';
}

FRAZIL_EXPORT int setenv(const char *name, const char *value, int replace)
{
    char text[VARIABLE_SIZE];

    if (frazil_is_making() && (replace || !FRAZIL_REAL_OF(getenv)(name)))
        keep_variable(text, (size_t)snprintf(text, sizeof text, "%s=%s", name, value));
    return FRAZIL_REAL_OF(setenv)(name, value, replace);
}

FRAZIL_EXPORT int putenv(char *text)
{
    if (frazil_is_making())
        keep_variable(text, strlen(text));
    return FRAZIL_REAL_OF(putenv)(text);
}

FRAZIL_EXPORT int unsetenv(const char *name)
{
    if (frazil_is_making())
        keep_variable(name, strlen(name));
    return FRAZIL_REAL_OF(unsetenv)(name);
}

/* -- locale ----------------------------------------------------------------------------------------------------------- */

/* Which locale an import sets follows from the environment of the process. */
FRAZIL_EXPORT char *setlocale(int category, const char *name)
{
    char *set = FRAZIL_REAL_OF(setlocale)(category, name);

    if (!frazil_is_making() || !frazil_warm_where || !name || !set)
        return set;
    if (locale_count == LOCALES_AT_MOST || strlen(name) >= LOCALE_SIZE) {
        overflow = true;
        return set;
    }
    locales[locale_count].category = category;
    strcpy(locales[locale_count++].name, name);
    return set;
}

/* -- handlers of fork ------------------------------------------------------------------------------------------------ */

extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library);

FRAZIL_EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library)
{
    if (frazil_is_making() && fork_count < HANDLERS_AT_MOST)
        fork_handlers[fork_count++] = (handlers){prepare, child};
    else if (frazil_is_making())
        overflow = true;
    return FRAZIL_REAL_OF(__register_atfork)(prepare, parent, child, library);
}

extern int __cxa_atexit(void (*function)(void *), void *argument, void *library);

/* Whether it is what OpenSSL frees its memory with, a tenth of the time that a small program takes from a snapshot. */
static bool is_cleanup_of_openssl(void (*function)(void *))
{
    Dl_info found;

    return dladdr((void *)function, &found) && found.dli_saddr == (void *)function
        && strcmp(found.dli_sname, "OPENSSL_cleanup") == 0;
}

FRAZIL_EXPORT int __cxa_atexit(void (*function)(void *), void *argument, void *library)
{
    if (frazil_is_making() && is_cleanup_of_openssl(function))
        return 0;
    return FRAZIL_REAL_OF(__cxa_atexit)(function, argument, library);
}

void frazil_record_prepare(void)
{
    for (unsigned i = fork_count; i > 0; i--)
        if (fork_handlers[i - 1].prepare)
            fork_handlers[i - 1].prepare();
}

void frazil_record_after(void)
{
    for (unsigned i = 0; i < fork_count; i++)
        if (fork_handlers[i].child)
            fork_handlers[i].child();
}

bool frazil_record_keep(void)
{
    if (environ != first_environment) { /* libc's copy; what it holds points to the stack */
        for (char **at = environ; *at; at++)
            *at = NULL;
        environ = first_environment;
    }
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now = {.sa_handler = SIG_DFL};
        memset(&signals[number], 0, sizeof *signals);
        if (sigaction(number, NULL, &now) != 0 || now.sa_handler == SIG_DFL)
            continue;
        signals[number].sa_sigaction = now.sa_sigaction;
        signals[number].sa_flags = now.sa_flags;
        memcpy(&signals[number].sa_mask, &now.sa_mask, 8); /* libc leaves the rest as it was */
    }
    return !overflow;
}

bool frazil_record_replay(void)
{
    for (unsigned i = 0; i < variable_count; i++) {
        char *equals = strchr(variables[i], '=');
        if (equals)
            FRAZIL_REAL_OF(putenv)(variables[i]);
        else
            FRAZIL_REAL_OF(unsetenv)(variables[i]);
    }
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now = {.sa_handler = SIG_DFL};
        if (signals[number].sa_handler != SIG_DFL && sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaction(number, &signals[number], NULL); /* who started the program has the last word on what is ignored */
    }
    for (unsigned i = 0; i < locale_count; i++)
        if (!FRAZIL_REAL_OF(setlocale)(locales[i].category, locales[i].name))
            return false;
    return true;
}

/* -- threads ---------------------------------------------------------------------------------------------------------- */

#define STACKS_AT_MOST 256

static struct {
    void *low;
    size_t size;
} stacks[STACKS_AT_MOST];
static unsigned stack_count;

FRAZIL_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    int error = FRAZIL_REAL_OF(pthread_create)(thread, attributes, run, argument);
    pthread_attr_t made;

    if (error == 0 && frazil_is_making() && stack_count < STACKS_AT_MOST && pthread_getattr_np(*thread, &made) == 0) {
        pthread_attr_getstack(&made, &stacks[stack_count].low, &stacks[stack_count].size);
        stack_count++;
        pthread_attr_destroy(&made);
    }
    return error;
}

bool frazil_record_stack(unsigned number, uintptr_t *low, uintptr_t *high)
{
    if (number >= stack_count)
        return false;
    *low = (uintptr_t)stacks[number].low;
    *high = *low + stacks[number].size;
    return true;
}

/* -- who, when, at random --------------------------------------------------------------------------------------------- */

FRAZIL_EXPORT pid_t getpid(void)
{
    if (!frazil_is_making())
        return (pid_t)frazil_kernel(SYS_getpid, 0);
    frazil_record_note("process", "id", NULL);
    return PROCESS;
}

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void fill(void *buffer, size_t size)
{
    uint8_t *at = buffer;

    frazil_record_note("random", "", NULL);
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(next_random() >> 32);
}

/* Constructors ask before `main` knows what this process is for: CPython 3.13's allocator does. */
static bool makes_up(void)
{
    return frazil_is_making() || (frazil_warm == FRAZIL_WARM_OFF && frazil_window_entered());
}

FRAZIL_EXPORT ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    if (!makes_up())
        return FRAZIL_REAL_OF(getrandom)(buffer, size, flags);
    fill(buffer, size);
    return (ssize_t)size;
}

FRAZIL_EXPORT int getentropy(void *buffer, size_t size)
{
    if (!makes_up())
        return FRAZIL_REAL_OF(getentropy)(buffer, size);
    fill(buffer, size);
    return 0;
}

/* A clock of its own, which every look at it moves by a microsecond. */
static struct timespec tick(void)
{
    ticks++;
    return (struct timespec){EPOCH + (time_t)(ticks / 1000000), (long)(ticks % 1000000) * 1000};
}

FRAZIL_EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!makes_up())
        return FRAZIL_REAL_OF(clock_gettime)(clock, now);
    if (clock == CLOCK_REALTIME)
        frazil_record_note("time", "", NULL);
    *now = tick();
    return 0;
}

FRAZIL_EXPORT int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;

    if (!frazil_is_making())
        return FRAZIL_REAL_OF(gettimeofday)(now, zone);
    frazil_record_note("time", "", NULL);
    exact = tick();
    *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return 0;
}

FRAZIL_EXPORT time_t time(time_t *now)
{
    time_t seconds;

    if (!frazil_is_making())
        return FRAZIL_REAL_OF(time)(now);
    frazil_record_note("time", "", NULL);
    seconds = tick().tv_sec;
    if (now)
        *now = seconds;
    return seconds;
}

/* What has no function in every C library, programs ask the kernel for by its number. */
FRAZIL_EXPORT long syscall(long number, ...)
{
    long argument[6];
    va_list arguments;

    va_start(arguments, number);
    for (size_t i = 0; i < 6; i++)
        argument[i] = va_arg(arguments, long);
    va_end(arguments);
    if (frazil_is_making() && number == SYS_gettid)
        return PROCESS;
    if (number == SYS_getrandom && makes_up()) {
        fill((void *)argument[0], (size_t)argument[1]);
        return argument[1];
    }
    return FRAZIL_LIBC(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}
