/* What programs in C see of memfs. Built into a program of its own with the sources of memfs; the argument names an image that
 * holds: data.txt ("data of the image\n"), dir/inner.txt, dir/link -> ../data.txt, away -> REAL_FILE, loop -> loop,
 * damaged.bin (whose content does not match its checksum), empty/. Ends with 0, or says what was wrong. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "libc/spawn.h"
#include "memfs/memfs.h"

#define CHECK(condition)                                                                                                       \
    do {                                                                                                                       \
        if (!(condition)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s (errno %d: %s)\n", __FILE__, __LINE__, #condition, errno, strerror(errno));             \
            exit(1);                                                                                                           \
        }                                                                                                                      \
    } while (0)
#define REAL_FILE "/lib64/ld-linux-x86-64.so.2" /* also there in a bare chroot */
#define FAILS(call, error) CHECK((call) == -1 && errno == (error))

static icecube image;
static uint8_t *image_bytes;
static size_t image_size;
static bool reopens; /* else readers get sealed copies */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
}

static bool holds(const char *path, const char *text)
{
    char buffer[4096];
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        return false;
    ssize_t count = read(fd, buffer, sizeof buffer);
    close(fd);
    return count == (ssize_t)strlen(text) && memcmp(buffer, text, strlen(text)) == 0;
}

