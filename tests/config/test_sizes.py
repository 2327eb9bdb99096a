from __future__ import annotations

import pytest

from frazil.config.sizes import parse_size
from frazil.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("4096", 4096), ("512K", 512 << 10), ("512m", 512 << 20), ("2GiB", 2 << 30), ("1.5 G", 3 << 29), ("1T", 1 << 40),
     ("64MB", 64 << 20)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--memfs-limit") == size


@pytest.mark.parametrize("text", ["", "0", "0.0001", "-1", "1e3", "K", "12 34", "2 P", "999999999999T", "\u0661", "1" * 30])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is no size") as raised:
        parse_size(text, "--memfs-limit")
    assert raised.value.where == "--memfs-limit"
