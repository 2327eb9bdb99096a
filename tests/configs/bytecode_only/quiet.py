"""Gone."""
import sys

assert False, "not at this level"
print(__doc__, __file__, sys.flags.optimize, sys._xoptions["own"], sys.warnoptions, hash("a"), sys.stdout.encoding)
