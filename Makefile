# cargo does the work; this file gives it the names that a C programmer expects.
#
#   make            the library, as it is installed: $(CARGO_TARGET_DIR)/release/install
#   make demo       builds, starts a local Evrim server, and runs examples/c/quickstart.c against it
#   make demo-research  the same with examples/c/research.c: from a request for research to a PDF on disk
#   make docs       the manual: $(CARGO_TARGET_DIR)/docs/evrim.html and man pages, if doxygen is installed
#   make check      all tests; make check-django: the C programs against a real Django server
#   make check-model  renewal in every order that threads can take; check-supply: licences, sources and
#                   doubles of the crates; check-reproducible: the same bytes from another folder
#   make check-long the tests that take minutes, in full, and those against Django with them
#   make check-asan, check-ubsan, check-valgrind, check-tsan   the C programs and the library under a sanitizer
#   make check-miri the border to C, in Miri, if that is installed
#   make fuzz       random input, for FUZZ_SECONDS each; TARGET=... for one of them, see fuzz/README.md
#   make soak       one process, eight threads, a server on which everything goes wrong at random, for
#                   SOAK_SECONDS, an hour unless told; PLANT=leak or PLANT=twice shows that it can fail
#   make bench      what a call costs, beside libcurl and others; BENCH=--quick only shows that it works;
#                   make bench-update puts the last run into README.md
#   make install    PREFIX, LIBDIR, INCLUDEDIR, MANDIR, DOCDIR, LICENSEDIR and DESTDIR as usual;
#                   make uninstall takes it away again

CARGO ?= cargo
INSTALL ?= install
CARGO_TARGET_DIR ?= target

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/evrim
LICENSEDIR ?= $(PREFIX)/share/licenses/evrim
DESTDIR ?=

VERSION := $(shell sed -n '/^version = /{s/^version = "\(.*\)"$$/\1/p;q}' Cargo.toml)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))
STATIC_LIBS := $(shell cat packaging/static-libraries)
CMAKEDIR ?= $(LIBDIR)/cmake/evrim

# Fills in a file of packaging/.
space := $(subst ,, )
FILL = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
    -e 's|@VERSION@|$(VERSION)|' -e 's|@SOVERSION@|$(SOVERSION)|' \
    -e 's|@MAJOR@|$(word 1,$(subst ., ,$(VERSION)))|' -e 's|@MINOR@|$(word 2,$(subst ., ,$(VERSION)))|' \
    -e 's|@STATIC_LIBS@|$(STATIC_LIBS)|' -e 's|@CMAKE_STATIC_LIBS@|$(subst $(space),;,$(STATIC_LIBS))|' \
    -e 's|@LIBDIR_FROM_CMAKE@|$(shell realpath -m --relative-to="$(CMAKEDIR)" "$(LIBDIR)")|' \
    -e 's|@INCLUDEDIR_FROM_CMAKE@|$(shell realpath -m --relative-to="$(CMAKEDIR)" "$(INCLUDEDIR)")|'

RELEASE := $(CARGO_TARGET_DIR)/release
BUILT := $(RELEASE)/install
DEBUG := $(CARGO_TARGET_DIR)/debug
DEMO := $(CARGO_TARGET_DIR)/demo
SOURCES := Cargo.toml Cargo.lock build.rs cbindgen.toml $(shell find src -type f)
LINK := packaging/link packaging/evrim.symbols packaging/static-libraries
DOCS := $(CARGO_TARGET_DIR)/docs
LICENSES := LICENSE LICENSE-APACHE LICENSE-MIT packaging/supply/THIRD-PARTY-NOTICES.txt

all: $(BUILT)/libevrim.so.$(VERSION) docs

# Files, so that "make install" as root builds nothing if "make" has been run before.
$(RELEASE)/libevrim.a: $(SOURCES)
	$(CARGO) build --release --lib
	@touch $@

$(BUILT)/libevrim.so.$(VERSION): $(RELEASE)/libevrim.a $(LINK)
	packaging/link $< $(BUILT)
	@touch $@

# Whoever installs the library needs no doxygen: there are no man pages then.
ifneq ($(and $(shell command -v doxygen),$(shell command -v python3)),)
docs: $(DOCS)/evrim.html
else
docs:
	@echo "docs: skipped, doxygen or python3 is not installed"
endif

