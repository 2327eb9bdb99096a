import importlib.metadata
import importlib.util

print(importlib.metadata.version("iniconfig"), importlib.util.find_spec("six"))
