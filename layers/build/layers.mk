# How `sam build` makes the layers, without a container: wheels for Lambda's Python and processor,
# whatever this machine's are. SAM calls a target in a scratch copy of the layer's folder, by way
# of the Makefile in arm64/ or x86_64/ that the template's ContextPath names.

# Some Python with pip, for pip and for the scripts here. `make build` names the venv's.
BUILD_PYTHON ?= python3
RUNTIME_VERSION := 3.13
# Lambda's Amazon Linux 2023 has glibc 2.34; pip takes wheels for exactly the platforms it is given.
PLATFORMS = $(foreach glibc,2_28 2_24 2_17,--platform manylinux_$(glibc)_$(MACHINE))
RECIPE := $(dir $(lastword $(MAKEFILE_LIST)))
SITE = $(ARTIFACTS_DIR)/python

INSTALL = $(BUILD_PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile \
	--no-deps --require-hashes --requirement requirements.txt --only-binary :all: \
	$(PLATFORMS) --implementation cp --python-version $(RUNTIME_VERSION) \
	--target "$(SITE)" && rm -rf "$(SITE)/bin"
PRUNE = $(BUILD_PYTHON) "$(RECIPE)prune.py" "$(SITE)"
COMPILE = $(BUILD_PYTHON) "$(RECIPE)bytecode.py" "$(SITE)" $(RUNTIME_VERSION)

.PHONY: build-CoreLayer
build-CoreLayer:
	@$(INSTALL)
	@cp -R store_monitoring "$(SITE)"
	@$(COMPILE)

.PHONY: build-DataLayer
build-DataLayer:
	@$(INSTALL)
	@$(PRUNE) data
	@$(COMPILE)

.PHONY: build-HtmlLayer
build-HtmlLayer:
	@$(INSTALL)
	@$(COMPILE)

.PHONY: build-TablesLayer
build-TablesLayer:
	@$(INSTALL)
	@$(PRUNE) tables
	@$(COMPILE)
