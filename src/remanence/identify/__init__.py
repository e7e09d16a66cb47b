"""Learning state spaces from recorded sequences.

`fit` goes the whole way from a `Recording` to a `FitResult`: windows of several lengths, gradient
descent from near zero on each, length and order chosen on validation, everything measured once on
the test part. `save_fit` writes the run folder with its report; `FittedModel` is what is kept.
"""

from remanence.identify.evaluate import error_by_age as error_by_age
from remanence.identify.horizon import Memory as Memory
from remanence.identify.horizon import memory as memory
from remanence.identify.measure import FitResult as FitResult
from remanence.identify.model import FittedModel as FittedModel
from remanence.identify.model import fitted_model as fitted_model
from remanence.identify.model import load_fitted_model as load_fitted_model
from remanence.identify.nonlinearity import curvature_share as curvature_share
from remanence.identify.page import fit_page as fit_page
from remanence.identify.pipeline import automatic_lengths as automatic_lengths
from remanence.identify.pipeline import fit as fit
from remanence.identify.preparation import Prepared as Prepared
from remanence.identify.preparation import prepare as prepare
from remanence.identify.save import save_fit as save_fit
from remanence.identify.save import summary as summary
from remanence.identify.settings import FitSettings as FitSettings
from remanence.identify.story import headline as headline
from remanence.identify.whitening import Regression as Regression
from remanence.identify.whitening import regression as regression
from remanence.identify.windows import WindowMoments as WindowMoments
from remanence.identify.windows import window_moments as window_moments
