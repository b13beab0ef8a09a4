# lk: make help prints this table of contents.
#
# One static archive per folder; every program is linked with the archives that its folder may know, in
# order of dependency, so a call that points upward or sideways does not link.

## settings
CC      ?= cc
CFLAGS  ?= -O2 -g
VARIANT ?= release
B       := build/$(VARIANT)
STRICT  := -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wformat=2 -Wstrict-prototypes \
           -Wmissing-prototypes -Wwrite-strings -Wpointer-arith -Wundef -Wvla -fno-common \
           -Wno-format-nonliteral -Werror
DEFINES ?=
DYGRAPHS := /usr/share/javascript/dygraphs
LIBS    := -lrdkafka -lhiredis -ljansson -llmdb -lzstd -lm -lpthread

## parts: a folder is an archive; the order is the direction of dependencies
PARTS   := common/base common/event common/plan common/op common/log common/store common/run \
           lambda kappa workloads bench cmd
part     = $(subst /,-,$(1))
archive  = $(B)/lib$(call part,$(1)).a
sources  = $(wildcard $(1)/*.c)
objects  = $(patsubst %.c,$(B)/%.o,$(call sources,$(1)))
# The archives that the tests and objects of a part may know: itself and what stands below it.
below_common/base    :=
below_common/event   := common/base
below_common/plan    := common/event common/base
below_common/op      := common/plan common/event common/base
below_common/log     := common/base
below_common/store   := common/log common/op common/plan common/event common/base
below_common/run     := common/store common/log common/op common/plan common/event common/base
COMMON               := common/run common/store common/log common/op common/plan common/event common/base
below_lambda         := $(COMMON)
below_kappa          := $(COMMON)
below_workloads      := $(COMMON)
below_bench          := lambda kappa workloads $(COMMON)
below_cmd            := bench lambda kappa workloads $(COMMON)
knows    = $(foreach p,$(1) $(below_$(1)),$(call archive,$(p)))

.PHONY: all test demo bench bench-scan bench-ysb bench-fresh bench-read bench-anomalies bench-interference bench-keys asan tsan lint headers docs install clean help
.DEFAULT_GOAL := all

## programs
all: lk ## build ./lk
lk: $(B)/lk
	@cp -f $< $@
$(B)/lk: $(B)/lk.o $(call knows,cmd)
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(STRICT) $(CFLAGS) $(DEFINES) -I. -DDYGRAPHS='"$(DYGRAPHS)"' -MMD -MP -c -o $@ $<

# What the assembler puts into the program (bench/assets.c) is no #include: make is told.
$(B)/bench/assets.o: bench/report.css bench/report.js
$(B)/workloads/workload.o: $(wildcard workloads/plans/*.json)

define part_rules
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call part_rules,$(p))))

## what a user runs
demo: lk ## two weeks of real flights through both architectures in about a minute; report in out/demo
	./lk compare flights --out out/demo
bench: lk ## the speed of the parts, each as a ratio to a straight-line program of the same run
	./lk bench gen
	./lk bench scan
	./lk bench drain
	./lk bench batch
bench-scan: lk ## the scanner alone
	./lk bench scan
bench-read: lk ## lambda's merged read against kappa's read of one view, side by side
	./lk bench read
bench-anomalies: lk ## a million answers of each hand-over mode against the exact ones, while a thousand batches land; then every part killed at each fault point, and the same on Kafka
	./lk bench anomalies --handover all --versions
	./lk bench anomalies --handover offset --versions --kill
	tools/with-kafka sh -c './lk bench anomalies --log $$LK_TEST_KAFKA --handover offset --versions --kill --reads 500000 --flips 100'
bench-interference: lk ## freshness of a live view alone, and while a batch or a replay runs beside it
	./lk bench interference
bench-keys: lk ## a million keys in 24 windows: time, memory, a version's life, a takeover; every row checked
	./lk bench keys
bench-ysb: lk ## drains of 20 million events from a real Kafka, against a plain librdkafka loop
	tools/with-kafka sh -c './lk bench ysb --log $$LK_TEST_KAFKA'
bench-fresh: lk ## from due to visible through a real Kafka, against a bare echo
	tools/with-kafka sh -c './lk bench fresh --log $$LK_TEST_KAFKA --rate 10000 && \
	  ./lk bench fresh --log $$LK_TEST_KAFKA --rate 50000'
docs: docs/settings.md docs/runbooks.md ## the pages that are made from the program's tables
docs/settings.md: lk
	{ echo '# Settings'; echo; echo 'Made by `make docs` from `cmd/settings_table.c`. A flag wins over the'; \
	  echo 'variable, the variable over the file of `--config`, the file over the default.'; echo; \
	  ./lk --settings; } >$@
docs/runbooks.md: lk
	./lk compare runbooks --page >$@
PREFIX ?= /usr/local
install: lk ## put lk into PREFIX/bin and its data into PREFIX/share/lk (DESTDIR is honoured)
	install -D -m 755 lk $(DESTDIR)$(PREFIX)/bin/lk
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/lk workloads/data/*.zst
clean: ## remove what make made (reports in out/ stay)
	rm -rf build lk
help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

-include Makefile.tests
-include $(shell find $(B) -name '*.d' 2>/dev/null)
