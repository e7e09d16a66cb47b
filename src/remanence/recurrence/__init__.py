"""The recurrence `h_t = a_t ⊙ h_{t-1} + b_t`: one front door for everything that runs over time.

Diagonal systems and diagonal layers all step through here, so that whatever makes this
recurrence fast or exact makes every one of them so.
"""

from remanence.recurrence.linear import linear_recurrence

__all__ = ["linear_recurrence"]
