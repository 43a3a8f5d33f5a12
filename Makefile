# make demo, make run, make test: each does all of its set-up. See README.md.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What the tests need from Debian: phones and SIP programs that are not ours, and networks to try them in.
DEBIAN := sip-tester baresip-core linphone-cli chromium kamailio dnsmasq-base iproute2 nftables coturn dovecot-imapd

# The pages are built again when one of these is newer than they are.
PAGES  := hotline/pages/index.html
SOURCES := $(shell find ui -path ui/node_modules -prune -o -type f -print 2>/dev/null | grep -v src/api/schema) \
           $(wildcard crm_bridge/shapes.py crm_bridge/routes.py recordings/routes.py telephony/*routes.py hotline/*routes.py hotline/audit.py)

# What Python compiles once is not compiled again by every worker of the tests, and by every server that they start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test fuzz lint bench soak ui screenshots drawings format clean debian
.DEFAULT_GOAL := help

help:
	@echo "make run   - set up, and serve on loopback"
	@echo "make demo  - set up, and make one whole call for real"
	@echo "make test  - set up, and run every test"
	@echo "make fuzz  - a million mutated SIP messages into calls in every state (N=..., SEED=...)"
	@echo "make lint  - ruff, mypy, import contracts, flows"
	@echo "make bench - all benchmarks"
	@echo "make soak  - calls coming and going for an hour (SECONDS=...)"
	@echo "make ui    - build the web pages"
	@echo "make drawings - draw the shipped flows into docs/flows/"

# Debian keeps the venv module in a package of its own.
$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ]; then \
	    echo "installing python3-venv ..."; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq python3-venv >/dev/null; \
	  else \
	    echo "Python's venv module is missing. Install it with:  sudo apt-get install python3-venv" >&2; exit 1; \
	  fi && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip

# One stamp per set of packages; a change of pyproject.toml installs again.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing hotline (once; a minute or two) ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing hotline with its development tools (once; a minute or two) ..."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.demo

ui: $(PAGES)

ui/node_modules/.stamp: ui/package.json ui/package-lock.json
	@command -v npm >/dev/null || { echo "The pages are built with Node.js 20. Install it with:  sudo apt-get install nodejs npm" >&2; exit 1; }
	@echo "installing what the pages are built with (once; a minute or so) ..."
	cd ui && npm ci --no-audit --no-fund --silent
	@touch $@

# The types of what the server says come from the server's own description of itself.
ui/src/api/schema.d.ts: $(SOURCES) ui/node_modules/.stamp | $(VENV)/.demo
	$(BIN)/python -m hotline.openapi > ui/src/api/schema.json
	cd ui && npx --no-install openapi-typescript src/api/schema.json -o src/api/schema.d.ts >/dev/null
	@touch $@

$(PAGES): ui/src/api/schema.d.ts
	@echo "building the pages ..."
	cd ui && npx --no-install vite build --logLevel warn
	@touch $@

run: $(VENV)/.demo $(PAGES)
	$(BIN)/hotline serve

demo: $(VENV)/.demo $(PAGES)
	$(BIN)/hotline demo

debian:
	@missing=""; for package in $(DEBIAN); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then \
	    echo "installing$$missing ..."; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "The tests need Debian packages. Install them with:  sudo apt-get install$$missing" >&2; exit 1; \
	  fi; \
	fi

# What measures how soon or how well voice comes has the machine for itself. The rest runs in a worker more than there
# are cores: a third of it waits for calls.
test: debian $(VENV)/.dev $(PAGES)
	cd ui && npx --no-install vitest run
ifdef ARGS
	$(BIN)/pytest $(ARGS)
else
	$(BIN)/pytest -m alone tests/end_to_end
	$(BIN)/pytest -m "not alone" --numprocesses 3 --dist loadfile --no-loadscope-reorder
endif

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.telephony.sip.fuzz --n $(or $(N),1000000) --seed $(or $(SEED),1)

# Pictures of every page, in both languages, light and dark, wide and narrow.
screenshots: debian $(VENV)/.dev $(PAGES)
	HOTLINE_SCREENSHOTS=docs/pages $(BIN)/pytest tests/end_to_end/test_pages.py tests/end_to_end/test_customers.py

# The pictures of the shipped flows; a test says when they are stale.
drawings: $(VENV)/.dev
	@mkdir -p docs/flows && rm -f docs/flows/*.svg
	@for flow in $(filter-out %/prompts.yaml %.test.yaml %.sim.yaml,$(wildcard ivr_flows/examples/*.yaml)); do \
	  $(BIN)/hotline flow draw $$flow -o docs/flows/$$(basename $$flow .yaml).svg || exit 1; \
	done
	@chmod a+r docs/flows/*.svg

lint: $(VENV)/.dev ui/src/api/schema.d.ts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hotline flow check --strict ivr_flows/examples
	$(BIN)/hotline flow test --fail-under 100 ivr_flows/examples
	$(BIN)/hotline flow simulate ivr_flows/examples/main.yaml --calls 200
	cd ui && npx --no-install biome check src && npx --no-install tsc --noEmit

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

bench: $(VENV)/.dev
	$(BIN)/hotline bench media
	$(BIN)/hotline bench webrtc
	$(BIN)/hotline bench signalling --seconds 10
	$(BIN)/hotline bench lookup --case sqlite
	$(BIN)/hotline bench flows

# Memory and open files of a media worker, and what its calls hear.
soak: $(VENV)/.dev
	PYTHONPATH=. $(BIN)/python -m bench.soak --seconds $(or $(SECONDS),3600)

clean:
	rm -rf $(VENV) ui/node_modules hotline/pages build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
