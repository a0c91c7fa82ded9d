"""Products of k hidden labels of images: learned from the product alone for small k, and from each label for all k.

Paper: Shalev-Shwartz, Shamir and Shammah, "Failures of Gradient-Based Deep Learning" (arXiv 1703.07950), section 3.1.
An example is k images of a line, labelled +1 where its angle is below pi/2 and else -1; the target is the product of
the labels. A convolutional network scores each image, a second one takes the k scores. End-to-end it has the hinge
loss of the product; decomposed, that of each image's label as well. End-to-end k = 1 and 2 are learned and k = 3 stays
at chance, decomposed all are; and the signal-to-noise ratio of the end-to-end gradient is extremely small at k = 3.

Here: the training, on fresh examples, in float32; and ||E y s||^2/E||s||^2 at the initial weights, s the signal of the
weights of an image's score, in float64, by the library's U-statistic over groups of images, of which all tuples are
taken. Quick settings: after 150 to 300 steps k = 1 .953 and .956 (the paper: .946, .945), k = 2
.916 and .930 (.909, .908), k = 3 .494 and .897 (.485, .862); the ratio is 6.0e-4 for one image's label and for k = 1,
3.1e-8 for k = 2 and 1e-12 for k = 3.

They differ: the ratio falls a hundredfold and more with each image, while the paper's is .001 times that of k = 1 at
all k >= 2, near the noise of 500 000 tuples. Where |p| > 1 the mean gradient of the hinge has a part that knows no
label, which is left out here. In the quick settings the network is smaller, and starts larger to learn sooner. At k = 2
it waits on a plateau, as long as its initial weights make it: 2 of 3 runs leave it (rng = 0, 1). Of the
full settings k = 1 was run for 200 steps, .955 and .956, and the ratio at k = 1, 6.1e-4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..core.arguments import Array, SeedLike, Stream, seed_of, stream
from ..results.table import Scalar
from .line_images.images import Images, examples
from .line_images.networks import Networks, one_thread, signals, train
from .reproduction.figure import panels, style
from .reproduction.result import Comparison, Reproduction, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUICK: Mapping[str, object] = MappingProxyType(
    {
        "steps": {1: 150, 2: 300, 3: 250},
        "batch": 500,
        "learning_rate": 2e-3,
        "channels": 8,
        "stride": 2,
        "larger": True,
        "starts": 3,
        "samples": 1024,
    }
)

_PAPER = {
    "end-to-end": {1: 0.946, 2: 0.909, 3: 0.4845, 4: 0.4945},
    "decomposed": {1: 0.945, 2: 0.908, 3: 0.862, 4: 0.839},
}
_PAPER_SNR = {1: 1.0, 2: 0.0018, 3: 0.0006, 4: 0.0010}
"""Accuracies, and the signal-to-noise ratio end-to-end over that of k = 1."""
_TOLERANCE = 0.03
_RECORDS = 8


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DecompositionImagesResult(Reproduction):
    """Accuracies and signal-to-noise ratios; a row for each run and each ratio.

    Attributes
    ----------
    curves : tuple of (approach, k, steps, accuracies)
        Of each run, the accuracy of the product along it.
    """

    curves: tuple[tuple[str, int, tuple[int, ...], tuple[float, ...]], ...]

    def plot(self) -> list[Axes]:
        """Draw accuracies over steps for each k, the paper's as lines across, and signal over noise over k."""
        ks = sorted({k for _, k, *_ in self.curves})
        axes = panels(len(ks) + 1, in_a_row=min(len(ks) + 1, 4))
        for ax, k in zip(axes, ks, strict=False):
            seen: set[str] = set()
            for approach, _, steps, accuracies in (curve for curve in self.curves if curve[1] == k):
                i = int(approach == "decomposed")
                ax.plot(steps, accuracies, label=None if approach in seen else approach, **style(i))
                if approach not in seen and k in _PAPER[approach]:
                    paper = ax.axhline(_PAPER[approach][k], label=f"paper, {approach}", linestyle=":")
                    paper.set(color=style(i)["color"], linewidth=3, alpha=0.5)
                seen.add(approach)
            ax.set(xlabel="steps of Adam", ylabel="accuracy of the product", ylim=(0.4, 1.02))
            ax.set_title(f"k = {k} image{'s' * (k > 1)}", fontsize=10)
            ax.legend(fontsize=7, loc="center right")
        rows = [row for row in self.rows if "signal/noise" in row]
        for i, approach in enumerate(("end-to-end", "decomposed")):
            at, value, low, high = (
                numbers([row for row in rows if row["approach"] == approach], name)
                for name in ("k", "signal/noise", "low", "high")
            )
            if approach == "decomposed":  # the same for each image of a tuple
                at, value, low, high = np.array(ks, dtype=np.float64), *(x.repeat(len(ks)) for x in (value, low, high))
            floor = np.maximum(low, high / 100)
            middle = np.maximum(value, floor)
            axes[-1].errorbar(at, middle, (middle - floor, high - middle), label=approach, capsize=3, **style(i))
            if approach == "end-to-end":
                known = [k for k in ks if k in _PAPER_SNR]
                paper_ratios = [value[0] * _PAPER_SNR[k] for k in known]
                axes[-1].plot(known, paper_ratios, label="paper, end-to-end, × ours at k = 1", **style(2))
        axes[-1].set(xlabel="images of an example, k", ylabel="‖E y s‖²/E‖s‖², 95% intervals", yscale="log", xticks=ks)
        axes[-1].legend(fontsize=7)
        return axes


