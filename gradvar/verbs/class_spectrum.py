"""The verb `class_spectrum`: the eigenvalues of a class, of which the largest is the constant of its bound."""

from __future__ import annotations

from ..classes.base import HypothesisClass
from ..classes.gram.derived import eigenvalues, proved_eigenvalues
from ..classes.outputs import by_output
from ..core.arguments import flag
from ..problem import hypothesis_class
from ..results.class_spectrum import ClassSpectrum


def class_spectrum(H: HypothesisClass, centred: bool = True) -> ClassSpectrum:
    """Return the eigenvalues of the Gram matrix E_x[h h'] of a class over |H|, which are those of its covariance.

    Var is at most the largest times E||s||^2; of an orthonormal class all are 1/|H|. `.plot()` draws them.

    Parameters
    ----------
    H : HypothesisClass
        A class whose members are known to be orthonormal, or that says its Gram matrix, its members or its covariance
        on finitely many inputs.
    centred : bool
        Whether the class mean is subtracted, as in the variance; False is of the second moment.

    Returns
    -------
    ClassSpectrum
        Exact up to rounding: 2^-52 times the number of rows of the matrix, relative to the largest.

    Raises
    ------
    NotApplicableError, TooLargeError
        They are not known, or a matrix of more than 4096 rows would be needed.

    Examples
    --------
    >>> import gradvar as gv
    >>> gv.class_spectrum(gv.Parities(4).on([[1] * 4, [-1] * 4, [1, 1, 1, -1], [1] * 4]))
    ClassSpectrum(2 eigenvalues, the largest 0.25; 1/|H| = 0.0625)
    >>> gv.class_spectrum(gv.Parities(1000)).log2_eigenvalues
    array([-1000.])
    """
    of, is_centred = hypothesis_class(H), flag("centred", centred)
    found = proved_eigenvalues(of, is_centred) or eigenvalues(by_output(of), is_centred)
    described = str(getattr(H, "description", H))
    return ClassSpectrum(*found, log2_size=H.log2_size, centred=is_centred, described=described)
