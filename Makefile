# cargo does the work; this file gives it the names that a C programmer expects.
#
#   make            the library, as it is installed: $(CARGO_TARGET_DIR)/release/install
#   make demo       builds, starts a local Evrim server, and runs examples/c/quickstart.c against it
#   make check      all tests; make check-django: the C programs against a real Django server
#   make check-long the tests that take minutes, in full, and those against Django with them
#   make install    PREFIX, LIBDIR, INCLUDEDIR and DESTDIR as usual; make uninstall takes it away again

CARGO ?= cargo
INSTALL ?= install
CARGO_TARGET_DIR ?= target

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))
STATIC_LIBS := $(shell cat packaging/static-libraries)
CMAKEDIR := $(LIBDIR)/cmake/evrim

# Fills in a file of packaging/.
space := $(subst ,, )
FILL = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
    -e 's|@VERSION@|$(VERSION)|' -e 's|@SOVERSION@|$(SOVERSION)|' \
    -e 's|@MAJOR@|$(word 1,$(subst ., ,$(VERSION)))|' -e 's|@MINOR@|$(word 2,$(subst ., ,$(VERSION)))|' \
    -e 's|@STATIC_LIBS@|$(STATIC_LIBS)|' -e 's|@CMAKE_STATIC_LIBS@|$(subst $(space),;,$(STATIC_LIBS))|' \
    -e 's|@INCLUDEDIR_FROM_CMAKE@|$(shell realpath -m --relative-to="$(CMAKEDIR)" "$(INCLUDEDIR)")|'

RELEASE := $(CARGO_TARGET_DIR)/release
BUILT := $(RELEASE)/install
DEBUG := $(CARGO_TARGET_DIR)/debug
DEMO := $(CARGO_TARGET_DIR)/demo
SOURCES := Cargo.toml Cargo.lock build.rs cbindgen.toml $(shell find src -type f)
LINK := packaging/link packaging/evrim.symbols packaging/static-libraries

all: $(BUILT)/libevrim.so.$(VERSION)

# Files, so that "make install" as root builds nothing if "make" has been run before.
$(RELEASE)/libevrim.a: $(SOURCES)
	$(CARGO) build --release --lib
	@touch $@

$(BUILT)/libevrim.so.$(VERSION): $(RELEASE)/libevrim.a $(LINK)
	packaging/link $< $(BUILT)
	@touch $@

demo:
	@echo "== building the library and the sandbox, a local Evrim server"
	$(CARGO) build --lib --example sandbox
	@echo "== compiling examples/c/quickstart.c"
	@mkdir -p $(DEMO)
	@ln -sf ../debug/libevrim.so $(DEMO)/libevrim.so.$(SOVERSION)
	$(CC) -Iinclude examples/c/quickstart.c $(DEMO)/libevrim.so.$(SOVERSION) -o $(DEMO)/quickstart
	@echo "== running it against a sandbox of its own"
	LD_LIBRARY_PATH=$(DEMO) $(DEBUG)/examples/sandbox -- $(DEMO)/quickstart

check:
	$(CARGO) test

# What takes minutes: 10,000 sign-ins, 200 ends of a token in 64 threads, a server that is down for a
# minute. Most of it is waiting, so all goes on at once.
check-long:
	$(CARGO) test --no-run
	+EVRIM_TEST_LONG=1 $(MAKE) -k -O -j4 long-transport long-many_threads long-faults check-django

long-%:
	$(CARGO) test --test $* -- --test-threads=8 --include-ignored over_and_over runs_out for_a_while silence

# The installed library alone, from C, C++, CMake, Go, Python and Lua; what is not there is skipped.
check-install:
	.ci/check-install

# The interface against that of the last release.
check-abi:
	packaging/check-abi

check-django:
	tests/django/check

install: all
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(INCLUDEDIR)
	$(INSTALL) -m 755 $(BUILT)/libevrim.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libevrim.so.$(VERSION)
	ln -sf libevrim.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libevrim.so.$(SOVERSION)
	ln -sf libevrim.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libevrim.so
	$(INSTALL) -m 644 $(BUILT)/libevrim.a $(DESTDIR)$(LIBDIR)/libevrim.a
	$(INSTALL) -m 644 include/evrim.h include/evrim.hpp $(DESTDIR)$(INCLUDEDIR)
	$(FILL) packaging/evrim.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/evrim.pc
	for file in evrim-config evrim-config-version; do \
	    $(FILL) packaging/cmake/$$file.cmake.in > $(DESTDIR)$(CMAKEDIR)/$$file.cmake || exit 1; \
	done
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/evrim.pc $(DESTDIR)$(CMAKEDIR)/*.cmake

uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/libevrim.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libevrim.so.$(SOVERSION) \
	    $(DESTDIR)$(LIBDIR)/libevrim.so $(DESTDIR)$(LIBDIR)/libevrim.a \
	    $(DESTDIR)$(INCLUDEDIR)/evrim.h $(DESTDIR)$(INCLUDEDIR)/evrim.hpp \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/evrim.pc \
	    $(DESTDIR)$(CMAKEDIR)/evrim-config.cmake $(DESTDIR)$(CMAKEDIR)/evrim-config-version.cmake
	-rmdir $(DESTDIR)$(CMAKEDIR) 2>/dev/null

clean:
	$(CARGO) clean

.PHONY: all demo check check-long check-django check-install check-abi install uninstall clean
