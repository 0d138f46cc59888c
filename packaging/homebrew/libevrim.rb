# A Homebrew formula, for Linux. UNTESTED: no brew was at hand.
#
# To be filled in at a release: url, the archive of its source, and sha256, what `sha256sum` says of it.
# Homebrew takes the version from the url.
class Libevrim < Formula
  desc "Client library for Evrim: sessions, tokens and requests"
  homepage "https://evrim.ai"
  url "@URL@"
  sha256 "@SHA256@"
  license any_of: ["Apache-2.0", "MIT"]

  depends_on "doxygen" => :build
  depends_on "python@3.13" => :build
  depends_on "rust" => :build
  depends_on "pkgconf" => :test
  # packaging/link needs GNU ld and objcopy.
  depends_on :linux

  def install
    system "make", "install", "PREFIX=#{prefix}"
  end

  test do
    (testpath/"test.c").write <<~C
      #include <evrim.h>
      #include <stdio.h>
      int main(void) { return puts(evrim_version()) < 0; }
    C
    flags = shell_output("pkgconf --cflags --libs evrim").split
    system ENV.cc, "test.c", *flags, "-o", "test"
    assert_match version.to_s, shell_output("./test")
  end
end
