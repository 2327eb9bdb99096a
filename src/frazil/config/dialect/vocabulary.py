"""The names that configurations of all eras use, and what becomes of those that frazil does not build with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from frazil.config.starlark.errors import Fault
from frazil.config.starlark.interpreter import builtin

if TYPE_CHECKING:
    from frazil.config.starlark.values import Builtin

FOREIGN: Final = {
    "WiXInstaller": "Windows installers",
    "WiXMSIBuilder": "Windows installers",
    "WiXBundleBuilder": "Windows installers",
    "MacOsApplicationBundleBuilder": "macOS bundles",
    "AppleUniversalBinary": "macOS binaries",
    "Snap": "snaps",
    "SnapApp": "snaps",
    "SnapPart": "snaps",
    "SnapcraftBuilder": "snaps",
    "PythonWheelBuilder": "wheels",
    "code_signer_from_pfx_file": "code signing",
    "code_signer_from_windows_store_sha1_thumbprint": "code signing",
    "code_signer_from_windows_store_subject": "code signing",
    "code_signer_from_windows_store_auto": "code signing",
}
"""What makes things for other systems: it may be defined in functions, and is refused when one of them runs."""


def refusals() -> dict[str, Builtin]:
    """Functions under all those names, which say why they cannot be called."""
    remedy = "Build another target; frazil targets lists them."
    return {name: _refusal(name, f"{name} is for {what}, which frazil does not make", remedy) for name, what in FOREIGN.items()}


def _refusal(name: str, problem: str, remedy: str) -> Builtin:
    def refuse(*args: object, **kwargs: object) -> None:
        del args, kwargs
        raise Fault(problem, remedy)

    return builtin(refuse, name)
