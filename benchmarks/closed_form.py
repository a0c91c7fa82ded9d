"""The exact gradient variance over k-sparse parities at large dimension, against the other ways to a number.

Run as `python benchmarks/closed_form.py [width]`. Seconds for one gradient variance on all cores, kernels compiled. The
enumeration doubles with each dimension; sampling takes its time whatever it resolves: the last column is its
standard error over the exact value, and a value well above 1 means that it has seen nothing.
"""

import resource
import sys
import time

import gradvar as gv


def timed(H: gv.SparseParities, model: gv.MLP, method: str, **settings: object) -> tuple[gv.Estimate, float]:
    start = time.perf_counter()
    estimate = gv.gradient_variance(H, model, method=method, **settings)
    return estimate, time.perf_counter() - start


def row(dim: int, degree: int, width: int, activation: str) -> str:
    H = gv.SparseParities(dim, degree)
    model = gv.MLP.random([dim, width, 1], activation=activation, rng=0)
    exact, seconds = timed(H, model, "closed-form")
    low, high = exact.mantissa_interval
    text = f"{activation:>8} {dim:6} {degree:3} {width:6} {seconds:8.3f} {exact.log2:9.3f}"
    text += f" {(high - low) / 2 / exact.mantissa:9.1e}"
    if dim <= 20:
        enumerated, slow = timed(H, model, "enumeration")
        return text + f" {slow:8.3f} {abs(enumerated.value / exact.value - 1):9.1e}"
    if dim <= 1000:
        sampled, slow = timed(H, model, "monte-carlo", rng=0, rtol=0, max_samples=2**13)
        return text + f" {slow:8.3f} {sampled.standard_error / exact.value:9.1e}"
    return text


def main() -> None:
    width = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    for activation in ("tanh", "relu", "gelu"):  # compiles the kernels
        gv.gradient_variance(gv.SparseParities(60, 2), gv.MLP.random([60, 2, 1], activation=activation, rng=0))
    print(
        f"{'':8} {'d':>6} {'k':>3} {'width':>6} {'seconds':>8} {'log2 Var':>9} {'error':>9} {'others':>8} {'theirs':>9}"
    )
    for degree in (3, 9, 17):
        print(row(20, degree, width, "tanh"), flush=True)
    for activation in ("tanh", "gelu", "sigmoid", "relu"):
        for dim in (100, 200):
            print(row(dim, 4, width, activation), flush=True)
    total = 0.0
    for degree in range(1, 11):
        line = row(1000, degree, width, "tanh")
        total += float(line.split()[4])
        print(line, flush=True)
    print(f"d = 1000, k = 1..10: {total:.1f} s in all")
    print(row(10_000, 3, 16, "tanh"))
    print(row(10_000, 4, 16, "relu"))
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most")


if __name__ == "__main__":
    main()
