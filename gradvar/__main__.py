"""The command line: `python -m gradvar`.

The gradient variance over a hypothesis class: how much the gradient of a model's loss knows about
which target of the class it is being trained on, next to the bound of Theorem 1 of "Failures of
Gradient-Based Deep Learning" (arXiv 1703.07950): at most G^2/|H| for an orthonormal class.

Without a command: the main job on a default problem, all 2^20 parities and a small network.

examples:
  python -m gradvar
  python -m gradvar check parities --dim 20 --widths 128 --loss logistic
  python -m gradvar check parities --dim 20 --degree 3 --activation relu
  python -m gradvar check parities --dim 40 --degree 2 --rtol 0.05 --progress
  python -m gradvar check parities --dim 10000 --model linear --json
  python -m gradvar sweep parities --dim 5 10 15 --loss square hinge --seed 0 1 2 --path parities.jsonl

`check parities` takes all 2^dim parities, or with --degree those of that degree. The variance is
exact where a theorem or an enumeration of the inputs gives it, and otherwise an unbiased estimate
with an interval; the report says which. `sweep` takes several values of --dim, --degree, --model,
--loss and --seed and checks all combinations; with --path each is appended to a file as soon as it
is finished, and the same command goes on where it ended, however it did.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import warnings
from collections.abc import Sequence

import gradvar as gv

from .classes.base import HypothesisClass
from .core.activations import ACTIVATIONS
from .core.arguments import generator
from .losses import LOSSES
from .models.base import Model
from .verbs.auto import METHODS

_DESCRIPTION, _, _EXAMPLES = (__doc__ or "").partition("examples:\n")
"""This page is the help: what stands before the examples, and what stands after."""
_SETTINGS = "method", "rtol", "confidence", "max_samples"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0; 1 when a problem of a sweep failed; 2 for a wrong argument; 130 after Ctrl-C.
    """
    parser = _parser()
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given or ["check", "parities"])
    if options.command is None:
        parser.error("a command is missing: check or sweep")
    try:
        return _check(options) if options.command == "check" else _sweep(options)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TypeError, ValueError, OSError) as error:
        print(f"gradvar: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"gradvar: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130


def _check(options: argparse.Namespace) -> int:
    H = _hypotheses(options.dim, options.degree)
    check = gv.bound_check(
        H,
        _model(options, options.model, H, options.seed),
        options.loss,
        rng=options.seed,
        progress=options.progress,
        **{name: getattr(options, name) for name in _SETTINGS},
    )
    print(json.dumps(check.to_dict(), indent=2, allow_nan=False) if options.json else check, flush=True)
    return 0


def _sweep(options: argparse.Namespace) -> int:
    problems = gv.grid(
        H=[_hypotheses(dim, degree) for dim in options.dim for degree in options.degree or [None]],
        model={kind: functools.partial(_model, options, kind) for kind in options.model},
        loss=options.loss,
        seed=options.seed,
        **{name: getattr(options, name) for name in _SETTINGS},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* problems failed")  # the table says it, and the exit code
        results = gv.sweep(problems, path=options.path, progress=options.progress)
    print(json.dumps(results.to_dicts(), indent=2, allow_nan=False) if options.json else results, flush=True)
    if options.path is not None:
        print(f"gradvar: {len(results)} records in {options.path}", file=sys.stderr)
    return 1 if results.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gradvar", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"gradvar {gv.__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="{check,sweep}")
    check = commands.add_parser(
        "check",
        help="compute the gradient variance of a problem and check the bounds",
        description="Compute the gradient variance of a problem, the bounds on it, and a verdict.",
    )
    _add_problem(check)
    _add_settings(check)
    sweep = commands.add_parser(
        "sweep",
        help="check all combinations of dimensions, degrees, models, losses and seeds",
        description="Check the bounds of all combinations of dimensions, degrees, models, losses and seeds.",
    )
    _add_problem(sweep, nargs="+")
    _add_settings(sweep)
    sweep.add_argument("--path", help="append each result to this file, and skip what it has (default: no file)")
    for one in (parser, check, sweep):
        one.epilog, one.formatter_class = f"examples:\n{_EXAMPLES}", argparse.RawDescriptionHelpFormatter
    return parser


def _add_problem(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Add the arguments that name a problem; with nargs="+" they take several values, and name several."""
    parser.add_argument("hypotheses", choices=["parities"], help="the hypothesis class")
    add = functools.partial(parser.add_argument, nargs=nargs)

    def default(value: object) -> object:
        return value if nargs is None else [value]

    add("--dim", type=int, default=default(20), help="input dimension (default: 20)")
    add("--degree", type=int, help="take the parities of this degree only (default: all parities)")
    models = ["mlp", "linear", "cosine"]
    add("--model", choices=models, default=default("mlp"), help="the predictor, at random weights (default: mlp)")
    losses = sorted(LOSSES)
    add("--loss", choices=losses, default=default("square"), help="the loss (default: square, 1/2 (p - y)^2)")
    add("--seed", type=int, default=default(0), help="seed of the weights and the samples (default: 0)")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the models and of the computation, one value for all problems."""
    add = parser.add_argument
    add("--widths", type=int, nargs="+", default=[64], metavar="W", help="hidden widths of the mlp (default: 64)")
    add("--activation", choices=sorted(ACTIVATIONS), default="tanh", help="activation of the mlp (default: tanh)")
    add("--scale", type=float, default=1.0, help="weights have standard deviation scale/sqrt(fan_in) (default: 1)")
    add("--method", choices=sorted(METHODS), default="auto", help="how to compute the variance (default: auto)")
    rtol = "half width asked of a sampled interval, relative to the value (default: 0.1)"
    add("--rtol", type=float, default=0.1, help=rtol)
    add("--confidence", type=float, default=0.95, help="coverage of a sampled interval (default: 0.95)")
    max_samples = "most inputs a sampled estimate rests on (default: 65536, or what takes some seconds)"
    add("--max-samples", type=int, help=max_samples)
    add("--progress", action="store_true", help="show a progress bar")
    add("--json", action="store_true", help="print the result as JSON")


def _hypotheses(dim: int, degree: int | None) -> HypothesisClass:
    return gv.Parities(dim) if degree is None else gv.SparseParities(dim, degree)


def _model(options: argparse.Namespace, kind: str, H: HypothesisClass, seed: int) -> Model:
    dim = H.inputs.dim
    if kind == "mlp":
        return gv.MLP.random([dim, *options.widths, 1], options.activation, seed, options.scale)
    weights = generator(seed).standard_normal(dim) * options.scale / dim**0.5
    return gv.Linear(weights) if kind == "linear" else gv.Cosine(weights)


if __name__ == "__main__":
    sys.exit(main())
