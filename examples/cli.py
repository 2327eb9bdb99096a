# /// script
# requires-python = ">=3.11"
# dependencies = ["click", "requests", "rich"]
# ///
"""A command-line tool: fetch a URL over HTTPS and show what came as a table."""

import ssl
from pathlib import Path

import certifi
import click
import requests
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.table import Table


class TrustingAdapter(HTTPAdapter):
    """Verifies with certifi's bundle and, if asked, one more authority."""

    def __init__(self, cacert: Path | None):
        self.context = ssl.create_default_context(cafile=certifi.where())
        if cacert:
            self.context.load_verify_locations(cacert)
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, ssl_context=self.context, **kwargs)


@click.command()
@click.argument("url")
@click.option("--cacert", type=click.Path(exists=True, path_type=Path), help="Trust this authority too.")
@click.version_option("1.0")
def main(url: str, cacert: Path | None) -> None:
    """Fetch URL and show what came."""
    session = requests.Session()
    adapter = TrustingAdapter(cacert)
    session.mount("https://", adapter)
    try:
        response = session.get(url, timeout=10)
    except requests.RequestException as error:
        raise click.ClickException(str(error)) from error
    table = Table("what", "value", title=url)
    table.add_row("status", str(response.status_code))
    table.add_row("bytes", str(len(response.content)))
    table.add_row("authorities", str(adapter.context.cert_store_stats()["x509_ca"]))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
