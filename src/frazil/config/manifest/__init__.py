"""MicroPython's manifest files: a manifest is Python, run with a table of functions and nothing ambient."""

from __future__ import annotations

from frazil.config.manifest.evaluator import Evaluation, ManifestOptions, evaluate

__all__ = ["Evaluation", "ManifestOptions", "evaluate"]
