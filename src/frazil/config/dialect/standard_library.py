"""The standard library of a distribution as objects that programs look at; the builder takes of it what a program reaches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from frazil.config.dialect.resource_types import File, Scanner
from frazil.resources.kinds import STANDARD_LIBRARY
from frazil.resources.scan import Classifier, Tree, without_shadowed

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from frazil.config.dialect.resource_types import PythonResource
    from frazil.distribution import PythonDistribution

_LEFT_OUT: Final = re.compile(r"__pycache__|site-packages|dist-packages|lib-dynload|config-.*|.*\.a|.*\.o")
_TESTS: Final = frozenset({"test", "tests", "idle_test"})


class StandardLibrary:
    """The modules and files of one distribution; ``tests`` has those of CPython's own tests too."""

    def __init__(self, distribution: PythonDistribution, *, tests: bool = False) -> None:
        self.root = f"lib/python{distribution.short_version}"
        self._distribution = distribution
        self._tests = tests

    def objects(self) -> list[PythonResource]:
        """Everything, in the order of paths."""
        return list(self._objects())

    def _objects(self) -> Iterator[PythonResource]:
        distribution = self._distribution
        classifier = Classifier(tuple(sorted(distribution.extension_suffixes, key=len, reverse=True)))
        places = [(distribution.stdlib, self.root)]
        if distribution.dynload is not None:
            places.append((distribution.dynload, f"{self.root}/lib-dynload"))
        for directory, root in places:
            files = without_shadowed(Tree(directory, skip=self._skips).files())
            resources = [classifier.resource(file, relative, root, STANDARD_LIBRARY) for relative, file in files]
            yield from (one for one in Scanner().objects(resources, root) if not isinstance(one, File))

    def _skips(self, entry: os.DirEntry[str]) -> bool:
        return bool(_LEFT_OUT.fullmatch(entry.name)) or (entry.name in _TESTS and not self._tests)

    def has_tests(self) -> bool:
        """Whether this Python comes with its own tests; some packagers leave them out."""
        return (self._distribution.stdlib / "test" / "__init__.py").is_file()
