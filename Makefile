# Every target in one line: `make help`.
# DuckDB is linked from a prebuilt library that `make setup` fetches; to compile it into the hub
# instead (over an hour on two cores): make build FLAGS="--locked --features pingup-server/bundled"

CARGO ?= cargo
# Flags for every cargo call that builds; the lock file is the truth unless you say otherwise.
FLAGS ?= --locked

.DEFAULT_GOAL := help
.PHONY: help setup build run loadtest grafana-demo picture check test kills oracle fuzz abuse bench fmt lint deny advisories sbom release clean

help: ## List the targets, one line each
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Fetch the prebuilt libduckdb, once (checksum pinned)
	@scripts/setup-duckdb

build: setup ## Build every program, optimised, into target/release
	$(CARGO) build --release --workspace $(FLAGS)

run: ## Build, then run a hub and an agent for this machine; Ctrl-C stops both
	@scripts/run

loadtest: build ## Build, then load a hub in a few minutes and print what must hold beside what does
	@"$${CARGO_TARGET_DIR:-target}/release/pingup-loadtest" all --short || [ $$? -eq 2 ] # 2: the short set is easier than the table

grafana-demo: build ## Build, then a hub with a fleet and days behind it in ./pingup-demo, and all for a Grafana; Ctrl-C ends it
	@"$${CARGO_TARGET_DIR:-target}/release/pingup-loadtest" demo

picture: ## Draw the fleet's dashboard anew from the demo that runs (needs chromium)
	@scripts/picture/draw.py pingup-demo/viewer.token docs/pictures/fleet.png

check: setup ## Type-check everything, the quickest feedback
	$(CARGO) check --workspace --all-targets $(FLAGS)

test: setup ## Run all tests in one go, as CI does, doc tests included
	$(CARGO) test --workspace $(FLAGS)

kills: setup ## Kill the agent 200 times at random moments, beside a hub of a test and beside the real one
	PINGUP_KILLS=200 $(CARGO) test --workspace $(FLAGS) --test it killed::

oracle: setup ## Ask the hub and a real Prometheus 10 000 random queries, some minutes; PINGUP_ORACLE_SEED repeats them
	PINGUP_ORACLE_QUERIES=$${PINGUP_ORACLE_QUERIES:-10000} PINGUP_ORACLE_SEED=$${PINGUP_ORACLE_SEED:-$$(date +%s)} \
	  $(CARGO) test --workspace $(FLAGS) --test it oracle:: -- --nocapture

fuzz: setup ## Fuzz everything that reads strangers' bytes, a minute each (PINGUP_FUZZ_SECONDS); needs a C++ compiler
	@scripts/fuzz

abuse: build ## Build, then every abusive load beside good agents, some ten minutes, and the table of what must hold
	@"$${CARGO_TARGET_DIR:-target}/release/pingup-loadtest" abuse

bench: setup ## Measure the parts by themselves, a few minutes; sizes: PINGUP_BENCH_AGENTS, _DAYS, _SEED, _DIR
	$(CARGO) bench -p pingup-benches $(FLAGS)

fmt: ## Format the Rust code
	$(CARGO) fmt --all

lint: setup ## Check formatting, then clippy with warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(FLAGS) -- -D warnings

deny: ## Check licences, bans and sources of all dependencies (needs cargo-deny)
	$(CARGO) deny check bans licenses sources

advisories: ## Look for known holes in all dependencies, by RustSec's database, which is fetched (needs cargo-deny)
	$(CARGO) deny check advisories

sbom: ## Write what a release is made of, as a CycloneDX list, into target/ (needs python3)
	@mkdir -p target
	@out=target/pingup-$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1).cdx.json; scripts/sbom > $$out.partial && mv $$out.partial $$out && echo $$out

release: build sbom ## What goes out together: every program, optimised, and the list of what they are made of

clean: ## Remove the build folder (./data and the fetched libduckdb stay)
	$(CARGO) clean
