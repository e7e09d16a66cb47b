"""Closed forms: what theory says a recurrent model remembers, before anything is trained."""