static void test_reading(void)
{
    struct stat by_path, by_fd;
    char buffer[64];
    int fd = open("/memfs:/data.txt", O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(!reopens || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    FAILS(write(fd, "x", 1), reopens ? EBADF : EPERM);
    CHECK(read(fd, buffer, sizeof buffer) == 18);
    CHECK(memcmp(buffer, "data of the image\n", 18) == 0);
    CHECK(stat("/memfs:/data.txt", &by_path) == 0 && fstat(fd, &by_fd) == 0);
    CHECK(memcmp(&by_path, &by_fd, sizeof by_path) == 0 || by_path.st_atim.tv_sec != by_fd.st_atim.tv_sec
        || by_path.st_atim.tv_nsec != by_fd.st_atim.tv_nsec);
    CHECK(by_path.st_mtim.tv_sec == 1234567890 && by_path.st_mtim.tv_nsec == 123456789);
    CHECK(by_path.st_size == 18 && by_path.st_nlink == 1 && S_ISREG(by_path.st_mode));
    int other = open("memfs://data.txt", O_RDONLY);
    CHECK(other >= 0 && lseek(other, 0, SEEK_CUR) == 0); /* an offset of its own */
    void *mapping = mmap(NULL, 18, PROT_READ, MAP_PRIVATE, other, 0);
    CHECK(mapping != MAP_FAILED && memcmp(mapping, "data", 4) == 0);
    CHECK(munmap(mapping, 18) == 0 && close(other) == 0 && close(fd) == 0);
    FAILS(close(fd), EBADF);
    FAILS(open("/memfs:/damaged.bin", O_RDONLY), EIO);
    FAILS(open("/memfs:/none", O_RDONLY), ENOENT);
    FAILS(open("/memfs:/data.txt/x", O_RDONLY), ENOTDIR);
    FAILS(open("/memfs:/loop", O_RDONLY), ELOOP);
    CHECK(holds("/memfs:/dir/link", "data of the image\n"));
    CHECK(holds("memfs:/dir/../dir//link", "data of the image\n"));
    CHECK(readlink("/memfs:/dir/link", buffer, sizeof buffer) == 11 && memcmp(buffer, "../data.txt", 11) == 0);
    CHECK(stat("/memfs:/away", &by_path) == 0 && stat(REAL_FILE, &by_fd) == 0 && by_path.st_ino == by_fd.st_ino);
    const char *volatile nowhere = NULL;
    FAILS(stat(nowhere, &by_path), EFAULT);
}

static void test_streams(void)
{
    char line[64];
    FILE *stream = fopen("/memfs:/data.txt", "r");

    CHECK(stream != NULL && fgets(line, sizeof line, stream) != NULL && strcmp(line, "data of the image\n") == 0);
    stream = freopen("/memfs:/dir/inner.txt", "r", stream);
    CHECK(stream != NULL && fgets(line, sizeof line, stream) != NULL && strcmp(line, "inner\n") == 0);
    CHECK(fclose(stream) == 0);
    CHECK((stream = fopen("/memfs:/stream", "wx")) != NULL && fputs("one", stream) >= 0 && fclose(stream) == 0);
    CHECK(fopen("/memfs:/stream", "wx") == NULL && errno == EEXIST);
    CHECK((stream = fopen("/memfs:/stream", "a+e")) != NULL && fcntl(fileno(stream), F_GETFD) == FD_CLOEXEC);
    CHECK(fputs(" two", stream) >= 0 && fflush(stream) == 0 && fseek(stream, 0, SEEK_SET) == 0);
    CHECK(fgets(line, sizeof line, stream) != NULL && strcmp(line, "one two") == 0 && fclose(stream) == 0);
    CHECK(fopen("/memfs:/stream", "q") == NULL && errno == EINVAL);
    CHECK(unlink("/memfs:/stream") == 0);
}

static int count_names(DIR *directory)
{
    int count = 0;

    for (errno = 0; readdir(directory) != NULL;)
        count++;
    CHECK(errno == 0);
    return count;
}

static void test_directories(void)
{
    struct dirent **names, *record;
    DIR *directory = opendir("/memfs:"), *real = opendir("/");

    CHECK(directory != NULL && real != NULL);
    int count = count_names(directory);
    CHECK(count == 8 && count_names(real) > 2);
    rewinddir(directory);
    CHECK((record = readdir(directory)) != NULL && strcmp(record->d_name, ".") == 0);
    CHECK(readdir(directory) != NULL);
    long place = telldir(directory);
    CHECK((record = readdir(directory)) != NULL);
    char *name = strdup(record->d_name);
    seekdir(directory, place);
    CHECK((record = readdir(directory)) != NULL && strcmp(record->d_name, name) == 0);
    free(name);
    struct stat status;
    CHECK(fstatat(dirfd(directory), "dir/inner.txt", &status, 0) == 0 && S_ISREG(status.st_mode));
    CHECK(closedir(directory) == 0 && closedir(real) == 0);
    CHECK((count = scandir("/memfs:/dir", &names, NULL, alphasort)) == 4);
    CHECK(strcmp(names[2]->d_name, "inner.txt") == 0 && names[3]->d_type == DT_LNK);
    while (count > 0)
        free(names[--count]);
    free(names);
    CHECK(opendir("/memfs:/data.txt") == NULL && errno == ENOTDIR);
    int fd = open("/memfs:/dir", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    char byte;
    FAILS(read(fd, &byte, 1), EISDIR);
    CHECK(openat(fd, "inner.txt", O_RDONLY) >= 0);
    int child = openat(fd, "..", O_RDONLY);
    CHECK(child >= 0 && fstat(child, &status) == 0 && status.st_ino == 1);
    CHECK(close(child) == 0 && close(fd) == 0);
    FAILS(openat(fd, "inner.txt", O_RDONLY), EBADF);
}

static void test_current_directory(void)
{
    char path[PATH_MAX], other[PATH_MAX], before[PATH_MAX];

    CHECK(getcwd(before, sizeof before) == before);
    CHECK(chdir("/memfs:/dir") == 0);
    CHECK(strcmp(getcwd(path, sizeof path), "/memfs:/dir") == 0);
    CHECK(getcwd(path, 3) == NULL && errno == ERANGE);
    char *allocated = getcwd(NULL, 0);
    CHECK(allocated != NULL && strcmp(allocated, "/memfs:/dir") == 0);
    free(allocated);
    CHECK(holds("inner.txt", "inner\n") && holds("../data.txt", "data of the image\n"));
    CHECK(access("../.." REAL_FILE, R_OK) == 0);
    CHECK(realpath("link", path) == path && strcmp(path, "/memfs:/data.txt") == 0);
    CHECK(realpath("../away", path) == path && strcmp(path, realpath(REAL_FILE, other)) == 0);
    CHECK(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    CHECK(getcwd(path, sizeof path) == NULL && errno == ENOENT);
    FAILS(open("x", O_CREAT | O_WRONLY, 0644), ENOENT);
    CHECK(chdir("..") == 0 && strcmp(getcwd(path, sizeof path), "/memfs:/dir") == 0);
    CHECK(chdir(before) == 0 && strcmp(getcwd(path, sizeof path), before) == 0);
}

static void test_copy_up(void)
{
    struct stat before, after;
    int reader = open("/memfs:/dir/inner.txt", O_RDONLY);
    char buffer[16];

    CHECK(stat("/memfs:/dir/inner.txt", &before) == 0);
    int fd = open("/memfs:/dir/inner.txt", O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && write(fd, "more", 4) == 4 && close(fd) == 0);
    CHECK(holds("/memfs:/dir/inner.txt", "inner\nmore"));
    CHECK(stat("/memfs:/dir/inner.txt", &after) == 0 && after.st_ino == before.st_ino && after.st_size == 10);
    CHECK(read(reader, buffer, sizeof buffer) == (reopens ? 10 : 6)); /* it was open before, and sees it */
    CHECK(close(reader) == 0);
    CHECK(truncate("/memfs:/dir/inner.txt", 6) == 0 && holds("/memfs:/dir/inner.txt", "inner\n"));
    CHECK(rename("/memfs:/data.txt", "/memfs:/moved") == 0);
    FAILS(access("/memfs:/data.txt", F_OK), ENOENT);
    CHECK(holds("/memfs:/moved", "data of the image\n") && rename("/memfs:/moved", "/memfs:/data.txt") == 0);
    CHECK(holds("/memfs:/dir/link", "data of the image\n"));
}

static void test_changes(void)
{
    struct stat status;
    char buffer[16], big[300];

    write_file("/memfs:/a", "content");
    CHECK(link("/memfs:/a", "/memfs:/b") == 0 && stat("/memfs:/b", &status) == 0 && status.st_nlink == 2);
    int fd = open("/memfs:/a", O_RDWR);
    CHECK(unlink("/memfs:/a") == 0 && unlink("/memfs:/b") == 0);
    CHECK(fstat(fd, &status) == 0 && status.st_nlink == 0 && status.st_size == 7);
    CHECK(pread(fd, buffer, sizeof buffer, 0) == 7 && close(fd) == 0);
    memset(big, 'x', 299);
    big[299] = 0;
    char path[400];
    snprintf(path, sizeof path, "/memfs:/%s", big);
    FAILS(open(path, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
    FAILS(rename(REAL_FILE, "/memfs:/version"), EXDEV);
    FAILS(link("/memfs:/data.txt", "/x"), EXDEV);
    FAILS(rmdir("/memfs:"), EBUSY);
    FAILS(unlink("/memfs:/dir"), EISDIR);
    FAILS(rmdir("/memfs:/dir"), ENOTEMPTY);
    FAILS(rename("/memfs:/dir", "/memfs:/dir/sub"), EINVAL);
    FAILS(mknod("/memfs:/device", S_IFCHR | 0644, 259), EPERM);
    CHECK(mknod("/memfs:/socket", S_IFSOCK | 0644, 0) == 0);
    FAILS(open("/memfs:/socket", O_RDONLY), ENXIO);
    CHECK(unlink("/memfs:/socket") == 0);
    int watch = inotify_init1(IN_CLOEXEC);
    FAILS(inotify_add_watch(watch, "/memfs:/dir", IN_CREATE), ENOTSUP);
    close(watch);
    CHECK((fd = open("/memfs:/empty", O_TMPFILE | O_RDWR, 0600)) >= 0 && write(fd, "unnamed", 7) == 7);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "/memfs:/named", AT_SYMLINK_FOLLOW) == 0 && holds("/memfs:/named", "unnamed"));
    CHECK(close(fd) == 0 && unlink("/memfs:/named") == 0);
    CHECK((fd = open("/memfs:/sparse", O_CREAT | O_RDWR, 0644)) >= 0 && ftruncate(fd, 1l << 40) == 0);
    CHECK(fstat(fd, &status) == 0 && status.st_size == 1l << 40 && status.st_blocks == 0);
    CHECK(
        close(fd) == 0 && stat("/memfs:/sparse", &status) == 0 && status.st_size == 1l << 40 && remove("/memfs:/sparse") == 0);
}

static void test_descriptors(void)
{
    struct stat status, old;
    int one = open("/memfs:/data.txt", O_RDONLY), two = dup(one), three = fcntl(one, F_DUPFD_CLOEXEC, 50);

    CHECK(two >= 0 && three >= 50 && fstat(three, &status) == 0 && status.st_size == 18);
    CHECK(dup2(one, 60) == 60 && fstat(60, &old) == 0 && old.st_ino == status.st_ino);
    int real = open(REAL_FILE, O_RDONLY);
    CHECK(dup2(real, 60) == 60 && fstat(60, &old) == 0 && old.st_dev != status.st_dev);
    /* Closed behind our back, and the number used again: not ours any more. */
    syscall(SYS_close, two);
    CHECK(dup2(real, two) == two && fstat(two, &old) == 0 && old.st_dev != status.st_dev);
    CHECK(close_range(50, 70, 0) == 0);
    FAILS(fcntl(three, F_GETFD), EBADF);
    CHECK(close(one) == 0 && close(two) == 0 && close(real) == 0);
    /* The program cannot close what memfs keeps for itself. */
    write_file("/memfs:/kept", "kept");
    closefrom(10);
    for (int fd = 10; fd < 9000; fd++)
        close(fd);
    for (int fd = 60; fd < 800; fd++)
        CHECK(dup2(0, fd) == fd);
    for (int fd = 4090; fd < 4110; fd++)
        CHECK(dup2(0, fd) == fd || errno == EBADF);
    closefrom(10);
    CHECK(holds("/memfs:/kept", "kept") && unlink("/memfs:/kept") == 0);
}

static int visited;

static int visit(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    CHECK(path[where->base - 1] == '/' || where->level == 0);
    visited++;
    return 0;
}

static void test_searches(void)
{
    glob_t found;
    char template[] = "/memfs:/empty/tmpXXXXXX", directory[] = "/memfs:/empty/dXXXXXX.";
    struct statvfs space;

    CHECK(glob("/memfs:/d*/*.txt", 0, NULL, &found) == 0 && found.gl_pathc == 1);
    CHECK(strcmp(found.gl_pathv[0], "/memfs:/dir/inner.txt") == 0);
    globfree(&found);
    CHECK(glob("/lib64/ld-linux-x86-64.so.?", 0, NULL, &found) == 0 && found.gl_pathc == 1);
    globfree(&found);
    CHECK(nftw("/memfs:/", visit, 4, FTW_PHYS) == 0 && visited == 9);
    int fd = mkstemp(template);
    CHECK(fd >= 0 && access(template, R_OK | W_OK) == 0 && close(fd) == 0 && unlink(template) == 0);
    CHECK(mkdtemp(directory) == NULL && errno == EINVAL);
    directory[sizeof directory - 2] = 0;
    CHECK(mkdtemp(directory) == directory && rmdir(directory) == 0);
    CHECK(statvfs("/memfs:", &space) == 0 && space.f_blocks > 0 && space.f_bavail <= space.f_blocks);
}

static void test_many_files(void)
{
    struct rlimit limit = {.rlim_cur = 128, .rlim_max = 128}, before;
    char path[64], text[32];

    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    limit.rlim_max = before.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && mkdir("/memfs:/many", 0755) == 0);
    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "/memfs:/many/%d", i);
        snprintf(text, sizeof text, "content %d", i);
        write_file(path, text);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof path, "/memfs:/many/%d", i);
        snprintf(text, sizeof text, "content %d", i);
        CHECK(holds(path, text) && unlink(path) == 0);
    }
    CHECK(rmdir("/memfs:/many") == 0 && setrlimit(RLIMIT_NOFILE, &before) == 0);
}

