# make demo   fit a year of hourly weather and print where the report is
# make test   the whole test suite
# make check  everything CI runs
# make bench  speed: descent, recurrences, engines, GRU, minibatch and exact training (6 minutes)
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench env clean

env: .venv/.installed

.venv/.installed: requirements/dev.txt requirements/examples.txt requirements/runtime.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: env
	$(BIN)/python examples/greensboro_weather.py .demo/greensboro.csv
	$(BIN)/remanence fit .demo/greensboro.csv --time time \
		--inputs ghi,ghi_extra,temp_dew --outputs temp_air \
		--split blocks --block 168 --out demo-report --overwrite

test: env
	$(BIN)/python -m pytest -n auto --dist loadfile

check: test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: env
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/bench.txt
	$(BIN)/python benchmarks/descent.py
	$(BIN)/python benchmarks/recurrence.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/gru.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/exact_training.py

clean:
	rm -rf .venv .demo demo-report .jax-cache .hypothesis .pytest_cache .ruff_cache build
