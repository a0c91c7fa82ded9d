"""Tiles: ordered, bit-identical for any executor, and interrupted without loss."""

import _thread
import os
import pickle
import platform
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import OpenBLASController, threadpool_info, threadpool_limits

import gradvar as gv
from gradvar.estimation import tiles
from gradvar.estimation.tiles import CachedPerProcess, ordered_map, single_threaded_blas

pytestmark = pytest.mark.large

H = gv.SparseParities(24, 2)
MODEL = gv.MLP.random([24, 16, 1], rng=0)


def bits(executor, method="monte-carlo", H=H, model=MODEL):
    check = gv.bound_check(H, model, "hinge", method=method, rtol=0, max_samples=1500, rng=7, executor=executor)
    return check.variance.mantissa, check.variance.mantissa_interval, check.gradient_norm_sq.mantissa


def test_results_come_in_the_order_of_the_tasks():
    def slow_first(i):
        time.sleep(0.02 if i == 0 else 0)
        return i

    assert list(ordered_map(slow_first, range(50))) == list(range(50))


@pytest.mark.parametrize("method", ["monte-carlo", "enumeration"])
def test_one_two_and_three_threads_give_the_same_bits(method):
    small, model = gv.SparseParities(10, 2), gv.MLP.random([10, 300, 1], rng=0)
    problem = (H, MODEL) if method == "monte-carlo" else (small, model)
    found = [bits(None, method, *problem)]
    for workers in (1, 2, 3):
        with ThreadPoolExecutor(workers) as pool:
            found.append(bits(pool, method, *problem))
    assert len(set(found)) == 1


def test_a_pool_of_processes_gives_the_same_bits():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert bits(pool) == bits(None)
        small = gv.SparseParities(8, 2), gv.MLP.random([8, 5, 4, 1], rng=0)
        assert bits(pool, "enumeration", *small) == bits(None, "enumeration", *small)


class Counter(CachedPerProcess):
    """Counts its calls, but does not take the count along."""

    def __init__(self, start):
        super().__init__()
        self.start, self.calls = start, 0

    left_behind = ("calls",)

    def restore(self):
        self.calls = 0

    def __call__(self, task):
        self.calls += 1
        return self.start + self.calls


def test_a_process_keeps_the_first_copy_that_reaches_it():
    here, other = Counter(0), Counter(100)
    here(None)
    there = pickle.loads(pickle.dumps(here))
    assert there is not here
    assert there(None) == 1
    assert pickle.loads(pickle.dumps(here)) is there
    assert pickle.loads(pickle.dumps(there)) is there
    assert pickle.loads(pickle.dumps(other))(None) == 101
    for _ in range(3):
        pickle.loads(pickle.dumps(Counter(0)))
    assert pickle.loads(pickle.dumps(here)) is not there  # four others have come since
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(ordered_map(here, range(4), pool)) == [1, 2, 3, 4]


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.alone
def test_blas_is_held_to_one_thread_and_released():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()
    with single_threaded_blas():
        assert set(blas_threads()) == {1}
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


@pytest.mark.alone
@pytest.mark.parametrize("user_owns_the_limit", [False, True], ids=["nobody", "the user"])
def test_blas_has_one_thread_in_each_tile_whichever_thread_came_first(user_owns_the_limit):
    seen: list[tuple[int, ...]] = []

    def looks(x):
        if len(x) > 64:  # a tile, not one of the first looks at a model
            seen.append(tuple(blas_threads()))
        return x

    problem = gv.Problem(gv.SparseParities(12, 3), gv.from_function(lambda x: looks(x)[:, 0], looks, 12))
    settings = {"method": "monte-carlo", "rtol": 0, "max_samples": 1024}

    def estimate(pool):
        gv.gradient_variance(problem.hypotheses, problem.model, executor=pool, **settings)

    def problems():
        return [gv.NamedProblem({"number": i}, problem.hypotheses, problem.model, seed=i, **settings) for i in range(4)]

    disown = getattr(OpenBLASController, "clear_controlling_thread", lambda force: None)  # since threadpoolctl 3.8
    limits = threadpool_limits(2, user_api="blas")
    try:
        if not user_owns_the_limit:
            disown(force=True)
        with ThreadPoolExecutor(2) as callers, ThreadPoolExecutor(2) as one, ThreadPoolExecutor(2) as other:
            for call in [
                lambda: callers.submit(estimate, one).result(),  # that thread lives on, idle
                lambda: estimate(one),
                lambda: estimate(other),
                lambda: list(callers.map(estimate, [one, other])),
                lambda: gv.sweep(problems(), executor=callers, progress=False),
                lambda: gv.sweep(problems(), progress=False),
            ]:
                seen.clear()
                call()
                assert len(seen) >= 4
                assert {count for counts in seen for count in counts} == {1}
                assert set(blas_threads()) == {2}
    finally:
        limits.restore_original_limits()
        disown(force=True)


class Library:
    """A BLAS with three threads, whose limit is the process's or, under OpenMP, each thread's own."""

    def __init__(self, name, openmp=False):
        self.filepath, self.threading_layer = name, "openmp" if openmp else "pthreads"
        self._limit = threading.local() if openmp else SimpleNamespace()

    @property
    def num_threads(self):
        return getattr(self._limit, "threads", 3)

    def set_num_threads(self, threads):
        self._limit.threads = threads


