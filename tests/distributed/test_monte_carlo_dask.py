"""One long estimate on the processes of a dask cluster, one of which is killed: nothing is lost, not a bit."""

import math
import os
import signal
import threading
import time

import dask
import pytest
from distributed import Client, LocalCluster

import gradvar as gv

pytestmark = [pytest.mark.large, pytest.mark.alone]


class Slow:
    """A network whose gradient takes its time, and writes down which process is at work."""

    def __init__(self, delay: float, folder: str) -> None:
        self.model, self.delay, self.folder = gv.MLP.random([24, 8, 1], rng=0), delay, folder
        self.n_parameters = self.model.n_parameters

    def predict(self, x):
        return self.model.predict(x)

    def gradient(self, x):
        if len(x) == 512:
            with open(os.path.join(self.folder, str(os.getpid())), "a") as file:
                file.write("tile\n")
            time.sleep(self.delay)
        return self.model.gradient(x)


class Silent:
    """Parities of degree 1 that say how their members are drawn and evaluated, and no covariance."""

    labels = "signs"

    def __init__(self) -> None:
        self.H = gv.SparseParities(24, 1)
        self.inputs, self.log2_size = self.H.inputs, self.H.log2_size
        self.sample, self.evaluate = self.H.sample, self.H.evaluate


def estimate(H, delay, folder, executor=None):
    """Of pairs of inputs: 6 tiles, 21 pairs of tiles. Of sampled members: 64 blocks of 512 inputs."""
    n = 64 * 512 if isinstance(H, Silent) else 6 * 512
    folder.mkdir()
    found = gv.gradient_variance(
        H, Slow(delay, str(folder)), method="monte-carlo", max_samples=n, rtol=0, rng=5, executor=executor
    )
    return found.mantissa, found.mantissa_interval, found.mantissa_error, found.n_samples


def kill_one_at_work(folder, killed):
    """Kill a process that has just begun a tile, once both have."""
    while not folder.exists() or len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    killed.append(int(newest.name))
    os.kill(killed[0], signal.SIGKILL)


@pytest.fixture(scope="module")
def client():
    with (
        dask.config.set({"distributed.admin.tick.limit": "60s"}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("H", [gv.SparseParities(24, 2), Silent()], ids=["pairs", "members"])
def test_a_killed_worker_costs_no_bit(H, client, tmp_path):
    here = estimate(H, 0.0, tmp_path / "here")
    killed: list[int] = []
    client.wait_for_workers(2, timeout=60)
    killer = threading.Thread(target=kill_one_at_work, args=(tmp_path / "there", killed), daemon=True)
    killer.start()
    there = estimate(H, 0.05, tmp_path / "there", client.get_executor(pure=False))
    killer.join(10)
    assert killed
    assert killed[0] not in client.run(os.getpid).values()
    assert there == here
    assert math.isfinite(there[0])
