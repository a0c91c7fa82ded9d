"""How every kernel is compiled: one policy, in one place."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numba
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def compiled(kernel: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel on its first call: serial, without the GIL, kept on disk where that is possible.

    No ``fastmath`` and no ``reassoc`` (they break NaN checks and the order of sums) and no ``parallel``:
    kernels release the GIL and the executor over tiles runs them side by side. Where no cache directory can
    be written, or one stops being writable later, the kernel is compiled anew in each process.

    With ``NUMBA_DISABLE_JIT=1`` the kernel is not compiled, and like one that is it does not warn of overflow.
    """
    try:
        dispatcher: Callable[P, R] = numba.njit(nogil=True, cache=True)(kernel)
    except RuntimeError:  # Numba found no directory that it may write to
        uncached: Callable[P, R] = numba.njit(nogil=True)(kernel)
        return uncached
    cache = getattr(dispatcher, "_cache", None)
    if cache is None:  # the JIT is disabled
        return np.errstate(all="ignore")(kernel)
    # Numba reads and writes the files at the first call, long after it chose the directory, and lets an OSError of the
    # cache end the computation.
    cache.load_overload = _none_on_os_error(cache.load_overload)
    cache.save_overload = _none_on_os_error(cache.save_overload)
    return dispatcher


def _none_on_os_error(access: Callable[P, R]) -> Callable[P, R | None]:
    @wraps(access)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return access(*args, **kwargs)
        except OSError:
            return None

    return guarded
