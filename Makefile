# `make help` lists what can be asked for.

.DEFAULT_GOAL := help
.PHONY: help setup run check test test-full prove-deb prove-docker deb audit bench bench-quick bench-targets bench-joins bench-browser bench-loss bench-abuse bench-recovery bench-gc soak lock clean man

PYTHON_BIN := .venv/bin/python
TIERS := unit interop browser packaging

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: ## make .venv with every package pinned (any Python from 3.11 on; PYTHON=... chooses)
	@PYTHON="$(PYTHON)" packaging/setup-venv

run: setup ## show two built-in cameras in the browser (ARGS=... goes to camgate demo)
	@.venv/bin/camgate demo $(ARGS)

check: setup ## format, lint, types, import rules and the fast tests, in under a minute
	@$(PYTHON_BIN) tests/run_tiers.py check

test: setup ## every test, the ones in a real browser included (installs what they need)
	@tests/install-system-packages
	@$(PYTHON_BIN) tests/run_tiers.py $(TIERS)

test-full: setup ## every test, with far more generated inputs for the property and fuzz tests
	@tests/install-system-packages
	@HYPOTHESIS_PROFILE=full $(PYTHON_BIN) tests/run_tiers.py --patience 20 check $(TIERS)
	@$(MAKE) --no-print-directory prove-deb prove-docker

prove-deb: setup ## install, run, upgrade and purge the Debian package on a Debian that is booted; as root, 2 minutes
	@tests/install-system-packages mmdebstrap systemd-container
	@CI=true $(PYTHON_BIN) -m pytest -q tests/system/test_deb_on_debian.py

prove-docker: setup ## build the Dockerfile without a registry, and run what came of it; as root, 3 minutes
	@tests/install-system-packages buildah mmdebstrap systemd-container
	@CI=true $(PYTHON_BIN) -m pytest -q tests/system/test_image.py

bench: setup ## measure what this machine carries (ARGS=... goes to camgate bench), then the hot paths, one line each
	@.venv/bin/camgate bench $(ARGS)
	@for file in $(filter-out %_joins.py %_browser_loss.py %_abuse.py %_recovery.py %_gc.py,$(wildcard tests/bench/bench_*.py)); do $(PYTHON_BIN) "$$file" || exit 1; done

bench-quick: setup ## two small benchmarks, in under 3 minutes; fails only when delivery is wrong
	@$(PYTHON_BIN) tests/run_tiers.py bench

bench-targets: setup ## the table of targets beside a yardstick (TOOLS="--camsim PATH --loadgen PATH --pionref PATH")
	@$(PYTHON_BIN) -m tests.bench.targets $(TOOLS) $(ARGS)

bench-joins: setup ## what a join costs in CPU, over 5 rounds; 1 minute (ARGS="--against CHECKOUT" compares with another version)
	@$(PYTHON_BIN) -m tests.bench.bench_joins $(ARGS)

bench-browser: setup ## join a camera 40 times in Chromium: first picture, freezes, delay; 8 minutes (ARGS=... as --busy 3)
	@$(PYTHON_BIN) tests/bench/bench_browser_joins.py $(ARGS)

bench-loss: setup ## watch a camera in Chromium behind lossy and slow paths: freezes, delay; 2 minutes (ARGS=... as --seeds 3)
	@$(PYTHON_BIN) tests/bench/bench_browser_loss.py $(ARGS)

bench-abuse: setup ## one attacker beside 20 viewers: what he adds to their delay; 2 minutes (ARGS=... as --viewers 100)
	@$(PYTHON_BIN) tests/bench/bench_abuse.py $(ARGS)

bench-recovery: setup ## kill, freeze and cut off a camera: when its viewers have pictures again; 5 minutes (ARGS=... as --rounds 3)
	@$(PYTHON_BIN) -m tests.bench.bench_recovery $(ARGS)

deb: setup ## build the Debian package into build/deb, for Debian 12 (ARGS="--python 3.13" for another; docs/install.md)
	@$(PYTHON_BIN) packaging/build-deb $(ARGS)

bench-gc: setup ## how long all pictures stand still while Python's collector looks; 3 minutes (ARGS="--settings 0 5000")
	@$(PYTHON_BIN) -m tests.bench.bench_gc $(ARGS)

soak: setup ## camgate in trouble for minutes to hours: does anything grow? 5 minutes (ARGS="--minutes 120 --plot soak.png")
	@$(PYTHON_BIN) -m tests.soak $(ARGS)

audit: setup ## hold the pinned packages against known vulnerabilities: our list, and PyPI's (needs the network)
	@$(PYTHON_BIN) packaging/audit --online

man: setup ## write man/camgate.1 anew, after a change of a command's help
	@$(PYTHON_BIN) packaging/man-page

lock: ## pin the newest allowed versions anew (needs the network)
	@packaging/lock

clean: ## remove everything that these targets made
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
