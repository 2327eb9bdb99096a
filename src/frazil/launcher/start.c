/* The start, step by step, up to the border with Python (docs/spec/launcher.md, "The start"). */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dlfcn.h>

#include "core.h"
#include "exec/exec.h"
#include "frazil.h"
#include "image/icecube.h"
#include "memfs/memfs.h"
#include "native/native.h"
#include "platform/platform.h"
#include "warm/warm.h"

/* Defined in link mode static, where embedding and core are one program. */
extern int frazil_embed_main(const frazil_core *core) __attribute__((weak));
extern int frazil_embed_start(const frazil_core *core) __attribute__((weak));

typedef int (*embedding)(const frazil_core *core);

static icecube image;
static char executable[PATH_MAX];
static char interpreter[64]; /* argv[0] that asks for the interpreter */
static uint64_t started;

static void say_step(const char *name)
{
    fprintf(stderr, "frazil: start: %8.3f ms  %s\n", (double)(frazil_platform_now() - started) / 1e6, name);
}

static void say_nothing(const char *name)
{
    (void)name;
}

static const char *program_name(char **argv)
{
    const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL;

    return slash ? slash + 1 : argv[0] && *argv[0] ? argv[0] : "frazil";
}

static const char *message_name = "frazil";

static void say_damaged(const char *what, const icecube_error *error)
{
    fprintf(stderr, "%s: this executable is damaged: %s%s%s (at byte %llu of the image)\n", message_name, what ? what : "",
        what ? ": " : "", error->problem, (unsigned long long)error->offset);
}

/* Whether a comma-separated list has that word. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (; list && *list; list = strchr(list, ',') ? strchr(list, ',') + 1 : "")
        if (strncmp(list, word, length) == 0 && (list[length] == ',' || list[length] == '\0'))
            return true;
    return false;
}

static int open_image(void)
{
    const void *base;
    size_t size;
    uint64_t offset;
    icecube_error error;

    if (!frazil_platform_image(&base, &size, &offset)) {
        fprintf(stderr, "%s: this executable is damaged: its image is missing\n", message_name);
        return FRAZIL_EXIT_DAMAGED;
    }
    if (size == 0) {
        fprintf(stderr, "%s: this executable is damaged: truncated: the file ends before its image does\n", message_name);
        return FRAZIL_EXIT_DAMAGED;
    }
    if (icecube_open(&image, base, size, &error) != ICECUBE_FOUND) {
        say_damaged(NULL, &error);
        return FRAZIL_EXIT_DAMAGED;
    }
    return 0;
}

static const char *entry_name(int number)
{
    char setting[64];

    snprintf(setting, sizeof setting, "entry.%d.name", number);
    return icecube_setting(&image, setting);
}

/* "tool.exe" and "tool" call entry "tool". */
static bool calls(const char *as, const char *entry)
{
    size_t length = strlen(entry);

    return strncmp(as, entry, length) == 0 && (as[length] == '\0' || as[length] == '.');
}

/* Which entry point runs; shifts argv when its first argument chose. Returns -1 after a message. */
static int choose_entry(frazil_core *core)
{
    const char *setting = icecube_setting(&image, "entry");
    int count = setting ? atoi(setting) : 0;

    if (count == 1)
        return 0;
    for (int i = 0; i < count; i++)
        if (entry_name(i) && calls(core->name, entry_name(i)))
            return i;
    for (int i = 0; i < count && core->argc > 1; i++)
        if (entry_name(i) && strcmp(core->argv[1], entry_name(i)) == 0) {
            core->argc--;
            core->argv++;
            return i;
        }
    fprintf(stderr, "%s: this executable holds several programs; call it by the name of one, or give the name first:\n",
        core->name);
    for (int i = 0; i < count; i++)
        fprintf(stderr, "  %s\n", entry_name(i) ? entry_name(i) : "?");
    return -1;
}

static bool asks_for_interpreter(const frazil_core *core)
{
    return core->argc > 0 && strcmp(core->argv[0], interpreter) == 0;
}

