"""What manifests see and what they do not: scopes, paths, order, includes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frazil.config.manifest import ManifestOptions, evaluate
from frazil.config.manifest.errors import ManifestError
from frazil.config.manifest.variables import parsed
from frazil.errors import UsageError
from frazil.frozen import Dialect
from manifests import brief, targets

if TYPE_CHECKING:
    from front_end import Write
    from manifests import Evaluate


def test_functions_of_a_manifest_see_its_variables(run: Evaluate) -> None:
    text = """\
    import os
    WANTED = ["a.py", "b.py"]

    def take(base):
        for name in WANTED:
            freeze(base, name, opt=len(WANTED))

    take(os.path.join("$(PORT_DIR)", "src"))
    """
    found = run(text)
    assert brief(found.modules) == [("py", "a.py", 2), ("py", "b.py", 2)]
    assert {one.line for one in found.modules} == {6}


def test_every_manifest_has_globals_of_its_own(run: Evaluate, write: Write) -> None:
    inner = """\
    names = set(globals())
    assert "SECRET" not in names and "os" not in names and "sys" not in names, names
    LEFT = 1
    freeze = None
    """
    write({"inner.py": inner})
    found = run("import os\nSECRET = 1\ninclude('inner.py')\nassert 'LEFT' not in globals()\nfreeze('src', 'a.py')\n")
    assert targets(found.modules) == ["a.py"]


def test_nothing_ambient_changes(run: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    write({"deep/inner.py": "import os, sys\nprint(os.getcwd(), file=sys.stdout)\nfreeze('.', 'z.py')\n", "deep/z.py": ""})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    before = (Path.cwd(), list(sys.path), dict(os.environ))
    found = run("include('deep/inner.py')\nfreeze('src', 'a.py')")
    assert before == (Path.cwd(), list(sys.path), dict(os.environ))
    assert [str(one.path.relative_to(tmp_path)) for one in found.modules] == ["deep/z.py", "src/a.py"]


def test_a_manifest_knows_its_file_and_is_no_main(run: Evaluate, tmp_path: Path) -> None:
    run(f"assert __file__ == {str(tmp_path / 'manifest.py')!r}\nassert __name__ == '__manifest__'\nclass A: pass\nA()")


def test_print_goes_to_the_error_stream(run: Evaluate, capsys: pytest.CaptureFixture[str]) -> None:
    run("print('seen', 1)")
    assert capsys.readouterr() == ("", "seen 1\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("options.unknown", None),
        ("options.given", 1),
        ("(options.defaults(a=2, given=3), options.a)[1]", 2),
        ("(options.defaults(a=2, given=3), options.given)[1]", 1),
        ("(options.defaults(a=2), options.defaults(b=3), options.a)[2]", None),
        ("(options.defaults(falsy=0), options.falsy)[1]", 0),
    ],
)
def test_options(run: Evaluate, write: Write, line: str, expected: object) -> None:
    write({"inner.py": f"assert ({line}) == {expected!r}\n"})
    run("include('inner.py', given=1)")


def test_the_outermost_manifest_has_options_too(run: Evaluate) -> None:
    run("options.defaults(x=1)\nassert options.x == 1 and options.y is None")
    run("assert options.x == 2", given={"x": 2})


def test_order_is_that_of_calls_then_of_names(run: Evaluate, write: Write) -> None:
    write({f"many/{name}.py": "" for name in ("zz", "b/y", "a", "b/a/q", "c")})
    found = run("freeze('pure')\nfreeze('many')")
    assert targets(found.modules) == ["deep/y.py", "x.py", "a.py", "b/a/q.py", "b/y.py", "c.py", "zz.py"]


def test_hidden_files_and_caches_are_left_out_but_can_be_named(run: Evaluate) -> None:
    assert not any("hidden" in one or ".git" in one for one in targets(run("freeze('src')").modules))
    assert targets(run("freeze('src', '.hidden.py')").modules) == [".hidden.py"]


def test_symbolic_links_keep_their_name(run: Evaluate, sources: Path) -> None:
    (sources / "src/link.py").symlink_to("a.py")
    (sources / "linked").symlink_to("pure")
    found = run("freeze('src', 'link.py')\nfreeze('linked', 'x.py')")
    assert [(one.target, str(one.path)) for one in found.modules] == [
        ("link.py", f"{sources}/src/link.py"),
        ("x.py", f"{sources}/linked/x.py"),
    ]


def test_a_manifest_runs_once_for_each_set_of_options(run: Evaluate, write: Write) -> None:
    write({"inner.py": "print('ran', options.n)\nif options.n:\n    freeze('src', 'a.py')\n"})
    text = "include('inner.py')\ninclude('inner.py')\ninclude('inner.py', n=1)\ninclude('inner.py', n=1)\n"
    found = run(text)
    assert [one.again for one in found.references] == [False, True, False, True]
    assert targets(found.modules) == ["a.py"]
    old = run(text, dialect=Dialect.OLD)
    assert [one.again for one in old.references] == [False] * 4
    assert targets(old.modules) == ["a.py"]


def test_a_directory_stands_for_the_manifest_in_it(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write({"board/manifest.py": "freeze('modules')\n", "board/modules/m.py": ""})
    assert targets(run("include('board')").modules) == ["m.py"]
    assert targets(evaluate(ManifestOptions(("board",), directory=tmp_path)).modules) == ["m.py"]


def test_a_line_of_code_is_a_manifest(sources: Path) -> None:
    found = evaluate(ManifestOptions(("freeze('src', 'a.py')", "module('x.py', 'pure')"), directory=sources))
    assert [one.place for one in found.modules] == ["<argument 1>:1", "<argument 2>:1"]
    with pytest.raises(ManifestError) as raised:
        evaluate(ManifestOptions(("freeze('nope')",), directory=sources))
    assert raised.value.where == "<argument 1>:1"


def test_a_function_that_is_handed_on_is_still_its_manifests(run: Evaluate, write: Write) -> None:
    write({"deep/inner.py": "\n\noptions.take('src', 'a.py')\n"})
    found = run("include('deep/inner.py', take=freeze)")
    assert targets(found.modules) == ["a.py"]


def test_files_that_the_result_depends_on_are_known(run: Evaluate, write: Write, tmp_path: Path) -> None:
    write({"inner.py": "freeze('pure')\n"})
    found = run("include('inner.py')\nfreeze('src', 'a.py')")
    assert list(found.manifests) == [f"{tmp_path}/manifest.py", f"{tmp_path}/inner.py"]
    assert list(found.directories) == [tmp_path / "pure", tmp_path / "pure/deep"]


def test_variables_stand_for_others_and_for_paths(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert parsed(["A=there", "B=not there", "C=$(A)/x", "D="], tmp_path) == {
        "A": f"{tmp_path}/there",
        "B": "not there",
        "C": "$(A)/x",
        "D": "",
    }


@pytest.mark.parametrize("text", ["A", "=x", "A B=x", "1=x", "", "A=\0"])
def test_variables_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parsed([text], tmp_path)
    assert raised.value.where == "-v"


def test_a_variable_with_two_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="A is given two values: 1 and 2"):
        parsed(["A=1", "A=2"], tmp_path)


def test_values_hold_variables(run: Evaluate) -> None:
    variables = {"TOP": "$(PORT_DIR)", "SRC": "$(TOP)/src"}
    assert targets(run("freeze('$(SRC)', 'a.py')", variables=variables).modules) == ["a.py"]
    with pytest.raises(ManifestError, match=r"\$\(X\) stands for itself: X -> Y -> X"):
        run("freeze('$(X)')", variables={"X": "$(Y)", "Y": "$(X)"})
