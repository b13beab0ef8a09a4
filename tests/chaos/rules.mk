# tests/chaos/rules.mk - the chaos test alone: another seed, or some cases.
CHAOS_SEED ?= 1
.PHONY: chaos
chaos: lk ## faults at every named point, zombies, planted bugs (CHAOS_SEED=7, CASE='kappa/commit sent')
	@$(MAKE) -s $(BUGS) build/bugs/lk build/bugs/tests/whole-chaos
	build/bugs/tests/whole-chaos --seed $(CHAOS_SEED) $(if $(CASE),'$(CASE)')
