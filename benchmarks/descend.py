"""50 000 steps of `descend` at d = 30, width 300, against a plain PyTorch loop, side by side in one run.

Run as `python benchmarks/descend.py`. The task is the parity experiment of "Failures of Gradient-Based Deep Learning":
a 30-300-1 ReLU network, hinge loss, SGD with learning rate 0.01 and fresh batches of 128. The loops take turns at short
runs, so that a busy machine slows all of them; then gradvar makes all 50 000 steps. Processor time is what the process
used, on all threads: on a busy machine it says more than the time that passed.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import gradvar as gv

DIM, WIDTH, BATCH, RATE = 30, 300, 128, 0.01
STEPS, TURN, TURNS = 50_000, 1_000, 5
MEMBER = np.arange(DIM) % 2 == 0


def target(x: np.ndarray) -> np.ndarray:
    return x[:, MEMBER].prod(axis=1)


def by_gradvar(steps: int) -> gv.Descent:
    start = gv.MLP.random([DIM, WIDTH, 1], activation="relu", rng=0)
    return gv.descend(
        target, start, "hinge", inputs=gv.Hypercube(DIM), steps=steps, batch=BATCH, learning_rate=RATE, rng=0
    )


def by_torch(steps: int, dtype: torch.dtype) -> torch.nn.Module:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(DIM, WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, 1)).to(dtype)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    members = torch.from_numpy(np.flatnonzero(MEMBER))
    for _ in range(steps):
        x = torch.randint(0, 2, (BATCH, DIM)).to(dtype) * 2 - 1
        y = x[:, members].prod(dim=1)
        optimizer.zero_grad()
        torch.clamp(1 - y * net(x).squeeze(1), min=0).mean().backward()
        optimizer.step()
    return net


def main() -> None:
    loops: dict[str, Callable[[], object]] = {
        "gradvar, float64": lambda: by_gradvar(TURN),
        "torch loop, float64": lambda: by_torch(TURN, torch.float64),
        "torch loop, float32": lambda: by_torch(TURN, torch.float32),
    }
    torch.set_num_threads(1)
    elapsed: dict[str, list[float]] = {name: [] for name in loops}
    used: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(TURNS + 1):
        for name, loop in loops.items():
            begin, cpu = time.perf_counter(), time.process_time()
            loop()
            if turn:  # the first one warms up
                elapsed[name].append(time.perf_counter() - begin)
                used[name].append(time.process_time() - cpu)
    own = statistics.median(used["gradvar, float64"])
    print(f"SGD, {DIM}-{WIDTH}-1 relu, hinge, batch {BATCH}, one thread: medians of {TURNS} turns of {TURN} steps")
    for name in loops:
        cpu = statistics.median(used[name])
        print(
            f"  {name:<20} {1e6 * statistics.median(elapsed[name]) / TURN:7.0f} us a step, "
            f"{1e6 * cpu / TURN:7.0f} of processor time   ratio {cpu / own:5.2f}"
        )
    cpu = time.process_time()
    run = by_gradvar(STEPS)
    print(f"{STEPS:,} steps of descend: {run.seconds:.1f} s, {time.process_time() - cpu:.1f} s of processor time")
    print(f"  accuracy at {len(run)} records: mean {run.accuracies.mean():.3f}, sd {run.accuracies.std():.3f}")


if __name__ == "__main__":
    main()
