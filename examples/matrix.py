# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy"]
# ///
"""A numerical program: one matrix product."""

import numpy as np

a = np.arange(10_000, dtype=float).reshape(100, 100)
print("numpy", np.__version__, "trace of the product:", (a @ a.T).trace())
