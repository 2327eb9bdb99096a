# /// script
# requires-python = ">=3.11"
# dependencies = ["django"]
# ///
"""Management commands of a small Django site."""

import sys

import site_ready  # noqa: F401 - configures Django, once
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
