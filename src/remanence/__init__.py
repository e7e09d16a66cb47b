"""Remanence: a laboratory for memory and length extrapolation in recurrent sequence models.

What does a recurrent model remember, how far does it extrapolate beyond the lengths it was trained
on, and how small can it be? The command line is `remanence`; everything it does is here as a
library. JAX's float64 is left to the caller: `jax.config.update("jax_enable_x64", True)`.
"""

from remanence._version import __version__ as __version__
from remanence.systems import DiagonalStateSpace as DiagonalStateSpace
from remanence.systems import Reduction as Reduction
from remanence.systems import StateSpace as StateSpace
from remanence.systems import balanced_truncation as balanced_truncation
from remanence.systems import effective_rank as effective_rank
from remanence.systems import hankel_singular_values as hankel_singular_values
from remanence.systems import realize as realize
