"""The public names, listed once: `gradvar/testing/__init__.py` loads each from here when it is first used."""

from . import reference as reference
from .checks import Check as Check
from .checks import CheckReport as CheckReport
from .checks import CheckResult as CheckResult
from .hypothesis_class import check_hypothesis_class as check_hypothesis_class
from .hypothesis_class import hypothesis_class_checks as hypothesis_class_checks
from .loss import check_loss as check_loss
from .loss import loss_checks as loss_checks
from .model import check_model as check_model
from .model import model_checks as model_checks
from .theorem1 import check_theorem1 as check_theorem1
from .theorem1 import theorem1_checks as theorem1_checks
