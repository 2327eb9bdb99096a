/* The table of a program without static modules. Weak: the table that the builder writes takes its place. In a file of its own,
 * since a compiler that saw the empty one would count on it. */
#include "python/static.h"

__attribute__((weak)) const frazil_static_module frazil_static_modules[] = {{NULL, NULL}};
__attribute__((weak)) const size_t frazil_static_count = 0;
