"""What Starlark configurations may name: the types and functions of PyOxidizer's dialect, over frazil's own records."""
