"""A check, the result of one and the report on many: shared by the checks of classes, models and losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, TypeVar, overload
from unittest import SkipTest

from ..core.errors import NotApplicableError, TooLargeError
from ..results.notebook import as_page

Probe = TypeVar("Probe")
Value = TypeVar("Value")


class CheckFailed(AssertionError):  # noqa: N818 - pytest and readers say "failed"
    """A check has found a counterexample; the message says which.

    `owner` is the name of the check that answers for it, where any other one may come upon it first.
    """

    owner: str | None = None


def skip(reason: str) -> NoReturn:
    """Leave the check: the object gives no material for it (pytest and unittest report it as skipped)."""
    raise SkipTest(reason)


@contextmanager
def answered_by(check: str) -> Iterator[None]:
    """A counterexample in this block or function is the finding of one check: the others do not apply then."""
    try:
        yield
    except CheckFailed as failure:
        failure.owner = failure.owner or check
        raise


@contextmanager
def exceptions_of(what: str) -> Iterator[None]:
    """An exception of the user's object is a counterexample.

    But for the two by which an object says that it does not know here, with the reason.
    """
    try:
        yield
    except (CheckFailed, SkipTest):
        raise
    except (NotApplicableError, TooLargeError) as reason:
        skip(f"{what}: {reason}")
    except Exception as error:
        message = f": {error}" if str(error) else ""
        raise CheckFailed(f"{what} raised {type(error).__name__}{message}") from error


@dataclass(frozen=True)
class Check:
    """One small check of one object: call it, as a test does, or `run` it.

    Attributes
    ----------
    name : str
        Short and unique among the checks of one kind of object; also `str(check)`, for `ids=str` in pytest.
    description : str
        What it makes sure of.
    body : callable
        Returns the evidence in words; raises `CheckFailed`, or `unittest.SkipTest` where it does not apply.
    """

    name: str
    description: str
    body: Callable[[], str]

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        """Raise `AssertionError` with the counterexample, or `unittest.SkipTest` with the reason, or return."""
        self._evidence()

    def run(self) -> CheckResult:
        """Return the outcome; raises nothing."""
        try:
            status, message = "passed", self._evidence()
        except CheckFailed as failure:
            status, message = "failed", str(failure)
        except SkipTest as reason:
            status, message = "not applicable", str(reason)
        return CheckResult(self.name, status, message, self.description)

    def _evidence(self) -> str:
        try:
            with exceptions_of("the object"):
                return self.body()
        except CheckFailed as failure:
            if failure.owner in (None, self.name):
                raise
            skip(f"rests on the check {failure.owner!r}, which fails: {failure}")


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    Attributes
    ----------
    name : str
        The name of the check.
    status : {"passed", "failed", "not applicable"}
        Not applicable: the object gives no material for the check.
    message : str
        The evidence, the counterexample, or the reason why it does not apply.
    description : str
        What the check makes sure of.
    """

    name: str
    status: str
    message: str
    description: str

    def __str__(self) -> str:
        return f"{self.name}: {self.status}: {self.message}"


@dataclass(frozen=True, repr=False)
class CheckReport(Sequence[CheckResult]):
    """The results of all checks of one object, in order: a sequence of `CheckResult` that prints as a table.

    Attributes
    ----------
    subject : str
        The object that was looked at.
    results : tuple of CheckResult
        One for each check; checks that do not apply are among them, with the reason.
    """

    subject: str
    results: tuple[CheckResult, ...]

    @overload
    def __getitem__(self, index: int) -> CheckResult: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[CheckResult, ...]: ...

    def __getitem__(self, index: int | slice) -> CheckResult | tuple[CheckResult, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The results of the checks that failed."""
        return self._of("failed")

    @property
    def not_applicable(self) -> tuple[CheckResult, ...]:
        """The results of the checks that had nothing to look at."""
        return self._of("not applicable")

    def raise_if_failed(self) -> None:
        """Raise `AssertionError` with every counterexample, unless all checks passed."""
        if self.failures:
            lines = (f"{result.name}: {result.message}\n    ({result.description})" for result in self.failures)
            raise AssertionError("\n".join([f"{self._summary} for {self.subject}", *lines]))

    def _of(self, status: str) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if result.status == status)

    @property
    def _summary(self) -> str:
        counts = (f"{len(self._of(status))} {status}" for status in ("failed", "passed", "not applicable"))
        return ", ".join(counts)

    def _repr_html_(self) -> str:
        rows = [(result.name, result.status, result.message) for result in self.results]
        return as_page(f"{self.subject}: {self._summary}", [("check", "status", "evidence"), *rows])

    def __repr__(self) -> str:
        width = max((len(result.name) for result in self.results), default=0)
        marks = {"passed": "ok", "failed": "FAILED", "not applicable": "-"}
        rows = (f"  {result.name:<{width}}  {marks[result.status]:<6}  {result.message}" for result in self.results)
        return "\n".join([f"{self.subject}: {self._summary}", *rows])


def checks_of(functions: Sequence[Callable[[Probe], str]], probe: Probe) -> list[Check]:
    """Turn functions of a probe into checks: the name, with hyphens, is the check's, the docstring its description."""
    return [
        Check(function.__name__.replace("_", "-"), (function.__doc__ or "").strip(), partial(function, probe))
        for function in functions
    ]


def report(subject: str, checks: Sequence[Check]) -> CheckReport:
    """Run the checks one after the other."""
    return CheckReport(subject, tuple(check.run() for check in checks))


def named(subject: object) -> str:
    """The object for a reader: its repr, or its type where the repr is an address."""
    try:
        plain = type(subject).__repr__ is object.__repr__
        return type(subject).__name__ if plain else repr(subject)
    except Exception:  # a report on a broken object is still a report
        return type(subject).__name__


def called(what: str, function: Callable[..., Value], *arguments: object, **keywords: object) -> Value:
    """Call a function of the user's object: an exception in there is a counterexample."""
    with exceptions_of(f"`{what}`"):
        return function(*arguments, **keywords)


def offered(thing: object, name: str, required_of: str = "") -> Callable[..., object]:
    """The method of this name, each call of it guarded; where the object has none, the check does not apply.

    But for what is `required_of` every such object: it fails then.
    """
    method: object = getattr(thing, name, None)
    if required_of and not callable(method):
        raise CheckFailed(f"{required_of} must have a method `{name}`, and {type(thing).__name__} has none")
    if method is None:
        skip(f"no `{name}` is offered")
    if not callable(method):
        raise CheckFailed(f"`{name}` must be a method, got {method!r}")
    return partial(called, name, method)