$(DOCS)/evrim.html: include/evrim.h Cargo.toml $(wildcard packaging/doc/* examples/c/*)
	packaging/doc/build $(DOCS)

demo: PROGRAM := quickstart
demo-research: PROGRAM := research
# Slow enough to be seen.
demo-research: SWITCHES := --pending 4 --fault '/generate/*=drip:400:50ms'
demo-research: ARGUMENTS := https://example.org/ "Glaciers and the sea" "How ice becomes water" $(DEMO)

demo demo-research:
	@echo "== building the library and the sandbox, a local Evrim server"
	$(CARGO) build --lib --example sandbox
	@echo "== compiling examples/c/$(PROGRAM).c"
	@mkdir -p $(DEMO)
	@ln -sf ../debug/libevrim.so $(DEMO)/libevrim.so.$(SOVERSION)
	$(CC) -Iinclude examples/c/$(PROGRAM).c $(DEMO)/libevrim.so.$(SOVERSION) -lpthread -o $(DEMO)/$(PROGRAM)
	@echo "== running it against a sandbox of its own"
	LD_LIBRARY_PATH=$(DEMO) $(DEBUG)/examples/sandbox $(SWITCHES) -- $(DEMO)/$(PROGRAM) $(ARGUMENTS)

check:
	$(CARGO) test

# What takes minutes: 10,000 sign-ins, 200 ends of a token in 64 threads, a server that is down for a
# minute. Most of it is waiting, so all goes on at once; what computes gives way to what is to be in time.
check-long:
	$(CARGO) test --no-run
	+EVRIM_TEST_LONG=1 $(MAKE) -k -O -j4 long-transport long-many_threads long-faults long-fork check-django

long-transport: PRIORITY := nice
long-%:
	$(PRIORITY) $(CARGO) test --test $* -- --test-threads=8 --include-ignored \
	    over_and_over runs_out for_a_while silence

SOAK_SECONDS ?= 3600
SOAK := $(CARGO_TARGET_DIR)/soak
soak: $(RELEASE)/libevrim.a
	$(CARGO) build --release --example sandbox
	@mkdir -p $(SOAK)
	@ln -sf ../release/libevrim.so $(SOAK)/libevrim.so.$(SOVERSION)
	$(CC) -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -O1 -g -Iinclude tests/c/soak.c \
	    $(SOAK)/libevrim.so.$(SOVERSION) -lpthread -o $(SOAK)/soak
	LD_LIBRARY_PATH=$(SOAK) PLANT=$(PLANT) $(RELEASE)/examples/sandbox --tls --access-lifetime 2 -- \
	    $(SOAK)/soak $(SOAK_SECONDS) $(SOAK) $(SEED)

# The installed library alone, from C, C++, CMake, Go, Python and Lua; what is not there is skipped.
check-install:
	.ci/check-install

# The manual: nothing is undocumented, nothing malformed.
check-docs:
	.ci/check-docs

# The interface against that of the last release.
check-abi:
	packaging/check-abi

# One renewal at a time, in every order of the threads' steps; and that the model would find a defect.
check-model:
	tests/model/check

# Licences, sources and doubles of the crates; the bill of materials and the notices are theirs.
check-supply:
	packaging/supply/check

# The same bytes from another folder.
check-reproducible: $(BUILT)/libevrim.so.$(VERSION)
	packaging/check-reproducible

check-django:
	tests/django/check

check-asan check-ubsan check-valgrind check-tsan check-miri:
	tests/sanitizers/check $(@:check-%=%)

fuzz:
	fuzz/run $(TARGET)

bench: all
	python3 benches/bench.py $(BENCH)

bench-update:
	python3 benches/report.py update

# Whether README.md shows what was measured.
bench-check:
	python3 benches/report.py check

install: all
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(INCLUDEDIR)
	$(INSTALL) -m 755 $(BUILT)/libevrim.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libevrim.so.$(VERSION)
	ln -sf libevrim.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libevrim.so.$(SOVERSION)
	ln -sf libevrim.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libevrim.so
	$(INSTALL) -m 644 $(BUILT)/libevrim.a $(DESTDIR)$(LIBDIR)/libevrim.a
	$(INSTALL) -m 644 include/evrim.h include/evrim.hpp $(DESTDIR)$(INCLUDEDIR)
	$(INSTALL) -d $(DESTDIR)$(LICENSEDIR) $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 644 $(LICENSES) $(DESTDIR)$(LICENSEDIR)
	$(FILL) packaging/evrim.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/evrim.pc
	$(FILL) packaging/supply/evrim.cdx.json.in > $(DESTDIR)$(DOCDIR)/evrim.cdx.json
	for file in evrim-config evrim-config-version; do \
	    $(FILL) packaging/cmake/$$file.cmake.in > $(DESTDIR)$(CMAKEDIR)/$$file.cmake || exit 1; \
	done
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/evrim.pc $(DESTDIR)$(CMAKEDIR)/*.cmake $(DESTDIR)$(DOCDIR)/evrim.cdx.json
	if [ -e $(DOCS)/evrim.html ]; then \
	    $(INSTALL) -d $(DESTDIR)$(MANDIR)/man3 && \
	    umask 022 && cp -P $(DOCS)/man3/*.3 $(DESTDIR)$(MANDIR)/man3 && \
	    $(INSTALL) -m 644 $(DOCS)/evrim.html $(DESTDIR)$(DOCDIR); \
	fi

# The man pages that are taken away are those that this header has: hence docs.
uninstall: docs
	rm -f $(DESTDIR)$(LIBDIR)/libevrim.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libevrim.so.$(SOVERSION) \
	    $(DESTDIR)$(LIBDIR)/libevrim.so $(DESTDIR)$(LIBDIR)/libevrim.a \
	    $(DESTDIR)$(INCLUDEDIR)/evrim.h $(DESTDIR)$(INCLUDEDIR)/evrim.hpp \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/evrim.pc \
	    $(DESTDIR)$(CMAKEDIR)/evrim-config.cmake $(DESTDIR)$(CMAKEDIR)/evrim-config-version.cmake
	rm -f $(addprefix $(DESTDIR)$(LICENSEDIR)/,$(notdir $(LICENSES))) $(DESTDIR)$(DOCDIR)/evrim.html \
	    $(DESTDIR)$(DOCDIR)/evrim.cdx.json
	if [ -e $(DOCS)/evrim.html ]; then \
	    cd $(DOCS)/man3 && for page in *.3; do rm -f $(DESTDIR)$(MANDIR)/man3/$$page; done; \
	fi
	rmdir $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(LICENSEDIR) $(DESTDIR)$(DOCDIR) 2>/dev/null || true

clean:
	$(CARGO) clean

.PHONY: all docs demo demo-research check check-asan check-ubsan check-valgrind check-tsan check-miri fuzz check-long soak check-django check-install check-docs check-abi check-model check-supply check-reproducible bench bench-update bench-check install uninstall clean
