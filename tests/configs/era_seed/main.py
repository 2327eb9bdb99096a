import colorsys
import os
import sys

here = os.path.dirname(sys.executable)
print(os.path.relpath(__file__, here), colorsys.__file__.startswith(here + "/lib/python"))
