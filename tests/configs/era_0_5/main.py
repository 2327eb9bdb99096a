import sys


def run():
    print(sys.flags.bytes_warning, sys.flags.ignore_environment, sys.stdout.write_through, sys.oxidized)
