"""The command line, one verb a file: parsing, printing and exit codes only."""
