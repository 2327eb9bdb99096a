/* memfs for tests: the mount is a directory on disk. */
#ifndef NATIVE_MEMFS_H
#define NATIVE_MEMFS_H

void test_memfs_root(const char *directory);

#endif
