# /// script
# [tool.frazil]
# include = ["importlib.util", "importlib.machinery"]
# [[tool.frazil.native]]
# module = "shop._fast"
# sources = ["shop/fast.c"]
# [[tool.frazil.native]]
# module = "other._fast"
# sources = ["other/single.c"]
# [[tool.frazil.native]]
# module = "other._map"
# sources = ["other/map.cpp"]
# [[tool.frazil.native]]
# module = "shop.slow"
# sources = ["shop/slow.pyx"]
# [[tool.frazil.native]]
# module = "shop.rules"
# sources = ["shop/rules.py"]
# ///
"""What native modules look like from Python; prints the same however they came in."""

import importlib
import importlib.machinery
import importlib.util
import pkgutil
import sys

import other._fast
import other._map
import shop
import shop._fast
import shop.rules
import shop.slow

for module in (shop._fast, other._fast, other._map, shop.slow, shop.rules):
    spec = module.__spec__
    assert isinstance(spec.loader, importlib.machinery.ExtensionFileLoader), spec
    assert module.__loader__ is spec.loader
    print(module.__name__, module.__package__, module.__file__.rpartition("/")[2], spec.origin == module.__file__)
print(shop._fast.answer(), shop._fast.file_while_executed == shop._fast.__file__)
print(shop.slow.fib(50), shop.slow.limit(), shop.rules.double(21), other._map.get("a"))
try:
    other._map.get("b")
except KeyError as error:
    print("KeyError", error)
print([one.name for one in pkgutil.iter_modules(shop.__path__)])
print([name for name in sys.builtin_module_names if "." in name])

# Imported again, a module of one phase is made of what it was; its function is not called a second time.
print(other._fast.calls(), other._fast.name_in_creation)
first = sys.modules.pop("other._fast")
again = importlib.import_module("other._fast")
print(again.calls(), again is first)

# The file is the module to those who load it themselves.
spec = importlib.util.spec_from_file_location("elsewhere._fast", shop._fast.__file__)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.answer(), module.__name__)
spec = importlib.machinery.PathFinder.find_spec("shop._fast", shop.__path__)
print(spec.name, spec.origin == shop._fast.__file__)
print([type(sys.modules[name].__loader__).__name__ for name in ("shop._fast", "other._map")], file=sys.stderr)
