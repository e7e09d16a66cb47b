"""`python -m remanence` is `remanence`."""

import sys

from remanence.cli import main

sys.exit(main())
