# /// script
# requires-python = ">=3.11"
# dependencies = ["click"]
# ///
import click
from click.testing import CliRunner


@click.group()
def group():
    """A group."""


@group.command()
@click.option("--count", type=click.IntRange(1, 5), default=2, show_default=True)
@click.argument("name")
def greet(count, name):
    for _ in range(count):
        click.echo(f"Hello {name}")


if __name__ == "__main__":
    runner = CliRunner()
    for words in (["--help"], ["greet", "x"], ["greet", "--count", "9", "x"]):
        result = runner.invoke(group, words)
        print(result.exit_code, result.output)
    group(["greet", "y", "--count", "3"], standalone_mode=True)
