"""A program that spreads work over processes, started afresh: no freeze_support() needed."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=2, mp_context=context) as pool:
        results = list(pool.map(square, range(10)))
    print("squares:", [result for result, _ in results])
    print("in other processes:", os.getpid() not in {pid for _, pid in results})
