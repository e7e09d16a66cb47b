"""Files, in and out: recorded sequences, model files, run folders, and bridges to other tools.

What comes in is checked here once, and refused in one line that names the place; what goes out
is complete or not there at all. Nothing in a file is ever run.
"""

from remanence.files.bridges import from_scipy as from_scipy
from remanence.files.bridges import to_scipy as to_scipy
from remanence.files.layers import load_model as load_model
from remanence.files.layers import save_model as save_model
from remanence.files.models import load_system as load_system
from remanence.files.models import read_tensors as read_tensors
from remanence.files.models import save_system as save_system
from remanence.files.models import write_tensors as write_tensors
from remanence.files.runs import check_run_folder as check_run_folder
from remanence.files.runs import environment as environment
from remanence.files.runs import run_folder as run_folder
from remanence.files.sequences import Recording as Recording
from remanence.files.sequences import read_sequences as read_sequences
from remanence.files.writing import write_json as write_json
from remanence.files.writing import write_table as write_table
from remanence.files.writing import write_toml as write_toml
