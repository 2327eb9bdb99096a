from ..plain import VALUE