def test_a_library_loaded_later_and_one_whose_limit_is_a_threads_own_are_held(monkeypatch):
    libraries = [Library("first"), Library("of each thread", openmp=True)]
    monkeypatch.setattr(tiles, "_loaded_libraries", lambda modules: list(libraries))

    def threads(_=None):
        return [library.num_threads for library in libraries]

    with ThreadPoolExecutor(1) as pool:
        with single_threaded_blas():
            assert threads() == [1, 1]
            assert pool.submit(threads).result() == [1, 3]
            assert next(ordered_map(threads, [0], pool)) == [1, 1]
            libraries.append(Library("later"))
            assert threads() == [1, 1, 3]
            assert next(ordered_map(threads, [0], pool)) == [1, 1, 1]
            assert pool.submit(threads).result() == [1, 3, 3]
        assert threads() == pool.submit(threads).result() == [3, 3, 3]


def test_libraries_are_looked_up_again_when_more_modules_are_loaded(monkeypatch):
    with single_threaded_blas():
        pass
    known = tiles._loaded_libraries(len(sys.modules))
    assert tiles._loaded_libraries(len(sys.modules)) is known
    monkeypatch.setitem(sys.modules, "a module that brings a BLAS of its own", sys)
    assert tiles._loaded_libraries(len(sys.modules)) is not known


def test_an_error_in_a_tile_reaches_the_caller():
    def fails(i):
        raise ValueError(f"tile {i}")

    with pytest.raises(ValueError, match="tile 0"):
        list(ordered_map(fails, range(100)))


@pytest.mark.alone
@pytest.mark.parametrize("rtol", [0.0, 1e-9])
def test_interrupt_hands_back_the_estimate_so_far(rtol):
    H, model = gv.SparseParities(64, 2), gv.MLP.random([64, 64, 1], rng=0)
    gv.gradient_variance(H, model, method="monte-carlo", max_samples=512, rng=0)  # compile before the clock starts
    timer = threading.Timer(1.5, _thread.interrupt_main)
    timer.start()
    try:
        with pytest.raises(gv.Interrupted) as caught:
            gv.bound_check(H, model, method="monte-carlo", rtol=rtol, max_samples=2**18, rng=0)
    finally:
        timer.cancel()
    estimate = caught.value.estimate
    assert 0 < estimate.n_samples < 2**18
    assert estimate.interval[0] < estimate.value < estimate.interval[1]
    assert not estimate.exact
    assert "so far: Estimate(" in str(caught.value)
    assert isinstance(caught.value, KeyboardInterrupt)


@pytest.mark.alone
def test_interrupted_estimate_is_the_estimate_of_those_samples():
    """The value handed back is the one that the same seed gives when only so many samples are asked for."""
    H, model = gv.SparseParities(64, 2), gv.MLP.random([64, 64, 1], rng=0)
    gv.gradient_variance(H, model, method="monte-carlo", max_samples=512, rng=0)
    timer = threading.Timer(1.0, _thread.interrupt_main)
    timer.start()
    try:
        with pytest.raises(gv.Interrupted) as caught:
            gv.gradient_variance(H, model, method="monte-carlo", rtol=0, max_samples=2**18, rng=5)
    finally:
        timer.cancel()
    partial = caught.value.estimate
    again = gv.gradient_variance(H, model, method="monte-carlo", rtol=0, max_samples=partial.n_samples, rng=5)
    assert partial.value == again.value
    assert partial.standard_error == again.standard_error


@pytest.mark.alone
def test_interrupt_in_a_plain_mean_hands_back_the_mean_so_far():
    slow = gv.from_function(lambda x: (time.sleep(0.01), x[:, 0])[1], lambda x: x, 50)
    timer = threading.Timer(1.0, _thread.interrupt_main)
    timer.start()
    try:
        with pytest.raises(gv.Interrupted) as caught:
            gv.gradient_variance(gv.Parities(50), slow, rtol=0, max_samples=2**22, rng=0)
    finally:
        timer.cancel()
    estimate = caught.value.estimate
    assert estimate.method.startswith("closed-form")
    assert estimate.log2 == pytest.approx(np.log2(50) - 50)
    assert 0 < estimate.n_samples < 2**22


def test_progress_bar_is_shown_when_asked_for(terminal):
    gv.gradient_variance(H, MODEL, method="monte-carlo", max_samples=1024, rng=0, progress=True)
    shown = terminal.readouterr().err
    assert "1,024 samples, " in shown
    assert "+-" in shown
    gv.gradient_variance(H, MODEL, method="monte-carlo", max_samples=1024, rng=0)
    assert terminal.readouterr().err == ""


def test_progress_goes_to_a_function():
    seen: list[gv.Estimate] = []
    last = gv.gradient_variance(H, MODEL, method="monte-carlo", max_samples=1500, rtol=0, rng=0, progress=seen.append)
    assert [estimate.n_samples for estimate in seen] == [512, 1024, 1500]
    assert seen[-1].value == last.value


@pytest.mark.alone
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others keep memory by rules of their own")
def test_temporaries_take_no_fresh_pages():
    code = """if True:
        import resource, sys
        import numpy as np
        if "with" in sys.argv:
            import gradvar.estimation.tiles
        def faults():
            for _ in range(100):
                [np.ones(2**17) for _ in range(8)]  # 1 MiB each
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        print(faults() - faults())
    """
    # dask leaves MALLOC_TRIM_THRESHOLD_ in the environment, with which glibc learns nothing
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    runs = {
        way: subprocess.run([sys.executable, "-c", code, way], env=plain, capture_output=True, text=True, check=True)
        for way in ("with", "without")
    }
    taken = {way: -int(run.stdout) for way, run in runs.items()}
    assert taken["with"] < 1000 < taken["without"]
