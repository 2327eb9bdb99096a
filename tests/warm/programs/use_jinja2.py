# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2"]
# ///
import asyncio

from jinja2 import DictLoader, Environment, StrictUndefined, Template, UndefinedError
from jinja2.sandbox import SandboxedEnvironment


async def answer():
    return 42


environment = Environment(loader=DictLoader({
    "base": "<{% block b %}{% endblock %}>",
    "page": "{% extends 'base' %}{% block b %}{% for i in n %}{{ loop.index }}:{{ i|e }} {% endfor %}{% endblock %}",
}), undefined=StrictUndefined)

def main():
    print(environment.get_template("page").render(n=["a", "<", 3]))
    environment.filters["twice"] = lambda value: value * 2
    print(environment.from_string(
        "{% macro m(x) %}[{{ x|twice }}]{% endmacro %}{{ m('a') }}{% set ns = namespace(n=0) %}{% for i in range(3) %}"
        "{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }} {{ {'b': 1, 'a': 2}|dictsort }} {{ '%05.2f'|format(3.14159) }}"
    ).render())
    print(SandboxedEnvironment().from_string("{{ ''.join(['a', 'b']) }}").render(), Template("{{ x }}", autoescape=True).render(x="<"))
    print(asyncio.run(Environment(enable_async=True).from_string("{{ f() }}").render_async(f=answer)))
    try:
        environment.from_string("{{ missing }}").render()
    except UndefinedError as error:
        print(error)


if __name__ == "__main__":
    main()
