# ruff: noqa: E501 - tables
"""Generated programs mean the same here and in starlark-rust: the same value, or an error in both.

Left out are the places where the two are known to differ: starlark-rust iterates over the empty string, splits by the empty
string from the right, and makes types with ``|``; here equal keys in a dictionary display are taken, and there are limits.
"""

from __future__ import annotations

import starlark
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from frazil.config.starlark.errors import StarlarkError
from frazil.config.starlark.interpreter import Interpreter
from frazil.config.starlark.limits import Limits

DIALECT = starlark.Dialect.extended()
DIALECT.enable_f_strings = False

NAMES = ("a", "b", "c")
TEXT = st.text(st.sampled_from("ab ,-XY1\n"), max_size=6)
ATOMS = st.one_of(
    st.sampled_from([*NAMES, "True", "False", "None", "[]", "{}", "()", "''"]),
    st.integers(-20, 20).map(lambda number: f"({number})"),
    TEXT.map(lambda text: '"' + text.replace("\n", "\\n") + '"'),
)
STRING_METHODS = (
    "{}.upper()", "{}.lower()", "{}.title()", "{}.capitalize()", "{}.strip()", "{}.split({})", "{}.split()", "{}.rsplit({}, 1)", "{}.partition({})",
    "{}.rpartition({})", "{}.replace({}, {})", "{}.find({})", "{}.rfind({})", "{}.index({})", "{}.count({})", "{}.startswith({})", "{}.endswith({})",
    "{}.join({})", "{}.splitlines()", "{}.isdigit()", "{}.isalpha()", "{}.isalnum()", "{}.isspace()", "{}.removeprefix({})",
    "{}.removesuffix({})", "{}.lstrip({})", "{}.rstrip({})", "{}.format({}, {})",
)  # fmt: skip
ELSEWHERE = (
    "more than", "nested", "limit", "of type string", "separator is empty", "NoneType | ", " | NoneType", "function_or_method |",
)  # fmt: skip
"""Of messages where starlark-rust may go on."""
OPERATORS = ("+", "-", "*", "//", "%%", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or")
FORMS = (
    *(f"({{}} {operator} {{}})" for operator in OPERATORS),
    "(not {})", "(-{})", "(~{})", "({} if {} else {})", "[{}, {}]", "({}, {})", "({},)", '{{"k": {}, 1: {}}}',
    "{}[{}]", "{}[{}:{}]", "{}[::{}]", "len({})", "str({})", "repr({})", "type({})", "bool({})", "int({})", "list({})", "tuple({})",
    "sorted({})", "sorted({}, reverse = True)", "sorted({}, key = str)", "reversed({})", "enumerate({})", "zip({}, {})", "range({} %% 7)",
    "range({}, {})", "any({})", "all({})", "min({})", "max({}, {})", "abs({})", "dict({})", 'hasattr({}, "append")',
    "[x for x in {}]", "[(x, y) for x in {} for y in {}]", "[x for x in {} if {}]", "{{str(x): x for x in {}}}", "(lambda x, y = 3: [x, y, {}])({})",
    "{}.get({})", "{}.get({}, {})", "{}.items()", "{}.keys()", "{}.values()", '"%s:%r" % ({}, {})', '"%d" % {}',
    *STRING_METHODS,
)  # fmt: skip


@st.composite
def _filled(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    form = draw(st.sampled_from(FORMS)).replace("%%", "%")
    parts = form.replace("{{", "\1").replace("}}", "\2").split("{}")
    filled = parts[0] + "".join(draw(inner) + part for part in parts[1:])
    return filled.replace("\1", "{").replace("\2", "}")


EXPRESSIONS = st.recursive(ATOMS, _filled, max_leaves=6)
SIMPLE = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["=", "+=", "-=", "*=", "|="]), EXPRESSIONS).map(" ".join),
    EXPRESSIONS,
    st.tuples(st.sampled_from(["a.append({})", "b.extend({})", "c[{}] = 1", "a.pop()", "b.insert(0, {})", "c.update({})", "a[0] += {}"]), EXPRESSIONS)
    .map(lambda pair: pair[0].replace("{}", pair[1])),
    st.sampled_from(["a, b = b, a", "return [a, b]", "pass"]),
)  # fmt: skip


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines] or ["    pass"]


def _blocks(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    def loop(parts: tuple[str, list[str], str]) -> list[str]:
        return [f"for {parts[2]} in {parts[0]}:", *_indented(parts[1])]

    def condition(parts: tuple[str, list[str], list[str]]) -> list[str]:
        return [f"if {parts[0]}:", *_indented(parts[1]), "else:", *_indented(parts[2])]

    return st.one_of(
        st.tuples(EXPRESSIONS, inner, st.sampled_from(["c", "a", "a, b"])).map(loop),
        st.tuples(EXPRESSIONS, inner, inner).map(condition),
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
    )


PROGRAMS = st.recursive(SIMPLE.map(lambda line: [line]), _blocks, max_leaves=5)


def ours(program: str) -> str | None:
    """What the program's result is, or None for an error."""
    try:
        module = Interpreter(limits=Limits(steps=100_000, single=1 << 16)).run_text(program)
    except StarlarkError as error:
        assume(not any(mark in error.problem for mark in ELSEWHERE))
        return None
    result = module.variables["result"]
    assert isinstance(result, str)
    return result


def theirs(program: str) -> str | None:
    try:
        tree = starlark.parse("test.star", program, dialect=DIALECT)
        module = starlark.Module()
        starlark.eval(module, tree, starlark.Globals.standard())
    except starlark.StarlarkError:
        return None
    result = module["result"]
    assert isinstance(result, str)
    return result


def agree(program: str) -> None:
    mine = ours(program)
    assert (mine, program) == (theirs(program), program)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS)
def test_expressions(expression: str) -> None:
    agree(f"def f():\n    a, b, c = 3, [1, 'x'], {{'k': 2}}\n    return repr({expression})\nresult = f()\n")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(PROGRAMS)
def test_programs(lines: list[str]) -> None:
    body = "\n".join(_indented(lines))
    agree(f"def f():\n    a, b, c = [4, 2], ['x'], {{'k': 2}}\n{body}\n    return [a, b, c]\nresult = repr(f())\n")
