# Tollgate: what people run. `make` lists the targets.

CARGO ?= cargo
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: prerequisites
prerequisites: ## Install what building and testing need (Debian or Ubuntu; needs root or sudo)
	@tests/prerequisites.sh

.PHONY: build
build: ## Build all programs (debug)
	$(CARGO) build --workspace --all-targets --locked

.PHONY: test
test: prerequisites build ## Run all tests
	$(CARGO) test --workspace --locked

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: lint
lint: ## Check format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: check
check: prerequisites lint test check-deploy test-clients ## What CI runs: format, lints, tests, deploy/, callers

.PHONY: check-deploy
check-deploy: prerequisites build ## Check deploy/: compose file, Dockerfile, manifests, configurations, Redis
	@tests/deploy/check.sh --all

.PHONY: test-clients
test-clients: prerequisites ## Test the callers in Python, Go, TypeScript and Java, and proto/
	$(CARGO) build --locked -p tollgate -p tollgate-tests --bins
	@tests/clients/run.sh

.PHONY: dashboards
dashboards: ## Render deploy/grafana/dashboards from the panels
	$(CARGO) build --workspace --all-targets --locked
	UPDATE_DOCS=1 $(CARGO) test --workspace --locked --test integration dashboards::the_dashboards_are

.PHONY: dashboards-check
dashboards-check: ## Check the dashboards against Grafana's schema (needs npm)
	cd tests/dashboards && npm ci --ignore-scripts --no-progress && npm run --silent check

.PHONY: dashboards-shot
dashboards-shot: ## Draw the dashboards with Grafana's panel library (needs npm, Chromium; minutes)
	tests/dashboards/shot.sh

.PHONY: rules-mutation
rules-mutation: prerequisites ## Change each alert rule and see whether its tests notice (minutes)
	@tests/rules/mutation

.PHONY: smoke-compose
smoke-compose: build ## Start deploy/compose.yaml on a Docker engine of its own and try it (root; some minutes)
	@tests/deploy/smoke-compose.sh

.PHONY: demo
demo: ## Analyse the example articles through a real gateway and a simulated provider
	$(CARGO) build --locked -p tollgate -p chain-client -p tollgate-tests --bins
	$(CARGO) run --locked -q -p tollgate-tests --bin demo

.PHONY: bench
bench: prerequisites ## Measure the gateway beside a bare pass-through (release build; --store redis, --telemetry)
	$(CARGO) build --release --locked -p tollgate -p tollgate-tests --bins
	$(CARGO) run --release --locked -q -p tollgate-tests --bin bench -- $(ARGS)

.PHONY: accuracy
accuracy: prerequisites ## Show how exactly several gateways hold one budget, whatever fails (release build)
	$(CARGO) build --release --locked -p tollgate -p tollgate-tests --bins
	$(CARGO) run --release --locked -q -p tollgate-tests --bin accuracy -- $(ARGS)

.PHONY: soak
soak: prerequisites ## A million calls over two gateways and one Redis (release build; 5 minutes or more)
	$(CARGO) build --release --locked -p tollgate -p tollgate-tests --bins
	$(CARGO) run --release --locked -q -p tollgate-tests --bin soak -- $(ARGS)

.PHONY: docs
docs: ## Render the documents that are made from code
	UPDATE_DOCS=1 $(CARGO) test --locked -p tollgate -p chain-client --lib the_document
