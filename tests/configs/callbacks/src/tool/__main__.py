import importlib.util
import os
import pkgutil
import sys

import tool.plugins
from tool.plugins import extra

print(os.path.relpath(extra.WHERE, os.path.dirname(sys.executable)))
print(sorted(one.name for one in pkgutil.iter_modules(tool.plugins.__path__)))
print(importlib.util.find_spec("tool.tests"), pkgutil.get_data("tool", "words.txt"))
