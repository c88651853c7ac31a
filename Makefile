# Everything that the project needs on a fresh Debian 12 machine, and the commands that use it.
# The first target that needs it makes the virtual environment with pinned versions.

VENV   := .venv
PYTHON := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
# A namespace with nothing but loopback: no test can reach anybody, whatever it asks this machine's resolver.
# Tests start the command line often: where no bytecode may be kept, all of it would be compiled each time.
ALONE  := env -u PYTHONDONTWRITEBYTECODE unshare --net $(if $(filter 0,$(shell id -u)),,--map-root-user) sh -c 'ip link set lo up && exec "$$@"' alone

.PHONY: help setup check test-unit test demo lab-tools browser-tools bench bench-tools constraints clean

help:           ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

setup: $(STAMP) ## the virtual environment with pinned versions

$(STAMP): pyproject.toml constraints.txt
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -q && apt-get install -qy python3-venv; }
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

check: $(STAMP) ## format, lint, types: seconds
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

test-unit: $(STAMP) ## tests without root and without a lab: under a minute
	$(ALONE) $(VENV)/bin/pytest -q -n 2 -m 'not lab'

test: check lab-tools browser-tools test-unit ## everything, the lab included
	$(VENV)/bin/pytest -q -m lab

demo: $(STAMP) lab-tools ## the main job: rehearse inventories/example on this machine
	$(VENV)/bin/sendwright rehearse inventories/example

lab-tools: $(STAMP)
	@command -v systemd-nspawn >/dev/null && command -v mmdebstrap >/dev/null && command -v ip >/dev/null || { \
	  apt-get update -q && apt-get install -qy --no-install-recommends systemd-container mmdebstrap iproute2; }

browser-tools:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  apt-get update -q && apt-get install -qy --no-install-recommends chromium chromium-driver; }

bench: $(STAMP) lab-tools bench-tools ## ratios, measured side by side in one run
	$(PYTHON) -m benchmarks

bench-tools:
	@command -v unbound >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends unbound; }

constraints:    ## renew the pinned versions
	python3 -m venv .venv-constraints && .venv-constraints/bin/pip install -q -e '.[dev]'
	{ head -1 constraints.txt; .venv-constraints/bin/pip freeze --exclude-editable; } > constraints.new
	mv constraints.new constraints.txt && rm -r .venv-constraints

clean:          ## remove what the other targets made here
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
