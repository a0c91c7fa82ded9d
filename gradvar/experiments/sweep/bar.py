"""The progress bar of a sweep: the current problem, and the estimate so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ...estimation.progress import Reporter
from ...results.estimate import Estimate
from ...results.table import Scalar, columns, distinguishing_columns
from .problems import NamedProblem
from .records import Record


class Bar:
    """A bar over the problems, shown or not."""

    def __init__(self, items: Sequence[NamedProblem], shown: bool) -> None:
        from ...core.bars import tqdm

        parameters = [item.parameters for item in items]
        self._names = distinguishing_columns(parameters, columns(parameters)) or columns(parameters)[:1]
        self._bar = tqdm(total=len(items), unit="problem", disable=not shown, miniters=0)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()

    def label(self, parameters: Mapping[str, Scalar]) -> str:
        """Return the parameters in which this problem differs from the others."""
        pairs = [f"{name}={parameters[name]}" for name in self._names if name in parameters]
        return str(parameters["name"]) if self._names == ["name"] else ", ".join(pairs)

    def begin(self, item: NamedProblem) -> None:
        """Show the name of a problem whose turn has come."""
        self._bar.set_description_str(self.label(item.parameters))

    def reporter(self, item: NamedProblem) -> Reporter:
        """Return the function that shows the estimate so far of a problem, where the bar is shown."""
        return False if self._bar.disable else partial(self._show, item)

    def _show(self, item: NamedProblem, estimate: Estimate) -> None:
        so_far = Record.of_estimate(item.parameters, item.seed, estimate, 0.0).text
        self._bar.set_postfix_str(f"so far {so_far}", refresh=False)
        self._bar.update(0)  # at most ten times a second

    def end(self, record: Record) -> None:
        """Show the result of a problem that has its record."""
        self._bar.set_postfix_str(f"last {record.text}", refresh=False)
        self._bar.update()
