/* Threads that use memfs at once, for ThreadSanitizer: own files, shared files, renames, listings, descriptors, forks. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memfs/memfs.h"

#define THREADS 8
#define ROUNDS 300

#define CHECK(condition)                                                                                                       \
    do {                                                                                                                       \
        if (!(condition)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                                    \
            abort();                                                                                                           \
        }                                                                                                                      \
    } while (0)

static void own_file(int number, int round)
{
    char path[64], text[64], back[64];
    struct stat status;

    snprintf(path, sizeof path, "/memfs:/own/%d-%d", number, round % 50);
    int length = snprintf(text, sizeof text, "%d %d", number, round);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, (size_t)length) == length);
    int copy = dup(fd);
    CHECK(copy >= 0 && close(fd) == 0 && fstat(copy, &status) == 0 && status.st_size == length);
    CHECK(pread(copy, back, sizeof back, 0) == length && memcmp(back, text, (size_t)length) == 0 && close(copy) == 0);
    CHECK(stat(path, &status) == 0 && status.st_size == length);
    if (round % 3 == 0)
        CHECK(unlink(path) == 0);
}

static void shared_names(int number, int round)
{
    char path[64], other[64];

    snprintf(path, sizeof path, "/memfs:/shared/%d", round % 7);
    snprintf(other, sizeof other, "/memfs:/shared/%d", (round + number) % 7);
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    if (fd >= 0) {
        CHECK(write(fd, "x", 1) == 1);
        CHECK(close(fd) == 0);
    }
    rename(path, other);
    unlink(path);
    mkdir("/memfs:/shared/d", 0755);
    rename("/memfs:/shared/d", "/memfs:/shared/e");
    rmdir("/memfs:/shared/e");
    DIR *directory = opendir("/memfs:/shared");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        ;
    closedir(directory);
}

static void *work(void *argument)
{
    int number = (int)(long)argument;

    for (int round = 0; round < ROUNDS; round++) {
        own_file(number, round);
        shared_names(number, round);
        struct stat status;
        CHECK(stat("/proc/self/status", &status) == 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    frazil_memfs_mount(NULL, 0);
    CHECK(mkdir("/memfs:/own", 0755) == 0 && mkdir("/memfs:/shared", 0755) == 0);
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < 5; i++) { /* the child must find the lock free and the tree whole */
        pid_t child = fork();
        if (child == 0) {
            DIR *directory = opendir("/memfs:/own");
            _exit(directory != NULL && closedir(directory) == 0 && access("/memfs:/shared", W_OK) == 0 ? 0 : 1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    puts("all well");
    return 0;
}
