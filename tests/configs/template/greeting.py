import sys


def main():
    print("Hello,", *sys.argv[1:])
