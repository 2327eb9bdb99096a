import sys

print("started", __name__, sys.argv[1:])