static void in_child(void (*test)(void))
{
    int status;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        test();
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void change_all(void)
{
    write_file("/memfs:/mine", "child");
    write_file("/memfs:/shared", "changed by the child");
    CHECK(unlink("/memfs:/data.txt") == 0 && chdir("/memfs:/dir") == 0);
}

static void overwrite_image_file(void)
{
    write_file("/memfs:/data.txt", "overwritten by the child");
    CHECK(holds("/memfs:/data.txt", "overwritten by the child"));
}

static void read_image_file(void)
{
    usleep(100000); /* the parent overwrites it now */
    CHECK(holds("/memfs:/data.txt", "data of the image\n"));
}

static void append_and_reopen(void)
{
    int fd = open("/memfs:/shared", O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && write(fd, " and child", 10) == 10 && close(fd) == 0 && holds("/memfs:/shared", "parent and child"));
}

/* The content of one file, on both sides of a fork, with the memfd already there. */
static void test_fork_with_open_files(void)
{
    char buffer[64];
    int status, fd = open("/memfs:/data.txt", O_RDONLY);

    CHECK(read(fd, buffer, sizeof buffer) == 18);
    in_child(overwrite_image_file);
    CHECK(pread(fd, buffer, sizeof buffer, 0) == 18 && holds("/memfs:/data.txt", "data of the image\n"));
    pid_t child = fork();
    if (child == 0) {
        read_image_file();
        _exit(0);
    }
    int writer = open("/memfs:/data.txt", O_WRONLY);
    CHECK(writer >= 0 && pwrite(writer, "DATA", 4, 0) == 4 && waitpid(child, &status, 0) == child && status == 0);
    int copy = dup(fd);
    struct stat known;
    CHECK(fstat(copy, &known) == 0 && known.st_nlink == 1 && known.st_ino != 0 && close(copy) == 0);
    CHECK(pwrite(writer, "data", 4, 0) == 4 && close(writer) == 0 && close(fd) == 0);
    write_file("/memfs:/shared", "parent");
    in_child(append_and_reopen);
    CHECK(holds("/memfs:/shared", "parent") && unlink("/memfs:/shared") == 0);
}

static void test_fork(void)
{
    char path[PATH_MAX];

    write_file("/memfs:/shared", "parent");
    in_child(change_all);
    CHECK(holds("/memfs:/shared", "parent") && holds("/memfs:/data.txt", "data of the image\n"));
    FAILS(access("/memfs:/mine", F_OK), ENOENT);
    CHECK(strncmp(getcwd(path, sizeof path), "/memfs:", 7) != 0 && unlink("/memfs:/shared") == 0);
}

static void test_vfork(void)
{
    char path[PATH_MAX];
    int status, fd = open("/memfs:/data.txt", O_RDONLY);
    pid_t child = vfork();

    if (child == 0) { /* as subprocess does before it starts another program */
        close(fd);
        int other = open("/memfs:/dir/inner.txt", O_RDONLY);
        _exit(other >= 0 && dup2(other, 70) == 70 && chdir("/memfs:/dir") == 0 ? 0 : 1);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    struct stat kept;
    CHECK(fstat(fd, &kept) == 0 && S_ISREG(kept.st_mode) && kept.st_mtim.tv_sec == 1234567890);
    CHECK(strncmp(getcwd(path, sizeof path), "/memfs:", 7) != 0 && close(fd) == 0);
    FAILS(fstat(70, &kept), EBADF);
    CHECK(holds("/memfs:/dir/inner.txt", "inner\n"));
}

static int as_clone(void *unused)
{
    (void)unused;
    int fd = open("/memfs:/dir/inner.txt", O_RDONLY);
    return fd >= 0 && dup2(fd, 70) == 70 && close(fd) == 0 && chdir("/memfs:/dir") == 0 ? 0 : 1;
}

/* The same child by its other name. */
static void test_clone(void)
{
    static char stack[256 << 10] __attribute__((aligned(16)));
    char path[PATH_MAX];
    struct stat kept;
    int status;
    pid_t child = clone(as_clone, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    FAILS(fstat(70, &kept), EBADF);
    CHECK(strncmp(getcwd(path, sizeof path), "/memfs:", 7) != 0 && holds("/memfs:/dir/inner.txt", "inner\n"));
    FAILS(clone(as_clone, NULL, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL), EINVAL);
}

/* As in a sandbox that does not know memfds. */
static void refuse_memfds(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    CHECK(memfd_create("x", 0) == -1);
    write_file("/memfs:/elsewhere", "text");
    CHECK(holds("/memfs:/elsewhere", "text") && holds("/memfs:/data.txt", "data of the image\n"));
    CHECK(unlink("/memfs:/elsewhere") == 0);
}

/* What bears the mount's name is an entry like others to whoever goes through the tree by descriptors. */
static void test_entry_named_as_the_mount(void)
{
    struct stat status;

    CHECK(mkdir("/memfs:/named", 0755) == 0 && mkdir("/memfs:/named/memfs:", 0755) == 0);
    int fd = open("/memfs:/named", O_RDONLY | O_DIRECTORY);
    int inner = openat(fd, "memfs:", O_RDONLY | O_DIRECTORY);
    FAILS(fstatat(inner, "memfs:", &status, 0), ENOENT);
    CHECK(faccessat(inner, "memfs:/data.txt", F_OK, 0) == 0 && faccessat(inner, "/memfs:", F_OK, 0) == 0);
    CHECK(unlinkat(fd, "memfs:", AT_REMOVEDIR) == 0 && close(fd) == 0 && close(inner) == 0);
    CHECK(rmdir("/memfs:/named") == 0);
}

static void test_extended_attributes(void)
{
    char bytes[64];
    struct stat before, after;
    const char *path = "/memfs:/attributes", *user = "user.name";

    write_file(path, "x");
    CHECK(stat(path, &before) == 0 && symlink("attributes", "/memfs:/link-to-it") == 0);
    FAILS(getxattr(path, user, bytes, sizeof bytes), ENODATA);
    FAILS(setxattr(path, user, "value", 5, XATTR_REPLACE), ENODATA);
    CHECK(setxattr("/memfs:/link-to-it", user, "value", 5, XATTR_CREATE) == 0);
    FAILS(setxattr(path, user, "other", 5, XATTR_CREATE), EEXIST);
    FAILS(setxattr(path, user, "other", 5, 4), EINVAL);
    CHECK(getxattr(path, user, NULL, 0) == 5 && getxattr(path, user, bytes, sizeof bytes) == 5);
    CHECK(memcmp(bytes, "value", 5) == 0);
    FAILS(getxattr(path, user, bytes, 4), ERANGE);
    int fd = open(path, O_RDONLY);
    CHECK(fsetxattr(fd, "user.a", NULL, 0, 0) == 0 && fgetxattr(fd, "user.a", bytes, 1) == 0);
    CHECK(flistxattr(fd, NULL, 0) == 17 && listxattr(path, bytes, sizeof bytes) == 17);
    CHECK(memcmp(bytes, "user.a\0user.name\0", 17) == 0);
    FAILS(listxattr(path, bytes, 16), ERANGE);
    CHECK(fremovexattr(fd, "user.a") == 0 && close(fd) == 0);
    FAILS(removexattr(path, "user.a"), ENODATA);
    FAILS(lsetxattr("/memfs:/link-to-it", user, "v", 1, 0), EPERM);
    FAILS(lgetxattr("/memfs:/link-to-it", user, bytes, 1), ENODATA);
    CHECK(llistxattr("/memfs:/link-to-it", bytes, sizeof bytes) == 0);
    FAILS(setxattr(path, "nothing.x", "", 0, 0), EOPNOTSUPP);
    FAILS(setxattr(path, "", "", 0, 0), ERANGE);
    FAILS(setxattr(path, user, image_bytes, 65537, 0), E2BIG);
    FAILS(getxattr("/memfs:/nope", user, bytes, 1), ENOENT);
    fd = open(path, O_PATH);
    if (access("/proc/self/fd", F_OK) == 0)
        FAILS(fgetxattr(fd, user, bytes, 1), EBADF);
    CHECK(close(fd) == 0);
    CHECK(setxattr("/memfs:/dir", user, "directory", 9, 0) == 0 && removexattr("/memfs:/dir", user) == 0);
    CHECK(setxattr("/memfs:/dir/inner.txt", user, "image", 5, 0) == 0 && removexattr("/memfs:/dir/inner.txt", user) == 0);
    CHECK(stat(path, &after) == 0 && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
    FAILS(inotify_add_watch(0, path, IN_OPEN), ENOTSUP);
    CHECK(unlink(path) == 0 && unlink("/memfs:/link-to-it") == 0);
}

/* The child's standard output is a file of memfs that posix_spawn opens. */
static void test_spawn(void)
{
    posix_spawn_file_actions_t actions;
    char *arguments[] = {"true", NULL};
    const char *shell = "/bin/sh";
    int status;
    pid_t child;

    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 1, "/memfs:/nope/out", O_WRONLY | O_CREAT, 0600) == ENOENT);
    CHECK(posix_spawn_file_actions_addopen(&actions, 1, "/memfs:/out", O_WRONLY | O_CREAT, 0600) == 0);
    if (access(shell, X_OK) == 0) {
        char *script[] = {"sh", "-c", "echo from the child", NULL};
        CHECK(posix_spawn(&child, shell, &actions, NULL, script, environ) == 0);
        CHECK(waitpid(child, &status, 0) == child && status == 0 && holds("/memfs:/out", "from the child\n"));
    } else {
        CHECK(posix_spawn(&child, shell, &actions, NULL, arguments, environ) == ENOENT);
    }
    CHECK(posix_spawn_file_actions_destroy(&actions) == 0 && unlink("/memfs:/out") == 0);
    FAILS(fcntl(256, F_GETFD), EBADF);
}

/* Whether a child that starts with these actions has that descriptor. */
static bool inherited(const posix_spawn_file_actions_t *actions, int fd)
{
    char command[48];
    char *words[] = {"sh", "-c", command, NULL};
    int status = 0;
    pid_t child;

    snprintf(command, sizeof command, "test -e /proc/self/fd/%d", fd);
    CHECK(posix_spawn(&child, "/bin/sh", actions, NULL, words, environ) == 0 && waitpid(child, &status, 0) == child);
    return status == 0;
}

/* What a child reads outlives that all descriptors are closed; the actions are afterwards as they were. */
static void test_spawn_closefrom(void)
{
    posix_spawn_file_actions_t actions;

    if (access("/bin/sh", X_OK) != 0)
        return;
    int high = fcntl(0, F_DUPFD, 60);
    CHECK(high >= 60 && posix_spawn_file_actions_init(&actions) == 0);
    CHECK(frazil_spawn_keep(&actions, high) == high && inherited(&actions, high));
    CHECK(posix_spawn_file_actions_addclosefrom_np(&actions, 7) == 0);
    CHECK(!inherited(&actions, 7) && !inherited(&actions, high));
    for (int turn = 0; turn < 2; turn++) {
        CHECK(frazil_spawn_keep(&actions, 2) == 2 && frazil_spawn_keep(&actions, high) == 7);
        CHECK(inherited(&actions, 7) && !inherited(&actions, 8));
        frazil_spawn_restore(&actions);
        CHECK(!inherited(&actions, 7));
    }
    CHECK(posix_spawn_file_actions_adddup2(&actions, 0, 8) == 0); /* closing is no longer the last */
    CHECK(frazil_spawn_keep(&actions, high) == high && inherited(&actions, 8));
    CHECK(posix_spawn_file_actions_destroy(&actions) == 0 && close(high) == 0);
}

static void write_to_pipe(void)
{
    int fd = open("/memfs:/pipe", O_WRONLY);
    CHECK(fd >= 0 && write(fd, "from the child", 14) == 14);
}

static void read_from_pipe(void)
{
    char bytes[8];
    int fd = open("/memfs:/pipe", O_RDONLY);

    CHECK(fd >= 0 && read(fd, bytes, sizeof bytes) == 6 && memcmp(bytes, "parent", 6) == 0);
    CHECK(read(fd, bytes, sizeof bytes) == 0);
}

static void test_named_pipes(void)
{
    char bytes[64];
    int status;
    struct stat known;

    if (access("/proc/self/fd", F_OK) != 0) {
        FAILS(mkfifo("/memfs:/pipe", 0640), EPERM);
        FAILS(access("/memfs:/pipe", F_OK), ENOENT);
        return;
    }
    CHECK(mkfifo("/memfs:/pipe", 0640) == 0 && stat("/memfs:/pipe", &known) == 0);
    CHECK(known.st_mode == (S_IFIFO | 0640) && known.st_size == 0 && known.st_nlink == 1);
    FAILS(mkfifo("/memfs:/pipe", 0640), EEXIST);
    FAILS(open("/memfs:/pipe", O_WRONLY | O_NONBLOCK), ENXIO);
    int in = open("/memfs:/pipe", O_RDONLY | O_NONBLOCK);
    CHECK(in >= 0 && read(in, bytes, sizeof bytes) == 0);
    int out = open("/memfs:/pipe", O_WRONLY | O_TRUNC | O_CREAT, 0600);
    CHECK(out >= 0 && write(out, "abc", 3) == 3 && read(in, bytes, sizeof bytes) == 3);
    FAILS(read(in, bytes, sizeof bytes), EAGAIN);
    FAILS(lseek(in, 0, SEEK_SET), ESPIPE);
    CHECK(fstat(in, &known) == 0 && S_ISFIFO(known.st_mode) && close(in) == 0 && close(out) == 0);
    for (int round = 0; round < 2; round++) { /* each side waits for the other */
        pid_t child = fork();
        if (child == 0) {
            write_to_pipe();
            _exit(0);
        }
        in = open("/memfs:/pipe", O_RDONLY);
        CHECK(in >= 0 && read(in, bytes, sizeof bytes) == 14 && read(in, bytes, sizeof bytes) == 0 && close(in) == 0);
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    pid_t child = fork();
    if (child == 0) {
        read_from_pipe();
        _exit(0);
    }
    out = open("/memfs:/pipe", O_WRONLY);
    CHECK(out >= 0 && write(out, "parent", 6) == 6 && close(out) == 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    out = open("/memfs:/pipe", O_RDWR);
    CHECK(out >= 0 && rename("/memfs:/pipe", "/memfs:/moved") == 0 && unlink("/memfs:/moved") == 0);
    CHECK(write(out, "x", 1) == 1 && read(out, bytes, sizeof bytes) == 1 && close(out) == 0);
}

static void test_core_interface(void)
{
    frazil_content content;
    char path[PATH_MAX];

    CHECK(frazil_memfs_owns("/memfs:") && frazil_memfs_owns("memfs://x") && frazil_memfs_owns("//memfs:/"));
    CHECK(!frazil_memfs_owns("/memfs") && !frazil_memfs_owns("/memfs:x") && !frazil_memfs_owns("memfs"));
    CHECK(frazil_content_open("/memfs:/dir/link", &content) == 0 && content.in_image && content.size == 18);
    frazil_content_release(&content);
    CHECK(frazil_content_open("/memfs:/damaged.bin", &content) == EIO);
    CHECK(frazil_content_open("/memfs:/dir", &content) == EISDIR && frazil_content_open("/memfs:/x", &content) == ENOENT);
    write_file("/memfs:/upper", "upper");
    CHECK(frazil_content_open("/memfs:/upper", &content) == 0 && !content.in_image && content.size == 5);
    CHECK(memcmp(content.data, "upper", 5) == 0);
    frazil_content_release(&content);
    CHECK(unlink("/memfs:/upper") == 0);
    CHECK(frazil_memfs_realpath("memfs:/dir/./link", path, sizeof path) == 0 && strcmp(path, "/memfs:/data.txt") == 0);
    CHECK(frazil_memfs_realpath("/memfs:/", path, sizeof path) == 0 && strcmp(path, "/memfs:") == 0);
    CHECK(frazil_memfs_realpath("/memfs:/nope", path, sizeof path) == ENOENT);
}

int main(int argc, char **argv)
{
    icecube_error error;
    struct stat status;

    CHECK(argc == 2);
    reopens = access("/proc/self/fd", F_OK) == 0 || geteuid() == 0;
    int fd = open(argv[1], O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    image_size = (size_t)status.st_size;
    image_bytes = mmap(NULL, image_size, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(image_bytes != MAP_FAILED && close(fd) == 0);
    CHECK(icecube_open(&image, image_bytes, image_size, &error) == ICECUBE_FOUND);
    FAILS(open("/memfs:/data.txt", O_RDONLY), ENOENT); /* not mounted yet */
    frazil_memfs_mount(&image, 64 << 20);

    test_reading();
    test_streams();
    test_directories();
    test_current_directory();
    test_copy_up();
    test_changes();
    test_descriptors();
    test_searches();
    test_many_files();
    test_entry_named_as_the_mount();
    test_extended_attributes();
    test_named_pipes();
    test_spawn();
    test_spawn_closefrom();
    test_fork();
    if (access("/tmp", W_OK) == 0)
        in_child(refuse_memfds);
    test_vfork();
    test_clone();
    test_core_interface();
    test_fork_with_open_files(); /* last: it changes data.txt */
    puts("all well");
    return 0;
}
