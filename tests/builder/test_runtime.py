"""Which modules of the run-time go into which executable."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from frazil.builder.runtime import TRUST_MODULES, UPDATE_MODULES, require_root, runtime_resources
from frazil.errors import TrustError
from frazil.plan import PmmSettings
from frazil.resources.collection import Collection
from frazil.resources.kinds import SourceModule
from signed_sets import APPLICATION, Publisher

if TYPE_CHECKING:
    from frazil.plan import Plan

ROOT = Publisher().root()
DIRECTORY = ("dir:{exe_dir}/modules",)


def names(pmm: PmmSettings | None) -> set[str]:
    found = {one.name for one in runtime_resources(Collection(), "lib", pmm) if isinstance(one, SourceModule)}
    return {name.removeprefix("frazil_runtime.pmm.") for name in found if name.startswith("frazil_runtime.pmm")}


def test_the_modules_are_there() -> None:
    place = Path("src/frazil_runtime/pmm")
    for name in TRUST_MODULES | UPDATE_MODULES:
        assert (Path(__file__).parents[2] / place / f"{name}.py").is_file()


def test_nothing_of_it_without_storages() -> None:
    assert names(None) == set()


def test_no_verifier_without_signatures() -> None:
    assert not names(PmmSettings(DIRECTORY, unsigned=True)) & (TRUST_MODULES | UPDATE_MODULES)


def test_no_client_without_updates() -> None:
    found = names(PmmSettings(DIRECTORY, root=ROOT))
    assert found >= TRUST_MODULES
    assert not found & UPDATE_MODULES


def test_all_of_it() -> None:
    assert names(PmmSettings(DIRECTORY, root=ROOT, update=True)) >= TRUST_MODULES | UPDATE_MODULES


def plan(name: str, root: bytes | None) -> Plan:
    return cast("Plan", SimpleNamespace(name=name, pmm=PmmSettings(DIRECTORY, root=root)))


def test_a_root_document_under_which_something_is_accepted() -> None:
    require_root(plan(APPLICATION, ROOT))
    require_root(plan(APPLICATION, None))


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (b"{}", "this is no signed document"),
        (Publisher().root(1, "alice"), "this has 1 of the 2 signatures that are needed"),
        (Publisher(application="other").root(), "it is for the application 'other', and this program is 'orbit'"),
        (Publisher().index(1, {}), "its member _type is missing"),
    ],
)
def test_a_root_document_that_cannot_be(root: bytes, message: str) -> None:
    with pytest.raises(TrustError) as caught:
        require_root(plan(APPLICATION, root))
    assert message in str(caught.value)
    assert caught.value.where == "the root document of orbit"
    assert caught.value.remedy
