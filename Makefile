# make demo: the main job on a small built-in dataset.   make test: lint and the test suite.
# make browser, make crf, make engines: what the tests of the web page and of OpenVINO need; without it they are skipped.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo browser crf engines newest oldest tools test test-all test-processors findings lint format figures options clean

$(VENV)/.installed: requirements.txt requirements-segment.txt requirements-train.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -r requirements.txt -r requirements-dev.txt
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python demo.py

browser: $(VENV)/.installed
	$(BIN)/pip install --quiet -r requirements-app.txt "playwright>=1.49,<2"
	command -v chromium || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

crf: $(VENV)/.installed
	$(BIN)/pip install --quiet -r requirements-crf.txt || { $(BIN)/pip install --quiet "cython>=3.0.11,<3.2" setuptools \
		&& $(BIN)/pip install --quiet --no-build-isolation -r requirements-crf.txt; }

engines: $(VENV)/.installed
	$(BIN)/pip install --quiet -r requirements-engines.txt

# Else TensorFlow greets on the terminal from every process.
test: export TF_CPP_MIN_LOG_LEVEL = 3
test: lint
	$(BIN)/python -m pytest -rsfE -m "not slow" -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-all: lint
	$(BIN)/python -m pytest -rsfE

# The tests of videos, masks and the page with the newest release of each package that these rest on, in a place of their
# own. A release that our bounds (requirements-*.txt) leave out is tried too.
OF_VIDEOS = tests/user_video tests/files tests/test_masks.py $(wildcard tests/scripts/test_osmn_segment*.py)
NEWEST = av opencv-python-headless pillow gradio filelock numpy
newest:
	$(PYTHON) -m venv --clear $(VENV)-newest
	$(VENV)-newest/bin/pip install --quiet -r requirements.txt -r requirements-app.txt -r requirements-dev.txt
	$(VENV)-newest/bin/pip install --quiet --upgrade $(NEWEST)
	$(VENV)-newest/bin/pip list | grep -E "^($$(echo $(NEWEST) | tr ' ' '|')) "
	TF_CPP_MIN_LOG_LEVEL=3 $(VENV)-newest/bin/python -m pytest -rsfE -m "not slow" $(OF_VIDEOS)

# The same with the lowest release that requirements-segment.txt allows of each package.
OLDEST = $(shell sed -n 's/^\([a-z-]*\)>=\([0-9.]*\).*/\1==\2/p' requirements-segment.txt)
oldest:
	$(PYTHON) -m venv --clear $(VENV)-oldest
	$(VENV)-oldest/bin/pip install --quiet -r requirements.txt -r requirements-dev.txt $(OLDEST)
	TF_CPP_MIN_LOG_LEVEL=3 $(VENV)-oldest/bin/python -m pytest -rsfE -m "not slow" $(OF_VIDEOS)

# Exports read back by the programs that they are for. labelme brings Qt and 0.5 GB, so that it is no part of `make test`.
tools:
	$(PYTHON) -m venv --clear $(VENV)-tools
	$(VENV)-tools/bin/pip install --quiet -r requirements.txt -r requirements-dev.txt cvat-sdk==2.80.0 datumaro==1.13.12 labelme==6.3.1
	TF_CPP_MIN_LOG_LEVEL=3 $(VENV)-tools/bin/python -m pytest -rA tests/scripts/test_osmn_segment_exports.py

# The suite as other processors compute it, one after the other, an hour in all: see CONTRIBUTING.md, "Processors".
test-processors: $(VENV)/.installed
	$(BIN)/python -m tests.processors

# Surprises in other software, each by a script that installs it anew: see findings/README.md. Needs a network.
findings:
	@failed=0; for script in findings/*.sh; do \
		echo "== $$script"; \
		if "$$script"; then echo "as described"; else echo "changed, or not run"; failed=1; fi; \
	done; exit $$failed

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

figures: $(VENV)/.installed
	$(BIN)/python doc/figures.py
	$(BIN)/python -m doc.overlay

options: $(VENV)/.installed
	$(BIN)/python -m doc.options

clean:
	rm -rf build .pytest_cache .ruff_cache
