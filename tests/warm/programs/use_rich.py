# /// script
# requires-python = ">=3.11"
# dependencies = ["rich"]
# ///
from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.table import Table

if __name__ == "__main__":
    console = Console(width=60, force_terminal=True, color_system="truecolor")
    table = Table(title="numbers")
    table.add_column("n", style="cyan")
    table.add_column("square", justify="right")
    for number in range(4):
        table.add_row(str(number), str(number**2))
    console.print(table)
    console.print(Markdown("# Title\n\n* one\n* **two**"))
    console.print(Syntax("def f(x):\n    return x + 1\n", "python"))
