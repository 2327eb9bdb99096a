"""Targets: functions under names, called once each, what they depend on first.

Nothing here knows what targets return.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from frazil.config.starlark.errors import Fault, suggestion
from frazil.config.starlark.interpreter import builtin
from frazil.config.starlark.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from frazil.config.starlark.errors import Span
    from frazil.config.starlark.values import Builtin, Value

    Function = Any


_OTHER_NAMES: Final = {"name": "target", "fn": "callable"}
"""What PyOxidizer's documentation calls parameters whose names are others in its code; configurations use both."""


class _EitherNames(Signature):
    """The signature of ``register_target``."""

    __slots__ = ()

    def bind(self, name: str, arguments: Sequence[Value], named: Mapping[str, Value]) -> tuple[list[Any], dict[str, Any]]:
        renamed = {_OTHER_NAMES.get(key, key): value for key, value in named.items()}
        if len(renamed) < len(named):
            twice = next(key for key in _OTHER_NAMES if key in named and _OTHER_NAMES[key] in named)
            raise Fault(f"{name}() gets {_OTHER_NAMES[twice]} twice", f"{twice} is another name for it.")
        return Signature.bind(self, name, arguments, renamed)


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target."""

    name: str
    function: Value
    depends: tuple[str, ...]
    site: Span
    """Where it was registered."""

    @property
    def place(self) -> str:
        """The site as ``file:line:column``."""
        return str(self.site)


class Targets:
    """The targets of one configuration, in the order of their registration.

    ``call`` calls a Starlark function; ``site`` says where the program is. ``wanted`` is what ``resolve_targets()`` resolves:
    names, nothing for the default target; None lets it do nothing, for those who only look. ``build_script``: the default is
    that of build scripts.
    """

    def __init__(
        self,
        call: Callable[[Value, Sequence[Value]], Value],
        site: Callable[[], Span],
        wanted: Sequence[str] | None,
        *,
        build_script: bool = False,
    ) -> None:
        self._call = call
        self._site = site
        self._wanted = wanted
        self._build_script = build_script
        self.asked_for = False
        """Whether the program called ``resolve_targets()``."""
        self._targets: dict[str, Target] = {}
        self._default: str | None = None
        self._build_script_default: str | None = None
        self._resolved: dict[str, Value] = {}
        self._resolving: list[str] = []

    @property
    def registered(self) -> tuple[Target, ...]:
        """All targets."""
        return tuple(self._targets.values())

    @property
    def default(self) -> str | None:
        """The last target registered with ``default=True``, otherwise the first one."""
        return self._default or next(iter(self._targets), None)

    @property
    def build_script_default(self) -> str | None:
        """The last target registered with ``default_build_script=True``, otherwise the default."""
        return self._build_script_default or self.default

    @property
    def resolving(self) -> str | None:
        """The target whose function runs."""
        return self._resolving[-1] if self._resolving else None

    @property
    def asked(self) -> tuple[str, ...]:
        """What ``resolve_targets()`` resolves: the targets that were asked for, or the default one."""
        names = self._wanted or (self.build_script_default if self._build_script else self.default,)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    def get(self, name: str) -> Target:
        """A registered target."""
        return self._targets[name]

    @property
    def results(self) -> dict[str, Value]:
        """What the resolved targets returned, in the order in which they ended."""
        return dict(self._resolved)

    def functions(self) -> dict[str, Builtin]:
        """What programs call."""
        register = builtin(self.register, "register_target")
        own = register.signature
        register.signature = _EitherNames(own.parameters, own.rest, own.named_rest)
        return {
            "register_target": register,
            "resolve_target": builtin(self.resolve, "resolve_target"),
            "resolve_targets": builtin(self.resolve_wanted, "resolve_targets"),
        }

    def register(
        self,
        target: str,
        callable_: Function,
        depends: list[str] | None = None,
        default: bool = False,
        default_build_script: bool = False,
    ) -> None:
        """``register_target(...)``: a later registration of a name replaces an earlier one."""
        if not target or target in {".", ".."} or "/" in target or "\0" in target:
            raise Fault(f"{target!r} cannot be the name of a target", "It becomes a directory's name.")
        self._targets[target] = Target(target, callable_, tuple(depends or ()), self._site())
        if default:
            self._default = target
        if default_build_script:
            self._build_script_default = target

    def resolve(self, target: str) -> Value:
        """``resolve_target(name)``: the target's value; its function is called the first time only."""
        if target in self._resolved:
            return self._resolved[target]
        if target not in self._targets:
            known = ", ".join(self._targets) or "none"
            needed = f", which {self._resolving[-1]} depends on" if self._resolving else ""
            raise Fault(f"there is no target {target}{needed}", suggestion(target, self._targets) or f"Registered: {known}.")
        if target in self._resolving:
            cycle = " needs ".join([*self._resolving[self._resolving.index(target) :], target])
            raise Fault(f"targets depend on each other: {cycle}")
        self._resolving.append(target)
        try:
            found = self._targets[target]
            given = [self.resolve(name) for name in found.depends]
            self._resolved[target] = self._call(found.function, given)
        finally:
            self._resolving.pop()
        return self._resolved[target]

    def resolve_wanted(self) -> None:
        """``resolve_targets()``: resolve what was asked for, or the default target."""
        self.asked_for = True
        if self._wanted is None:
            return
        if not self._targets:
            raise Fault("no target is registered", "Register one with register_target(name, function).")
        for name in self.asked:
            self.resolve(name)
