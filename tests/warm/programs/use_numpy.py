# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy"]
# ///
import io
import threading

import numpy as np

def main():
    a = np.arange(250_000, dtype=float).reshape(500, 500)
    print(np.trace(a @ a.T), np.sort(a[:, 3])[:5], a.mean(axis=0)[:3])
    print(np.linalg.det(np.eye(5) * 2), np.linalg.solve([[2.0, 1.0], [1.0, 3.0]], [3.0, 5.0]).round(6))
    print(np.random.default_rng(7).integers(0, 100, 5), np.fft.fft(np.ones(4)).real)
    generator = np.random.default_rng(11)
    matrix = generator.normal(size=(60, 40))
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    print(np.allclose(u * s @ v, matrix), s[:3].round(9), np.linalg.eigvalsh(matrix.T @ matrix)[-2:].round(9))
    print(np.linalg.inv(np.diag([1.0, 2, 4])).diagonal(), np.linalg.matrix_rank(matrix), np.linalg.norm(matrix).round(9))
    np.random.seed(5)
    print(np.random.rand(3), np.random.permutation(6), np.random.choice(["a", "b", "c"], 4), generator.standard_cauchy())
    print(np.einsum("ij,jk->k", a[:3, :4], a[:4, :2]), np.histogram(a, bins=3)[0], np.unique([3, 1, 3], return_counts=True))
    records = np.array([(1, "x", 2.5), (2, "y", 0.5)], dtype=[("n", "i4"), ("s", "U3"), ("f", "f8")])
    print(np.sort(records, order="f"), np.datetime64("2024-02-28") + np.arange(3), np.float16(1) / 3, np.ma.masked_less([1, 5], 3))
    kept = io.BytesIO()
    np.savez_compressed(kept, matrix=matrix)
    kept.seek(0)
    print((np.load(kept)["matrix"] == matrix).all(), np.polynomial.Polynomial.fit([0, 1, 2], [1, 3, 7], 2).convert().coef.round(6))
    with np.errstate(divide="raise"):
        try:
            np.ones(1) / 0
        except FloatingPointError as error:
            print(error)
    workers = [threading.Thread(target=lambda: np.ones((200, 200)) @ np.ones((200, 200))) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    try:
        np.ones(3) + np.ones(4)
    except ValueError as error:
        print(error)


if __name__ == "__main__":
    main()
