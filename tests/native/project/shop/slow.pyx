# A Cython module, and the header that it includes.
cdef extern from "limits.h":
    int SHOP_LIMIT "INT_MAX"

def fib(int n):
    cdef long a = 0, b = 1
    for _ in range(n):
        a, b = b, a + b
    return a

def limit():
    return SHOP_LIMIT
