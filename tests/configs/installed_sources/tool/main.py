import colorsys
import os
import sys


def run():
    print(os.path.relpath(__file__, os.path.dirname(sys.executable)), colorsys.__file__.startswith("/memfs:/"))
