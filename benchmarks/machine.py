"""What the numbers were measured on: processor and versions, and how busy it was; no names of hosts, no paths."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

PACKAGES = (
    "gradient-variance",
    "numpy",
    "scipy",
    "numba",
    "torch",
    "jax",
    "backpack-for-pytorch",
    "FFHT-unofficial",
    "fht-cpu",
)


class Machine(TypedDict):
    date: str
    cores: int | None
    instructions: str
    load: float
    BLAS: str
    python: str
    versions: dict[str, str | None]


def machine() -> Machine:
    return {
        "date": date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": instructions(),
        "load": round(os.getloadavg()[0], 1),
        "BLAS": blas(),
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in PACKAGES},
    }


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def instructions() -> str:
    """The architecture and the widest vectors that it says it has."""
    file = Path("/proc/cpuinfo")
    flags = file.read_text().split() if file.exists() else []
    widest = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
    return f"{platform.machine()} {widest}".strip()


def blas() -> str:
    """NumPy's BLAS and the kernels it took, which an environment variable may have pinned."""
    import numpy as np  # noqa: F401 - loads the library that is asked about
    from threadpoolctl import threadpool_info

    return ", ".join(
        f"{found['internal_api']} {found['version']} ({found['architecture']})"
        for found in threadpool_info()
        if found["user_api"] == "blas"
    )


def sentence(found: Machine, load_after: float) -> str:
    versions = ", ".join(f"{name} {said or 'not installed'}" for name, said in found["versions"].items())
    return (
        f"{found['date']}, {found['cores']} cores, {found['instructions']}, load average {found['load']} before and "
        f"{load_after:.1f} after; Python {found['python']}, {versions}; BLAS of NumPy: {found['BLAS']}."
    )