static int choose_mode(frazil_core *core)
{
    const char *is_interpreter = icecube_setting(&image, "interpreter");

    if (asks_for_interpreter(core)) {
        if (frazil_platform_has_more_rights()) {
            fprintf(
                stderr, "%s: this program runs with more rights than its user; it is no Python interpreter then\n", core->name);
            return FRAZIL_EXIT_USAGE;
        }
        bool child = core->argc > 1 && strcmp(core->argv[1], "--multiprocessing-fork") == 0;
        core->mode = child ? FRAZIL_MULTIPROCESSING : FRAZIL_INTERPRETER;
        return 0;
    }
    if (is_interpreter && strcmp(is_interpreter, "1") == 0) {
        core->mode = FRAZIL_INTERPRETER;
        return 0;
    }
    core->mode = FRAZIL_APPLICATION;
    core->entry = choose_entry(core);
    return core->entry < 0 ? FRAZIL_EXIT_USAGE : 0;
}

/* Load a library that the image holds; NULL after a message. */
static void *load(const icecube_node *node)
{
    char path[PATH_MAX];
    icecube_node found;
    icecube_error error;
    void *loaded;

    snprintf(path, sizeof path, FRAZIL_MOUNT "/%.*s", (int)node->path_length, node->path);
    loaded = dlopen(path, RTLD_LAZY | RTLD_GLOBAL);
    if (loaded)
        return loaded;
    error = (icecube_error){"the path index leaves it out", image.header.path_index_offset};
    if (icecube_find(&image, node->path, node->path_length, &found, &error) != ICECUBE_FOUND
        || icecube_verify(&image, node, &error) != ICECUBE_FOUND)
        say_damaged(path, &error);
    else
        fprintf(stderr, "%s: Python cannot be loaded: %s\n", message_name, dlerror());
    return NULL;
}

static bool starts_with(const icecube_node *node, const char *start)
{
    return node->path_length >= strlen(start) && memcmp(node->path, start, strlen(start)) == 0;
}

/* Link mode shared: libpython and the embedding come from the image, in this order. A function of the embedding, or NULL after
 * a message. */
static embedding load_embedding(const frazil_core *core, const char *function)
{
    static const char *const libraries[] = {"lib/libpython", "lib/libfrazil-embed.so"};
    icecube_node lib, child;
    icecube_error error = {"the image has no libraries", 0};
    embedding found = NULL;
    void *loaded = NULL;

    if (icecube_find(&image, "lib", 3, &lib, &error) != ICECUBE_FOUND)
        goto damaged;
    for (size_t which = 0; which < sizeof libraries / sizeof *libraries; which++) {
        for (uint32_t i = 0; i < lib.child_count; i++) {
            if (icecube_node_at(&image, lib.first_child + i, &child, &error) != ICECUBE_FOUND)
                goto damaged;
            if (!starts_with(&child, libraries[which]))
                continue;
            loaded = load(&child);
            if (!loaded)
                return NULL;
        }
        core->step(libraries[which]);
    }
    if (loaded)
        *(void **)&found = dlsym(loaded, function);
    if (found)
        return found;

damaged:
    core->damaged("Python cannot be loaded", &error);
    return NULL;
}

/* Defined in launchers of executables that were built warm. */
#pragma weak frazil_warm_begin
#pragma weak frazil_warm_start
#pragma weak frazil_warm_resume

static frazil_core core;

/* What this process is, as far as it is known without the image. */
static void know_process(int argc, char **argv, const char *debug)
{
    core.step = lists(debug, "start") ? say_step : say_nothing;
    core.damaged = say_damaged;
    core.debug_import = lists(debug, "import");
    core.argc = argc;
    core.argv = argv;
    core.name = message_name = program_name(argv);
    core.image = &image;
    frazil_native_set_debug(lists(debug, "native"));
}

