"""Questions to a person: ``can_prompt``, ``prompt_confirm``, ``prompt_input``, ``prompt_password``."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from frazil.config.starlark.errors import Fault
from frazil.config.starlark.interpreter import builtin

if TYPE_CHECKING:
    from frazil.config.dialect.session import Session
    from frazil.config.starlark.values import Builtin

_Answer = TypeVar("_Answer", bool, str)


def functions(session: Session) -> dict[str, Builtin]:
    """What programs call."""
    terminal = session.surroundings.terminal

    def can_prompt() -> bool:
        return terminal is not None

    def prompt_confirm(prompt: str, default: bool | None = None) -> bool:
        if terminal is not None:
            return terminal.confirm(prompt, default)
        return _otherwise(default, prompt)

    def prompt_input(prompt: str, default: str | None = None) -> str:
        if terminal is not None:
            return terminal.text(prompt, default)
        return _otherwise(default, prompt)

    def prompt_password(prompt: str, confirm: bool = False, default: str | None = None) -> str:
        if terminal is not None:
            return terminal.password(prompt, confirm=confirm, default=default)
        return _otherwise(default, prompt)

    return {one.__name__: builtin(one) for one in (can_prompt, prompt_confirm, prompt_input, prompt_password)}


def _otherwise(default: _Answer | None, prompt: str) -> _Answer:
    if default is None:
        remedy = "Give it a default, use VARS with --var, or run frazil on a terminal."
        raise Fault(f"nobody is there to answer {prompt!r}: the standard input stream is no terminal", remedy)
    return default
