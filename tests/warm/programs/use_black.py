# /// script
# requires-python = ">=3.11"
# dependencies = ["black"]
# ///
import io
import sys

import black

SOURCE = """\
import os,sys
def f( a,b, *, c = 1 )->int :
  return {'a':a,
 'b':b, "c": [c for c in range( 10 ) if c%2==0 and c not in (a, b) and something_else_that_is_long]}
class A( object ):
    x : int=1;y='it"s'
    async def g(self): await self.h( lambda q: q**2, f"{self.x!r:>{10}}" )
match a:
  case {"k": [1,2,*rest]} if rest: print ( rest )
"""

def main():
    for length, magic in ((60, True), (100, False)):
        print(black.format_str(SOURCE, mode=black.Mode(line_length=length, magic_trailing_comma=magic)))
    print(black.format_str("x = 1\n", mode=black.Mode()) == "x = 1\n")
    try:
        black.format_str("def (", mode=black.Mode())
    except black.InvalidInput as error:
        print(error)
    sys.stdin = io.TextIOWrapper(io.BytesIO(SOURCE.encode()), "utf-8")
    black.main(["--version"], standalone_mode=False)
    black.main(["-q", "-l", "40", "-"])


if __name__ == "__main__":
    main()
