"""Experiments: sweeps, training runs, and those of the literature, a file each.

`gradvar.experiments.parity.run()` has the paper's settings, `parity.run(**parity.QUICK)` those that show the same in
seconds; `python -m gradvar reproduce --list` names all.
"""

import pkgutil

import lazy_loader

# Every file beside this one is an experiment: a new one needs no entry anywhere.
_names = [module.name for module in pkgutil.iter_modules(__path__)]
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=_names)
