"""A sweep on the processes of a dask cluster, one of which is killed."""

import os
import signal
import threading
import time

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

import gradvar as gv

pytestmark = [pytest.mark.large, pytest.mark.alone]


class Slow:
    """p(x) = w sum_i x_i, slowly; its worker's process writes down that it is at work."""

    n_parameters = 1

    def __init__(self, weight: float, delay: float, folder: str) -> None:
        self.weight, self.delay, self.folder = weight, delay, folder

    def __repr__(self) -> str:
        return f"Slow({self.weight})"

    def predict(self, x):
        with open(os.path.join(self.folder, str(os.getpid())), "a") as file:
            file.write(f"{self.weight}\n")
        time.sleep(self.delay)
        return self.weight * x.sum(axis=1)

    def gradient(self, x):
        return np.ascontiguousarray(x.sum(axis=1))[:, None]


def problems(delay, folder):
    H = gv.Parities(30)
    return [
        gv.NamedProblem({"model": i}, H, Slow(1.0 + i, delay, str(folder)), seed=i, rtol=0, max_samples=64)
        for i in range(8)
    ]


def timeless(results):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in results]


def kill_one_at_work(folder, path, killed):
    """Kill a process that is at work, once two problems have been finished."""
    while not path.exists() or path.read_bytes().count(b"\n") < 2:
        time.sleep(0.01)
    newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    killed.append(int(newest.name))
    os.kill(killed[0], signal.SIGKILL)


def test_a_killed_worker_costs_nothing(tmp_path):
    here, there, path = tmp_path / "here", tmp_path / "there", tmp_path / "out.jsonl"
    here.mkdir()
    there.mkdir()
    expected = timeless(gv.sweep(problems(0.0, here), progress=False))
    killed: list[int] = []
    with (
        dask.config.set({"distributed.admin.tick.limit": "60s"}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        killer = threading.Thread(target=kill_one_at_work, args=(there, path, killed), daemon=True)
        killer.start()
        results = gv.sweep(problems(0.15, there), path=path, executor=client.get_executor(pure=False), progress=False)
        killer.join(10)
        assert killed
        assert killed[0] not in client.run(os.getpid).values()
    assert timeless(results) == expected
    # Every problem has one record, whichever process it was finished by.
    found = gv.SweepResults.read(path)
    assert sorted(row["model"] for row in found) == list(range(8))
    assert path.read_bytes().count(b"\n") == 8
    assert {row["status"] for row in found} == {"done"}
