# Each target works alone on a fresh clone: stamps say what was installed and built.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup build test demo bench

LOPT := node dist/scripts/lopt.js
SOURCES := $(shell find index.ts jit lopt tasks checkpoints meta scripts -name '*.ts' 2>/dev/null)
# More flags for vitest, such as reporters.
VITEST_FLAGS ?=

help:
	@echo 'make demo    meta-train a small optimizer, export it, compare it with tuned SGD+momentum, Adam and AdamW (under 5 minutes)'
	@echo 'make test    format, lint, types, unit tests, docs examples (under 5 minutes)'
	@echo 'make bench   time a meta-training step by part'
	@echo 'make setup   install dependencies;  make build   compile to dist/'

setup: node_modules/.installed

node_modules/.installed: package.json package-lock.json
	npm ci
	touch $@

build: dist/scripts/lopt.js

# An old dist could hold modules whose sources are gone.
dist/scripts/lopt.js: node_modules/.installed tsconfig.json tsconfig.build.json $(SOURCES)
	rm -rf dist
	npx tsc -p tsconfig.build.json
	chmod +x $@
	touch $@

test: setup build
	npx oxfmt --check
	npx oxlint --type-aware
	npx tsc -p tsconfig.json
	npx vitest run $(VITEST_FLAGS)

demo: build
	rm -rf runs/demo
	$(LOPT) meta-train --recipe small --out runs/demo
	$(LOPT) export runs/demo --out runs/demo/demo.onnx
	$(LOPT) evaluate runs/demo/demo.onnx momentum adam adamw --tasks examples/demo-suite.json --seeds 3 --tuning-seeds 1 --out report/demo
	@echo 'The report: report/demo/index.html'

bench: build
	npm run --silent bench
