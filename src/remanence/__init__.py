"""Remanence: a laboratory for memory and length extrapolation in recurrent sequence models."""
