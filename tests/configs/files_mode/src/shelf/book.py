import pathlib


def text():
    return pathlib.Path(__file__).with_name("book.txt").read_text().strip()
