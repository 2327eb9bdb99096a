/* The launcher as a program of its own. Programs that link it have their own main function (frazil.h). */
#include "frazil.h"

int main(int argc, char **argv)
{
    return frazil_main(argc, argv);
}
