"""What the device does. Compile it again and copy it over the old one: the next start runs it."""

import sys


def main():
    print("autoexec from", __file__, "with", *sys.argv[1:] or ["no arguments"])
