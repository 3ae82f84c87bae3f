# Two commands do everything: `make run` shows Fairlead at work, `make test` checks all of it.
# Nothing but Debian's base, Python 3.11, make and git is needed; tools/bootstrap.py gets the rest.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= $(shell cores=$$(nproc 2>/dev/null || echo 3); [ $$cores -lt 3 ] && echo $$((cores + 1)) || echo 4)

.DEFAULT_GOAL := help
.PHONY: help setup run test style lint chart torch protos user-fields bench bench-scale bench-scaling bench-rollout bench-registry soak bench-peers compare-peers fuzz system-packages clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -e 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

setup: ## Create .venv with everything the tests use, and .venv/bin/fairlead
	@$(PYTHON) tools/bootstrap.py

run: setup ## Start Fairlead with the quick-start model and keep serving (ONCE=1: answer once and exit)
	@exec $(BIN)/python examples/quickstart/quickstart.py

# Some environments forbid Python to write bytecode; each of a thousand processes would compile our sources anew, and
# each of the suite's all tests: half of the time that it takes to find them. One worker more than there are cores, up to
# four: tests of whole installations wait for them a third of their time.
# Types are checked beside the tests, because that keeps one core busy for a minute; what is wrong is told at the end.
test: setup system-packages torch style ## Check everything: style, types, import contracts, tests
	@$(BIN)/python -m compileall -q src bench
	@mkdir -p build; $(BIN)/mypy > build/types.txt 2>&1 & types=$$!; \
	  env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS); \
	  tests=$$?; wait $$types || { cat build/types.txt; exit 1; }; exit $$tests

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

lint: style ## Check style, formatting, types and import contracts
	$(BIN)/mypy

protos: setup ## Compile the .proto files of the gRPC protocols into the descriptors that are checked in
	$(BIN)/python tools/protos.py

user-fields: setup ## Write which fields pods have in the newest Kubernetes that kubernetes-validate knows
	$(BIN)/python tools/user_fields.py

chart: setup ## Write the Helm chart, after a change of what an installation consists of
	$(BIN)/python -m tools.chart

torch: setup ## Install a CPU build of PyTorch for the tests, where pip finds one without an index
	@$(PYTHON) tools/torch_wheel.py

system-packages: ## Install what some checks need from the distribution, when root
	@$(PYTHON) tools/system_packages.py

bench: setup ## Measure floor, worker and gateway in one run, gRPC, and curves; writes build/bench*.json and the docs' pictures
	$(BIN)/python -m bench
	$(BIN)/python -m bench.grpc_models --without-peers
	$(BIN)/python -m bench.curves
	@uv=$$(command -v uv || echo .bootstrap/bin/uv); UV_SYSTEM_CERTS=true $$uv run -q --no-project --python $(BIN)/python --with matplotlib python bench/plots.py

bench-registry: setup ## Measure push and pull of 1 GiB through the registry beside copies to the same folder and S3 server
	$(BIN)/python -m bench.registry

bench-scale: setup ## Measure a thousand deployments at zero replicas, and cold starts alone and among them
	$(BIN)/python -m bench.scale
	$(BIN)/python -m bench.cold
	$(BIN)/python -m bench.cold --beside 1000 --out build/bench-cold-among-1000.json

bench-scaling: setup ## Run load traces through the autoscaler, with pictures for the docs; measure first requests to services at zero
	$(BIN)/python -m bench.scaling
	$(BIN)/python -m bench.scaling.cold
	$(BIN)/python -m bench.scaling.cold --beside 1000 --out build/bench-scaling-cold-among-1000.json

bench-rollout: setup ## Change, wake and grow InferenceServices under load, with pictures for the docs; every failed request is told
	$(BIN)/python -m bench.rollout

soak: setup ## Ten minutes of mixed and hostile traffic while processes are killed; writes build/soak.json
	$(BIN)/python -m bench.soak

compare-peers: setup ## Ask MLServer, KServe's server and Fairlead the same; writes docs/compatibility.md
	$(BIN)/python tests/conformance/compare.py

bench-peers: setup ## Measure other model servers on this machine, in environments of their own
	$(BIN)/python -m bench --peers
	$(BIN)/python -m bench.grpc_models

fuzz: setup ## Attack a gateway and workers with bytes no client should send (FUZZ_ARGS: --seconds, --seed, --out)
	$(BIN)/python -m bench.fuzz $(FUZZ_ARGS)

clean: ## Remove the environment and everything that was built
	rm -rf .venv .bootstrap .peers build dist