def run(
    steps: Mapping[int, int] = MappingProxyType({1: 20_000, 2: 20_000, 3: 20_000, 4: 20_000}),
    batch: int = 200,
    learning_rate: float = 1e-3,
    channels: int = 16,
    stride: int = 1,
    larger: bool = False,
    starts: int = 1,
    samples: int = 4096,
    *,
    rng: SeedLike = 0,
    progress: bool = False,
) -> DecompositionImagesResult:
    """Train networks on products of labels of k images, end-to-end and decomposed, and measure signal over noise.

    Needs PyTorch (the extra `torch`).

    Parameters
    ----------
    steps : dict of int to int
        Steps of Adam for each k.
    batch : int
        Fresh tuples of images in each.
    learning_rate : float
        Of Adam, with beta = (.9, .99), epsilon = 1e-5.
    channels, stride : int
        Of both convolutions, 5 x 5; of the first one.
    larger : bool
        Whether weights are those of the quick settings: those of convolutions have standard deviation
        (2/inputs)^(1/2), 25 for each channel, in place of 1/(channels)^(1/2); hidden layers of the first network are
        2^(1/2) times as large, those of the second twice.
    starts : int
        Initialisations of each network that is trained end-to-end, for k >= 2.
    samples : int
        Images for each place of a tuple, in each of 16 groups, and their mirror images: for the ratio.
    rng : int, SeedSequence, Generator or None
        Source of weights and images.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    DecompositionImagesResult
        `.rows`, `.comparisons`, `.curves`, `.plot()`, `.to_pandas()`; print it for the table.

    Raises
    ------
    ImportError
        PyTorch is not installed.
    """
    from ..core.bars import tqdm

    seed = seed_of(rng)
    runs = [
        (k, approach, start)
        for k in steps
        for approach in ("end-to-end", "decomposed")
        for start in range(starts if approach == "end-to-end" and k > 1 else 1)
    ]
    rows: list[dict[str, Scalar]] = []
    curves = []
    with one_thread(), tqdm(total=sum(steps[k] * k for k, *_ in runs), unit="step", disable=not progress) as bar:

        def start_of(k: int, start: int) -> Networks:
            return Networks.random(k, channels, stride, larger, int(stream(seed, start).integers(2**62)))

        def batches(k: int, rng: np.random.Generator) -> Iterator[tuple[Images, Array]]:
            for _ in range(steps[k]):
                yield examples(batch, k, rng)
                bar.update(k)

        for k, approach, start in runs:
            fresh = (stream(seed, which, k, start) for which in (Stream.TRAINING, Stream.EVALUATION))
            at = sorted({max(1, steps[k] * i // _RECORDS) for i in range(1, _RECORDS + 1)})
            networks, decomposed = start_of(k, start), approach == "decomposed"
            found = tuple(train(networks, decomposed, batches(k, next(fresh)), learning_rate, at, next(fresh)))
            curves.append((approach, k, tuple(step for step, _ in found), tuple(share for _, share in found)))
            rows.append({"k": k, "approach": approach, "start": start, "steps": steps[k], "accuracy": found[-1][1]})
        untrained = [start_of(k, 0) for k in range(1, max(steps) + 1)]
        for approach, k, u, of_one in signals(untrained, samples, stream(seed, Stream.PAIRS)):
            low, high = u.interval(u.quantile(0.975))
            ratio: dict[str, Scalar] = {"signal/noise": u.value / of_one, "low": low / of_one, "high": high / of_one}
            rows.append({"k": k, "approach": approach, **ratio})
    left = [curve[-1][-1] > 0.75 for curve in curves if curve[:2] == ("end-to-end", 2)]
    waits = (
        f"End-to-end at k = 2, {sum(left)} of {len(left)} runs left their plateau: it depends on the initialisation."
    )
    return DecompositionImagesResult(
        rows=tuple(rows),
        comparisons=tuple(_comparisons(rows)),
        notes=(
            *([waits] if left else []),
            "The paper's ratios at k >= 2 look like the noise of 500 000 tuples: it takes 1/ratio of them to see one.",
        ),
        seed=seed,
        curves=tuple(curves),
    )


def _comparisons(rows: Sequence[Mapping[str, Scalar]]) -> Iterator[Comparison]:
    """Comparisons: learned as well as in the paper, or better; at chance; and upper ends of the ratios."""
    for approach, of_paper in _PAPER.items():
        for k, paper in of_paper.items():
            found = _of(rows, approach, k, "accuracy")
            several = f" of {len(found)} runs" if len(found) > 1 else ""
            what = f"{approach}, k = {k}: accuracy"
            if len(found) and paper > 0.5 + _TOLERANCE:
                what += several and f", best{several}"
                yield Comparison(what=what, here=float(found.max()), low=paper - _TOLERANCE, high=1.0, paper=paper)
            elif len(found):
                what += several and f", farthest from 1/2{several}"
                here = float(found[np.abs(found - 0.5).argmax()])
                yield Comparison(what=what, here=here, low=0.5 - _TOLERANCE, high=0.5 + _TOLERANCE, paper=paper)
    (first,), (alone,) = (_of(rows, approach, 1, "signal/noise") for approach in _PAPER)
    what = "signal/noise, decomposed over end-to-end, k = 1"
    yield Comparison(what=what, here=float(alone / first), low=0.5, high=2.0, paper="about 1")
    for k, ratio in _PAPER_SNR.items():
        for high in _of(rows, "end-to-end", k, "high")[: k > 1]:
            what = f"signal/noise, end-to-end, k = {k} over k = 1 (upper end of 95%)"
            yield Comparison(what=what, here=float(high / first), low=0.0, high=ratio, paper=ratio)


def _of(rows: Sequence[Mapping[str, Scalar]], approach: str, k: int, name: str) -> Array:
    """A column of the rows of an approach and k that have it."""
    return numbers([row for row in rows if (row["approach"], row["k"]) == (approach, k) and name in row], name)