/* The executable's path, and how it is executed again. */
static void know_executable(void)
{
    const char *version = icecube_setting(&image, "python");
    const char *self_exec = icecube_setting(&image, "self-exec");

    frazil_platform_executable(executable, sizeof executable);
    core.executable = executable;
    snprintf(interpreter, sizeof interpreter, FRAZIL_MOUNT "/bin/python%s", version ? version : "");
    frazil_exec_init(executable, interpreter, self_exec && strcmp(self_exec, "application") == 0);
    if (core.mode == FRAZIL_WARMING)
        strncpy(executable, FRAZIL_WARM_MAKER, sizeof executable); /* all of it: no snapshot tells where it was made */
}

/* Image, memfs and what is known of the process; 0, or the exit code after a message. */
static int prepare(int argc, char **argv)
{
    const char *debug = secure_getenv("FRAZIL_DEBUG");
    const char *limit;
    int failure;

    started = core.mode == FRAZIL_WARMING ? 0 : frazil_platform_now();
    know_process(argc, argv, debug);
    failure = open_image();
    if (failure)
        return failure;
    core.step("image");

    limit = icecube_setting(&image, "memfs.limit");
    frazil_memfs_mount(&image, limit ? strtoull(limit, NULL, 10) : 0);
    core.step("mount");
    know_executable();
    return 0;
}

/* Choose what runs, and run it. */
static int run(void)
{
    embedding function;
    int failure = core.mode == FRAZIL_WARMING ? 0 : choose_mode(&core);

    if (failure)
        return failure;
    core.step("process");
    function = frazil_embed_main ? frazil_embed_main : load_embedding(&core, "frazil_embed_main");
    return function ? function(&core) : FRAZIL_EXIT_DAMAGED;
}

/* Go on where the snapshot was made: with another process, and the entry still to run. */
static int resume(int argc, char **argv, uint64_t begun)
{
    int failure;

    started = begun;
    core.mode = FRAZIL_APPLICATION;
    know_process(argc, argv, secure_getenv("FRAZIL_DEBUG"));
    core.step("snapshot");
    know_executable();
    frazil_memfs_adopt();
    if (strcmp(argv[0], FRAZIL_WARM_TRIAL) == 0) {
        core.mode = FRAZIL_WARMING;
        return frazil_warm_resume(&core);
    }
    failure = choose_mode(&core);
    return failure ? failure : frazil_warm_resume(&core);
}

void frazil_go_on(int argc, char **argv, uint64_t begun)
{
    exit(resume(argc, argv, begun));
}

/* What a setting says, before the image is opened. */
static const char *early_setting(const char *name)
{
    const void *base;
    size_t size;
    uint64_t offset;
    icecube early;
    icecube_error error;

    if (!frazil_platform_image(&base, &size, &offset) || icecube_open(&early, base, size, &error) != ICECUBE_FOUND)
        return NULL;
    return icecube_setting(&early, name);
}

int frazil_main(int argc, char **argv)
{
    const char *debug = secure_getenv("FRAZIL_DEBUG");
    uint64_t begun = frazil_platform_now();
    int failure;

    /* What imports take, and the steps of the start, only a cold start can show. */
    if (frazil_warm_start && !lists(debug, "import") && !lists(debug, "start"))
        frazil_warm_start(argc, argv, lists(debug, "warm"), begun, early_setting);
    if (frazil_warm_start && argc > 0 && strcmp(argv[0], FRAZIL_WARM_TRIAL) == 0)
        return 1; /* it does not start warm, which is all that was asked */
    if (frazil_warm_begin && frazil_warm_begin(&argc, &argv))
        core.mode = FRAZIL_WARMING;
    else if (frazil_warm_start)
        frazil_platform_prefault();
    failure = prepare(argc, argv);
    return failure ? failure : run();
}

int frazil_initialize(int argc, char **argv)
{
    embedding function;
    int failure = prepare(argc, argv);

    if (failure)
        return failure;
    if (asks_for_interpreter(&core)) /* a child of Python code in this program */
        exit(run());
    core.mode = FRAZIL_APPLICATION;
    core.step("process");
    function = frazil_embed_start ? frazil_embed_start : load_embedding(&core, "frazil_embed_start");
    return function ? function(&core) : FRAZIL_EXIT_DAMAGED;
}
