"""The state of a running program: what is left of its limits, its active calls, and where it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from frazil.config.starlark.errors import Fault, Span, StarlarkError
from frazil.config.starlark.functions import Function
from frazil.config.starlark.limits import Limits, Meter
from frazil.config.starlark.values import Builtin, a_type, to_value
from frazil.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from frazil.config.starlark.values import Value
    from frazil.errors import FrazilError

_SHOWN: Final = 200
"""Characters of a file's name."""


class Machine(Meter):
    """What nodes and builtins run with. ``site`` is the call that is being made; ``stack`` the active ones and their sites."""

    __slots__ = ("on_print", "site", "stack")

    def __init__(self, limits: Limits, on_print: Callable[[str, Span | None], None]) -> None:
        super().__init__(limits)
        self.on_print = on_print
        self.site: Span | None = None
        self.stack: list[tuple[str, Span | None]] = []

    def call(self, function: Value, arguments: Sequence[Value], named: Mapping[str, Value]) -> Value:
        """Call a function of either kind. Raises Fault for what is wrong with the call itself."""
        if isinstance(function, Function):
            return function.invoke(self, arguments, named)
        if isinstance(function, Builtin):
            self.step()
            bound, extra = function.signature.bind(function.name, arguments, named)
            site = self.site
            try:
                return to_value(function.run(self, *function.receiver, *bound, **extra))
            except (OSError, UnicodeError) as error:  # a name that no file can have, a disk that is full
                reason = getattr(error, "strerror", None) or str(error)
                raise SourceError(reason, where=_shortened(getattr(error, "filename", None))) from error
            finally:
                self.site = site
        raise Fault(f"{a_type(function)} cannot be called")

    def located(self, error: Fault | FrazilError, span: Span) -> StarlarkError:
        """An error as it happened at ``span`` of the innermost active call."""
        if isinstance(error, StarlarkError):
            return error
        sites = [site for _, site in self.stack[1:]]
        names = [name for name, _ in self.stack]
        trace = [(name, place) for name, place in zip(names, [*sites, span], strict=False) if place is not None]
        if isinstance(error, Fault):
            return StarlarkError(error.problem, span, remedy=error.remedy, trace=trace)
        problem = error.problem if error.where is None else f"{error.where}: {error.problem}"
        located = StarlarkError(problem, span, remedy=error.remedy, output=error.details, trace=trace)
        located.__cause__ = error
        return located


def _shortened(name: object) -> object:
    """The name of a file, which may be what is wrong with it."""
    return f"{name[:_SHOWN]}..." if isinstance(name, str) and len(name) > _SHOWN else name
