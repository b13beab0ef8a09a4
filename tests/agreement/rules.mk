# tests/agreement/rules.mk - lambda = kappa = contract for thousands of random cases, and planted bugs.
AGREEMENT_CASES ?= 2000
AGREEMENT_SEED  ?= 1
.PHONY: agreement agreement-kinds
agreement: ## 2,000 random cases on both architectures and both stores, and the planted bugs
	@$(MAKE) -s $(BUGS) build/bugs/tests/whole-agreement
	build/bugs/tests/whole-agreement --cases $(AGREEMENT_CASES) --seed $(AGREEMENT_SEED)
agreement-kinds: ## 500 random cases with incremental, and 500 with by-time batches
	@$(MAKE) -s $(BUGS) build/bugs/tests/whole-agreement
	LK_AGREEMENT_KIND_CASES=$(or $(CASES),500) tests/agreement/test_kinds.sh --seed $(AGREEMENT_SEED)
