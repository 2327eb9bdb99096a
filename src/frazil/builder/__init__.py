"""The builder: eats plans, makes executables."""
