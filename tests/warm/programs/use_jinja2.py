# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2"]
# ///
from jinja2 import DictLoader, Environment, UndefinedError, StrictUndefined

environment = Environment(loader=DictLoader({
    "base": "<{% block b %}{% endblock %}>",
    "page": "{% extends 'base' %}{% block b %}{% for i in n %}{{ loop.index }}:{{ i|e }} {% endfor %}{% endblock %}",
}), undefined=StrictUndefined)

if __name__ == "__main__":
    print(environment.get_template("page").render(n=["a", "<", 3]))
    try:
        environment.from_string("{{ missing }}").render()
    except UndefinedError as error:
        print(error)
