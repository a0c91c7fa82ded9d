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
  python -m gradvar check linear-periodic --dim 10 --radius 2 --loss correlation --plot periodic.png
  python -m gradvar check discrete-log --p 101 --model residual-mlp --width 32 --blocks 2
  python -m gradvar check modular-addition --p 7 --loss cross-entropy
  python -m gradvar sweep parities --dim 5 10 15 --loss square hinge --seed 0 1 2 --path parities.jsonl
  python -m gradvar sweep parities --dim 8 --widths 16 --widths 64 64 --activation relu tanh --plot networks.png
  python -m gradvar reproduce --list
  python -m gradvar reproduce discrete_log --quick

A class, and a model, has the arguments that it has in Python, and each is an option: `check parities` takes all 2^dim
parities, with --degree those of that degree, and with --bias biased inputs. The variance is exact where a theorem or an
enumeration of the inputs gives it, and otherwise an unbiased estimate with an interval; the report says which. `sweep`
takes several values of the options of the class and the model, of --model, --loss and --seed, and checks all
combinations; with --path each is appended to a file as soon as it is finished, and the same command goes on where it
ended, however it did. `reproduce` runs an experiment of the literature, and prints its numbers beside the paper's.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import itertools
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import gradvar as gv

from .classes.base import HypothesisClass
from .classes.members.target_class import TargetClass
from .core.arguments import generator
from .experiments.reproduction.by_name import names, reproduce, reproduce_all
from .losses import LOSSES
from .problem import AnyModel
from .results.table import distinguishing_columns
from .verbs.auto import METHODS

Made = TypeVar("Made")

_DESCRIPTION, _, _EXAMPLES = (__doc__ or "").partition("examples:\n")
"""This page is the help: what stands before the examples, and what stands after."""
_SETTINGS = "method", "rtol", "confidence", "max_samples"


def _mlp(
    dim: int,
    outputs: int,
    rng: int,
    widths: Sequence[int] = (64,),
    activation: str = "tanh",
    scale: float = 1.0,
    bias: bool = True,
) -> gv.MLP:
    return gv.MLP.random([dim, *widths, outputs], activation, rng, scale, bias)


def _weights(dim: int, rng: int, scale: float) -> list[float]:
    return list(generator(rng).standard_normal(dim) * scale / dim**0.5)


def _linear(dim: int, rng: int, scale: float = 1.0) -> gv.Linear:
    return gv.Linear(_weights(dim, rng, scale))


def _cosine(dim: int, rng: int, scale: float = 1.0) -> gv.Cosine:
    return gv.Cosine(_weights(dim, rng, scale))


