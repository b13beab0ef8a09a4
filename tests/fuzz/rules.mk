# tests/fuzz/rules.mk - the scanner against jansson: on seeded lines, and under libFuzzer.
SCAN_LINES   ?= 2000000
SCAN_SEED    ?= 7
FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang
FUZZ_FLAGS   := -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz_objects  = $(patsubst %,$(B)/tests/fuzz/%.o,$(1))

$(B)/tests/fuzz/scan_agree: $(call fuzz_objects,scan_agree agree lines) $(call knows,common/event)
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS)
$(B)/tests/fuzz/write_corpus: $(call fuzz_objects,write_corpus lines) $(call knows,common/base)
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS)
$(B)/tests/fuzz/fuzz_scan: tests/fuzz/fuzz_scan.c tests/fuzz/agree.c $(wildcard common/event/*.c common/base/*.c) \
                           $(wildcard common/event/*.h common/event/*.inc common/base/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(STRICT) $(FUZZ_FLAGS) $(DEFINES) -I. -o $@ $(filter %.c,$^) $(LIBS)

.PHONY: scan-agree fuzz
scan-agree: $(B)/tests/fuzz/scan_agree ## the scanner's three paths and jansson on 2 million lines
	$< $(SCAN_LINES) $(SCAN_SEED)
fuzz: $(B)/tests/fuzz/fuzz_scan $(B)/tests/fuzz/write_corpus ## the same under libFuzzer (FUZZ_SECONDS)
	@mkdir -p $(B)/tests/fuzz/corpus
	$(B)/tests/fuzz/write_corpus $(B)/tests/fuzz/corpus 500
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -artifact_prefix=$(B)/tests/fuzz/ $(B)/tests/fuzz/corpus
