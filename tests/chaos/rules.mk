# tests/chaos/rules.mk - the chaos test in full: another seed, a budget, or some cases.
CHAOS_SEED    ?= 1
CHAOS_KILLS   ?= 400
CHAOS_SECONDS ?= 0
.PHONY: chaos
chaos: lk ## faults at every point, on both logs; Redis, brokers, generators die (CHAOS_SEED, CHAOS_KILLS, CHAOS_SECONDS, CASE='kappa/commit sent')
	@$(MAKE) -s $(BUGS) build/bugs/lk build/bugs/tests/whole-chaos
	build/bugs/tests/whole-chaos --seed $(CHAOS_SEED) $(if $(CASE),'$(CASE)')
	build/bugs/tests/whole-chaos --kafka --lanes 3 --seed $(CHAOS_SEED) --kills $(CHAOS_KILLS) \
	  --seconds $(CHAOS_SECONDS) $(if $(CASE),'$(CASE)')
FLIP_ROUNDS   ?= 100
FLIP_READS    ?= 500000
FLIP_ROUNDS_KAFKA ?= 20
.PHONY: flips
flips: lk ## versions promoted, rolled back and retired under load and SIGKILL, two seeds on each log (FLIP_ROUNDS, FLIP_ROUNDS_KAFKA; FLIP_READS a seed)
	@$(MAKE) -s $(BUGS) build/bugs/lk build/bugs/tests/whole-chaos
	LK_FLIP_ROUNDS=$(FLIP_ROUNDS) LK_FLIP_READS=$(FLIP_READS) build/bugs/tests/whole-chaos --seed $(CHAOS_SEED) flips
	LK_FLIP_ROUNDS=$(FLIP_ROUNDS_KAFKA) LK_FLIP_READS=$(FLIP_READS) build/bugs/tests/whole-chaos --kafka --seed $(CHAOS_SEED) flips
