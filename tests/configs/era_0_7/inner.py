import os
import sys

import iniconfig
import outer

assert True
print(__file__, os.path.relpath(outer.__file__, os.path.dirname(sys.executable)), outer.__doc__)
print(iniconfig.__file__.startswith("/memfs:/"), hasattr(sys, "frozen"))
