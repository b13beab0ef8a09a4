# tests/model/rules.mk - SPIN over the models: the design as it should be, then every planted fault.
# Half an hour on one core; WORD=handover runs the rows that hold it.
.PHONY: model
model: ## model-check the protocols with SPIN (WORD=F6: only those rows)
	tests/model/check "$(WORD)"
