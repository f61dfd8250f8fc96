# Gets uv by itself where it is missing; needs Python 3.11 or later, make and git.
UV := $(or $(shell command -v uv),.tools/bin/uv)
CATALOGUES := shared/language/locale
SEED ?= 1
SECONDS ?= 120
export UV_LINK_MODE ?= copy
# Python is started dozens of times: let it keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install run demo test check messages chaos bench
.DEFAULT_GOAL := help

help: ## show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet uv

install: $(filter .tools/%,$(UV)) ## install from the lock, nothing else
	$(UV) sync --frozen --quiet

run: install ## start everything on one port; ARGS="--port 8123 --data DIR"
	@$(UV) run --frozen --no-sync advisor up $(ARGS)

demo: install ## start everything, filled with example companies
	@$(UV) run --frozen --no-sync advisor up --demo $(ARGS)

test: install ## the whole suite, with a real Postgres and a real Kafka
	$(UV) run --frozen --no-sync pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: install ## format, lint, types, imports
	$(UV) run --frozen --no-sync ruff format --check .
	$(UV) run --frozen --no-sync ruff check .
	$(UV) run --frozen --no-sync mypy
	$(UV) run --frozen --no-sync lint-imports

messages: install ## collect the texts of all pages, and hand the new ones to every language's catalogue
	$(UV) run --frozen --no-sync pybabel --quiet extract --mapping pyproject.toml --keyword gettext_noop --omit-header --add-location file \
		--sort-by-file --output-file $(CATALOGUES)/messages.pot services shared
	if ls $(CATALOGUES)/*/LC_MESSAGES/messages.po >/dev/null 2>&1; then \
		$(UV) run --frozen --no-sync pybabel --quiet update --no-fuzzy-matching --input-file $(CATALOGUES)/messages.pot --output-dir $(CATALOGUES); fi

chaos: install ## fault schedules under load, ending in a ledger check; SEED=1 SECONDS=120
	$(UV) run --frozen --no-sync pytest -m chaos tests/chaos --seed $(SEED) --seconds $(SECONDS) $(ARGS)

bench: install ## the product beside its floor, in one run
	$(UV) run --frozen --no-sync python -m bench $(ARGS)
