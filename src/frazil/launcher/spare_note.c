/* A note that says nothing. The builder turns PT_NOTE headers into those of the segments that it adds (docs/spec/launcher.md,
 * "The executable"); one is there from the C library, and this one, aligned otherwise and so under a header of its own, is for
 * the warm start's. */
__asm__(".pushsection .note.frazil, \"a\", @note\n"
        ".balign 8\n"
        ".long 8, 8, 1\n" /* sizes of name and content, type */
        ".asciz \"frazil\"\n"
        ".balign 8\n"
        ".quad 0\n"
        ".popsection\n");
