# tests/agreement/rules.mk - lambda = kappa = contract for thousands of random cases, and planted bugs.
AGREEMENT_CASES ?= 2000
AGREEMENT_SEED  ?= 1
.PHONY: agreement
agreement: ## 2,000 random cases on both architectures and both stores, and the planted bugs
	@$(MAKE) -s $(BUGS) build/bugs/tests/whole-agreement
	build/bugs/tests/whole-agreement --cases $(AGREEMENT_CASES) --seed $(AGREEMENT_SEED)
