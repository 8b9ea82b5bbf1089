PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
TYPED := runtime generator generated tests/typing docs/examples

.PHONY: demo pictures test test-all check bench generate clean

demo: $(INSTALLED)
	$(BIN)/python docs/examples/demo.py $(if $(SERVE),--serve)

pictures: $(INSTALLED)
	$(BIN)/python docs/examples/pictures.py

test: check
	$(BIN)/pytest -n auto

test-all: check
	$(BIN)/pytest -n auto -m ""

check: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy $(TYPED)
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/soulspot-db generate --check

bench: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python tests/benchmarks $(BENCH)

generate: $(INSTALLED)
	$(BIN)/soulspot-db generate

clean:
	rm -rf .venv build dist
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Made anew when what is to be installed changes.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
