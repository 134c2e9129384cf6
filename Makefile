PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench calibrate validate baseline clean

demo: $(VENV)/ready          ## replay China's 2021 ban on real data
	$(BIN)/python run.py run china_ban_2021 --force

test: $(VENV)/ready          ## the whole test suite
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/ready          ## style and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(VENV)/ready         ## the measurements behind every claim of speed
	$(BIN)/python -m benchmarks.run

calibrate: $(VENV)/ready     ## fit the free parameters to the months up to 2021-04
	$(BIN)/python -m study.calibration

validate: $(VENV)/ready      ## closed forms, history and conservation
	$(BIN)/python run.py validate

baseline: $(VENV)/ready      ## compute the pinned figures anew, after a change of results that is meant
	$(BIN)/python -m study.baseline

.venv: $(VENV)/ready

$(VENV)/ready: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
