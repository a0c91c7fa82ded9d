"""The command line: `python -m gradvar`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

import numpy as np

import gradvar as gv

from .arguments import generator
from .classes.base import HypothesisClass
from .losses import LOSSES
from .methods.auto import METHODS
from .models.activations import ACTIVATIONS
from .models.base import Model

_DESCRIPTION = """\
The gradient variance over a hypothesis class: how much the gradient of a model's loss knows about
which target of the class it is being trained on, next to the bound of Theorem 1 of "Failures of
Gradient-Based Deep Learning" (arXiv 1703.07950): at most G^2/|H| for an orthonormal class.

Without a command: the main job on a default problem, all 2^20 parities and a small network.
"""

_EXAMPLES = """\
examples:
  python -m gradvar
  python -m gradvar check parities --dim 20 --widths 128 --loss logistic
  python -m gradvar check parities --dim 20 --degree 3 --activation relu
  python -m gradvar check parities --dim 40 --degree 2 --rtol 0.05 --progress
  python -m gradvar check parities --dim 10000 --model linear --json

`check parities` takes all 2^dim parities, or with --degree those of that degree. The variance is
exact where a theorem or an enumeration of the inputs gives it, and otherwise an unbiased estimate
with an interval; the report says which.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for a wrong argument, 130 after Ctrl-C."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given or ["check", "parities"])
    if options.command is None:
        parser.error("a command is missing: check")
    try:
        check = gv.bound_check(
            _hypotheses(options),
            _model(options),
            options.loss,
            method=options.method,
            rtol=options.rtol,
            confidence=options.confidence,
            max_samples=options.max_samples,
            rng=np.random.SeedSequence((options.seed, 1)),
            progress=options.progress,
        )
    except (TypeError, ValueError) as error:
        print(f"gradvar: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"gradvar: {interrupt or 'interrupted'}", file=sys.stderr)
        return 130
    try:
        print(json.dumps(check.to_dict(), indent=2, allow_nan=False) if options.json else check, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gradvar",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gradvar {gv.__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="{check}")
    check = commands.add_parser(
        "check",
        help="compute the gradient variance of a problem and check the bounds",
        description="Compute the gradient variance of a problem, the bounds on it, and a verdict.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("hypotheses", choices=["parities"], help="the hypothesis class")
    add = check.add_argument
    add("--dim", type=int, default=20, help="input dimension (default: 20)")
    add("--degree", type=int, help="take the parities of this degree only (default: all parities)")
    add(
        "--model",
        choices=["mlp", "linear", "cosine"],
        default="mlp",
        help="the predictor, at random weights (default: mlp)",
    )
    add(
        "--widths",
        type=int,
        nargs="+",
        default=[64],
        metavar="W",
        help="hidden widths of the mlp (default: 64)",
    )
    add(
        "--activation",
        choices=sorted(ACTIVATIONS),
        default="tanh",
        help="activation of the mlp (default: tanh)",
    )
    add(
        "--scale",
        type=float,
        default=1.0,
        help="weights have standard deviation scale/sqrt(fan_in) (default: 1)",
    )
    add("--loss", choices=sorted(LOSSES), default="square", help="the loss (default: square, 1/2 (p - y)^2)")
    add(
        "--method",
        choices=sorted(METHODS),
        default="auto",
        help="how to compute the variance (default: auto)",
    )
    add(
        "--rtol",
        type=float,
        default=0.1,
        help="half width asked of a sampled interval, relative to the value (default: 0.1)",
    )
    add("--confidence", type=float, default=0.95, help="coverage of a sampled interval (default: 0.95)")
    add(
        "--max-samples",
        type=int,
        default=2**16,
        help="most inputs a sampled estimate rests on (default: 65536)",
    )
    add("--seed", type=int, default=0, help="seed of the weights and the samples (default: 0)")
    add("--progress", action="store_true", help="show a progress bar")
    add("--json", action="store_true", help="print the result as JSON")
    return parser


def _hypotheses(options: argparse.Namespace) -> HypothesisClass:
    return gv.Parities(options.dim) if options.degree is None else gv.SparseParities(options.dim, options.degree)


def _model(options: argparse.Namespace) -> Model:
    if options.model == "mlp":
        return gv.MLP.random([options.dim, *options.widths, 1], options.activation, options.seed, options.scale)
    weights = generator(options.seed).standard_normal(options.dim) * options.scale / options.dim**0.5
    return gv.Linear(weights) if options.model == "linear" else gv.Cosine(weights)


if __name__ == "__main__":
    sys.exit(main())
