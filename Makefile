# `make run` trains the main job, `make test` runs every check. Both set up .venv by themselves.
PYTHON_VENV := .venv/bin/python

.PHONY: help setup run test test-long docs browser clean

help:
	@echo "make run        train the main job (El Niño sea-surface temperatures) into runs/"
	@echo "make test       lint, format, types, import contracts, tests and documentation examples"
	@echo "make test-long  the tests that take minutes, and more random cells"
	@echo "make docs       the documentation's site, into build/docs"
	@echo "make browser    get Chromium, for the tests that open a report in a real browser"
	@echo "make setup      only set up .venv (PYTHON=... chooses the Python)"
	@echo "make clean      remove .venv and all caches; runs/ stays"

setup:
	@sh tools/setup.sh

run: setup
	.venv/bin/qrnn run train_elnino

test: setup
	$(PYTHON_VENV) -m ruff check .
	$(PYTHON_VENV) -m ruff format --check .
	$(PYTHON_VENV) -m mypy
	.venv/bin/lint-imports
	$(PYTHON_VENV) -m pytest

test-long: setup
	$(PYTHON_VENV) -m pytest -m "slow or not slow" --hypothesis-profile=thorough

docs: setup
	$(PYTHON_VENV) -m sphinx --fail-on-warning --keep-going docs build/docs

browser:
	@sh tools/browser.sh

clean:
	rm -rf .venv .venv.lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find qrnn_qiskit tests -name __pycache__ -type d -prune -exec rm -rf {} +
