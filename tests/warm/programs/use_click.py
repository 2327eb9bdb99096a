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


@group.command()
@click.argument("file", type=click.File("r"), default="-")
@click.option("--level", type=click.Choice(["low", "high"]), envvar="LEVEL", prompt=True)
@click.confirmation_option(prompt="Sure?")
@click.pass_context
def read(context, file, level):
    """Read a file."""
    click.secho(f"{level} {file.read()!r} {context.command_path}", fg="green", bold=True)
    context.exit(3)


def main():
    runner = CliRunner()
    for words in (["--help"], ["greet", "x"], ["greet", "--count", "9", "x"]):
        result = runner.invoke(group, words)
        print(result.exit_code, result.output)
    for words, text in ((["read"], "low\ny\nrest"), (["read"], "other\nhigh\nn\n"), (["read", "--level", "x"], "y\n")):
        result = runner.invoke(group, words, input=text, color=True)
        print(result.exit_code, result.output)
    group(["greet", "y", "--count", "3"], standalone_mode=True)


if __name__ == "__main__":
    main()
