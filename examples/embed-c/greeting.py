"""What the C program calls."""

import json


def greet(name):
    """A greeting, as JSON."""
    return json.dumps({"greeting": f"Hello, {name}, from Python inside a C program."})