_CLASSES: dict[str, list[Callable[..., HypothesisClass]]] = {
    "parities": [gv.Parities, gv.SparseParities, gv.BiasedParities],
    "linear-periodic": [gv.LinearPeriodic],
    "discrete-log": [gv.DiscreteLog],
    "modular-multiples": [gv.ModularMultiples],
    "modular-addition": [gv.ModularAddition],
    "orthogonal-networks": [gv.OrthogonalNetworks],
    "random-networks": [gv.RandomNetworks],
    "planted-parities": [gv.PlantedParities],
}
"""Makers of each class: the first that takes all arguments that are given makes it."""
_MODELS: dict[str, list[Callable[..., AnyModel]]] = {
    "mlp": [_mlp],
    "linear": [_linear],
    "cosine": [_cosine],
    "residual-mlp": [gv.ResidualMLP.random],
    "convolutional": [gv.Convolutional.random],
    "recurrent": [gv.Recurrent.random],
    "weight-tied": [gv.WeightTied.random],
    "attention": [gv.Attention.random],
    "infinite-mlp": [gv.InfiniteMLP],
}
_TYPES = {"SupportsIndex": int, "Sequence[SupportsIndex]": int, "Sequence[int]": int} | dict.fromkeys(
    ["SupportsFloat", "float"], float
)
_OF_MODEL = frozenset({"dim", "outputs", "rng"})
"""Arguments that a model has from its class and from --seed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0; 1 when a problem of a sweep failed, or an experiment's number is not as claimed; 2 for a wrong argument; 130
    after Ctrl-C.
    """
    parser = _parser()
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given or ["check", "parities"])
    if options.command is None:
        parser.error("a command is missing: check, sweep or reproduce")
    try:
        return {"check": _check, "sweep": _sweep, "reproduce": _reproduce}[options.command](options)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TypeError, ValueError, OSError, ImportError) as error:
        print(f"gradvar: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"gradvar: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130


def _check(options: argparse.Namespace) -> int:
    (H,) = _hypotheses(options)
    axes = {name: value for name, (value,) in _axes(options, [options.model]).items()}
    check = gv.bound_check(
        H,
        _model(options.model, H, options.seed, **axes),
        options.loss,
        rng=options.seed,
        progress=options.progress,
        **{name: getattr(options, name) for name in _SETTINGS},
    )
    print(json.dumps(check.to_dict(), indent=2, allow_nan=False) if options.json else check, flush=True)
    if options.plot is not None:
        _save(check.plot, options.plot)
    return 0


def _sweep(options: argparse.Namespace) -> int:
    classes, axes, problems = list(_hypotheses(options)), _axes(options, options.model), list[gv.NamedProblem]()
    for kind in dict.fromkeys(options.model):  # each with the axes that it takes
        given = {name: getattr(options, name) for name in ("loss", "seed", *_SETTINGS)}
        given.update({name: axes[name] for name in axes if name.removeprefix("model_") in _parameters(_MODELS[kind])})
        problems += gv.grid(H=classes, model={kind: functools.partial(_model, kind)}, **given)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* problems failed")  # the table says it, and the exit code
        results = gv.sweep(problems, path=options.path, progress=options.progress)
    print(json.dumps(results.to_dicts(), indent=2, allow_nan=False) if options.json else results, flush=True)
    if options.path is not None:
        print(f"gradvar: {len(results)} records in {options.path}", file=sys.stderr)
    if options.plot is not None:
        rows = [problem.parameters for problem in problems]
        shared = [name for name in rows[0] if name != "H" and all(name in row for row in rows)]
        varied = distinguishing_columns(rows, shared)
        _save(functools.partial(results.plot, varied[0] if varied else "dim", "value"), options.plot)
    return 1 if results.failures else 0


def _reproduce(options: argparse.Namespace) -> int:
    known = names()
    if options.list:
        print("\n".join(f"{name:<{max(map(len, known))}}  {line}" for name, line in known.items()))
        return 0
    if options.all == (options.name is not None):
        raise ValueError("`reproduce` takes the name of an experiment, or --all, or --list")
    given = {"quick": options.quick, "seed": options.seed, "progress": sys.stderr.isatty()}
    out = Path(options.out)
    agrees = reproduce_all(out, **given) if options.all else reproduce(options.name, out, **given)
    return 0 if agrees else 1


def _save(plot: Callable[[], object], path: str) -> None:
    plot()
    from matplotlib import pyplot

    pyplot.savefig(path)
    pyplot.close()
    print(f"gradvar: plot in {path}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gradvar", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"gradvar {gv.__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="{check,sweep,reproduce}")
    check = commands.add_parser(
        "check",
        help="compute the gradient variance of a problem and check the bounds",
        description="Compute the gradient variance of a problem, the bounds on it, and a verdict.",
    )
    _add_problem(check)
    _add_settings(check)
    sweep = commands.add_parser(
        "sweep",
        help="check all combinations of several values of the options",
        description="Check the bounds of all combinations of several values of the options of a problem.",
    )
    _add_problem(sweep, nargs="+")
    _add_settings(sweep)
    sweep.add_argument("--path", help="append each result to this file, and skip what it has (default: no file)")
    again = commands.add_parser(
        "reproduce",
        help="run an experiment of the literature",
        description="Run an experiment of the literature: its table here, its figure and numbers in files.",
    )
    again.add_argument("name", nargs="?", help="which one; --list shows all")
    again.add_argument("--list", action="store_true", help="list the experiments, a line each")
    again.add_argument("--all", action="store_true", help="run all, but for those whose results are in --out already")
    again.add_argument("--quick", action="store_true", help="small settings that show the same (default: the paper's)")
    again.add_argument("--out", default="reproduced", metavar="DIR", help="where to (default: %(default)s)")
    again.add_argument("--seed", type=_seed, default=0, help="seed of the weights and the samples (default: 0)")
    for one in (parser, check, sweep, again):
        one.epilog, one.formatter_class = f"examples:\n{_EXAMPLES}", argparse.RawDescriptionHelpFormatter
    return parser


def _add_problem(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Add the arguments that name a problem; with nargs="+" they take several values, and name several."""
    parser.add_argument("hypotheses", choices=list(_CLASSES), metavar="class", help=", ".join(_CLASSES))
    add = functools.partial(parser.add_argument, nargs=nargs)

    def default(value: object) -> object:
        return value if nargs is None else [value]

    models = f"{', '.join(_MODELS)} (default: mlp)"
    add("--model", choices=list(_MODELS), default=default("mlp"), metavar="MODEL", help=models)
    losses = sorted(LOSSES)
    add("--loss", choices=losses, default=default("square"), help="the loss (default: square, 1/2 (p - y)^2)")
    add("--seed", type=_seed, default=default(0), help="seed of the weights and the samples (default: 0)")
    noise = "flip the labels of a class of signs at this rate, 0 to 1/2 (default: no noise)"
    add("--noise", type=float, default=default(None), help=noise)
    for part, title in (("class", "options of the class"), ("model", "options of the model, at random weights")):
        group = parser.add_argument_group(title)
        for name, (kind, words, value) in _arguments(part).items():
            flag, dest, said = _flag(part, name), f"{part}.{name}", f"of {', '.join(words)}"
            if kind == "bool":
                group.add_argument(flag, dest=dest, action="store_const", const=default(False), help=said)
                continue
            several = kind.startswith("Sequence")
            if shown := " ".join(map(str, value)) if isinstance(value, tuple) else value:
                said += "" if value is inspect.Parameter.empty else f" (default: {shown})"
            group.add_argument(
                flag,
                dest=dest,
                type=_TYPES.get(kind, str),
                nargs="+" if several else nargs,
                action="append" if several and nargs else "store",
                metavar=name.upper(),
                help=said,
            )


def _seed(word: str) -> int:
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"must be an integer >= 0, got {word!r}")
    return int(word)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the computation, one value for all problems."""
    add = parser.add_argument
    add("--method", choices=sorted(METHODS), default="auto", help="how to compute the variance (default: auto)")
    rtol = "half width asked of a sampled interval, relative to the value (default: 0.1)"
    add("--rtol", type=float, default=0.1, help=rtol)
    add("--confidence", type=float, default=0.95, help="coverage of a sampled interval (default: 0.95)")
    max_samples = "most inputs a sampled estimate rests on (default: 65536, or what takes some seconds)"
    add("--max-samples", type=int, help=max_samples)
    add("--progress", action="store_true", help="show a progress bar")
    add("--json", action="store_true", help="print the result as JSON")
    add("--plot", metavar="FILE", help="draw the result into this file, such as out.png (needs matplotlib)")


@functools.cache
def _arguments(part: str) -> dict[str, tuple[str, list[str], object]]:
    """The arguments of classes, or of models: of which type, of which of them, and the default where it is one."""
    found: dict[str, tuple[str, list[str], object]] = {}
    table: Mapping[str, Sequence[Callable[..., object]]] = _CLASSES if part == "class" else _MODELS
    for word, makers in table.items():
        for name, parameter in _parameters(makers).items():
            if part == "class" or name not in _OF_MODEL:
                kind = str(parameter.annotation).split(" |")[0]
                _, words, value = found.setdefault(name, (kind, [], parameter.default))
                found[name] = kind, [*words, word], value if value == parameter.default else None
    if part == "class":
        found["dim"] = (*found["dim"][:2], 20)
    return found


def _parameters(makers: Sequence[Callable[..., object]]) -> dict[str, inspect.Parameter]:
    return {name: found for make in makers for name, found in inspect.signature(make).parameters.items()}


def _flag(part: str, name: str) -> str:
    """The option of an argument: of a class, with "target" where a model has one of that name."""
    kind = _arguments(part)[name][0]
    other = _arguments("model").get(name, ("", [], None))[0]
    if kind == "bool":
        return f"--no-{name}"
    return f"--target-{name}" if part == "class" and other not in ("", "bool") else f"--{name}"


def _given(options: argparse.Namespace, part: str) -> dict[str, list[object]]:
    """The values of each argument that is given."""
    given = {name: getattr(options, f"{part}.{name}") for name in _arguments(part)}
    found = {name: value for name, value in given.items() if value is not None}
    lists = found if options.command == "sweep" else {name: [value] for name, value in found.items()}
    return {name: [tuple(v) if isinstance(v, list) else v for v in values] for name, values in lists.items()}


def _hypotheses(options: argparse.Namespace) -> Iterator[HypothesisClass]:
    given = _given(options, "class")
    rates = options.noise if options.command == "sweep" else [options.noise]
    for *values, rate in itertools.product(*given.values(), rates):
        H = _made(options.hypotheses, _CLASSES[options.hypotheses], dict(zip(given, values, strict=True)), {"dim": 20})
        if rate is None:
            yield H
        elif isinstance(H, TargetClass):
            yield H.noisy(rate)
        else:
            raise TypeError(f"`--noise` flips the labels of targets, and {H!r} is no class of targets")


def _axes(options: argparse.Namespace, kinds: list[str]) -> dict[str, list[object]]:
    """The arguments of the models, each of which one of them takes at least; apart from those of the class by name."""
    given, of_class = _given(options, "model"), _parameters(_CLASSES[options.hypotheses])
    for name in given:
        words = _arguments("model")[name][1]
        if not set(kinds) & set(words):
            raise ValueError(f"`{_flag('model', name)}` is an option of {', '.join(words)}, not of {', '.join(kinds)}")
    return {f"model_{name}" if name in of_class else name: values for name, values in given.items()}


def _model(kind: str, H: HypothesisClass, seed: int, **values: object) -> AnyModel:
    known = {"dim": H.inputs.dim, "rng": seed, "outputs": getattr(H, "n_outputs", 1)}
    return _made(kind, _MODELS[kind], {name.removeprefix("model_"): value for name, value in values.items()}, known)


def _made(word: str, makers: list[Callable[..., Made]], given: dict[str, object], known: dict[str, object]) -> Made:
    """The object that the first maker which takes all that is given makes of it, and of what is known anyway."""
    part = "class" if word in _CLASSES else "model"
    for make in makers:
        parameters = _parameters([make])
        if given.keys() <= parameters.keys():
            break
    else:
        names = _parameters(makers)
        wrong = next((name for name in given if name not in names), next(iter(given)))
        takes = ", ".join(_flag(part, name) for name in names)
        raise ValueError(f"`{_flag(part, wrong)}` does not go with the other options of {word}: {takes}")
    values = {name: value for name, value in known.items() if name in parameters} | given
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in values:
            if "None" not in str(parameter.annotation):
                raise ValueError(f"`{_flag(part, name)}` is missing: {word} needs one")
            values[name] = None
    return make(**values)


if __name__ == "__main__":
    sys.exit(main())
