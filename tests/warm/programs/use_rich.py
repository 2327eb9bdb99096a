# /// script
# requires-python = ">=3.11"
# dependencies = ["rich"]
# ///
from rich.columns import Columns
from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.progress import Progress
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.traceback import Traceback
from rich.tree import Tree

def main():
    console = Console(width=60, force_terminal=True, color_system="truecolor")
    table = Table(title="numbers")
    table.add_column("n", style="cyan")
    table.add_column("square", justify="right")
    for number in range(4):
        table.add_row(str(number), str(number**2))
    console.print(table)
    console.print(Markdown("# Title\n\n* one\n* **two**"))
    tree = Tree("root")
    tree.add("[bold]branch[/]").add("leaf :smiley:")
    console.print(Panel(tree, title="tree"), Columns(["one", "two"]), Text("styled", style="on red"), [1, {"a": None}])
    console.print_json('{"a": [true, 1.5]}')
    with Progress(console=console, disable=False, auto_refresh=False, transient=True) as progress:
        progress.advance(progress.add_task("working", total=2))
    try:
        1 / 0
    except ZeroDivisionError:
        console.print(Traceback(show_locals=False, width=60))
    console.print(Syntax("def f(x):\n    return x + 1\n", "python"))


if __name__ == "__main__":
    main()
