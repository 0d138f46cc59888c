#!/usr/bin/env python3
"""What a call costs with libevrim, and with what a program would use instead: one run, in rounds.

    bench.py [--quick]

In each round every client makes the same calls of the same server, one client after the other, beginning
with another one each time; a ratio is that of two clients in the same round, and what is printed is the
median of the rounds. --quick shows that all of it works, and no more. A tool or library that is not there
is skipped with a line, or is an error where CI is set.
"""

import argparse
import concurrent.futures
import ctypes
import datetime
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
BUILT = TARGET / "bench"
CARGO = os.environ.get("CARGO", "cargo")
CC = os.environ.get("CC", "cc")
# Nothing of ours: no proxy, no other certificates.
CLEAN = {"PATH": os.environ["PATH"], "LC_ALL": "C"}

PEERS = ["libevrim", "libcurl", "reqwest", "requests", "raw"]
BASE = "libcurl"

# What is asked: the client's word for it, and the path.
GET = ("get", "paragraphs/1/")
VALIDATE = ("validate", "token/verify/")
READ = ("read", "reports/1/")
BODY = ("get", "body/10/")
BODY_50 = ("get", "body/50/")


class Settings:
    def __init__(self, quick):
        self.quick = quick
        self.rounds = 2 if quick else 15
        self.thread_rounds = 2 if quick else 9
        self.cold_rounds = 2 if quick else 25
        self.memory_rounds = 1 if quick else 3
        self.many_clients = 30 if quick else 1000
        # Calls in a round, of which Python, slow as it is, makes a tenth.
        share = 10 if quick else 1
        self.calls = {GET: 2000 // share, VALIDATE: 1000 // share, READ: 400 // share, BODY: 10}
        self.calls_of_threads = 9600 // share
        # Two lengths of a run, for what is counted and not timed: the difference is that many calls.
        self.counted = (10, 30) if quick else (50, 250)
        self.counted_python = (2, 6) if quick else (5, 25)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def skip(what, why):
    say(f"{what}: skipped, {why}")
    if os.environ.get("CI"):
        sys.exit(1)


# Building


def build():
    """The clients that can be had, each with the command that runs it."""
    command = [CARGO, "build", "--release", "--manifest-path", HERE / "Cargo.toml", "--target-dir", BUILT / "cargo"]
    subprocess.run(command, check=True)
    [library] = (TARGET / "release/install").glob("libevrim.so.*.*")
    link(library, BUILT / "libevrim.so.0")
    link(BUILT / "cargo/release/libevrim_reqwest.so", BUILT / "libevrim_reqwest.so")
    compile_c("client", "client.c", "-pthread", "-ldl")
    shared = ["-shared", "-fPIC", f"-L{BUILT}", "-Wl,-rpath,$ORIGIN"]
    compile_c("peer-libevrim.so", "peers/evrim.c", *shared, "-l:libevrim.so.0")
    compile_c("peer-reqwest.so", "peers/evrim.c", *shared, "-l:libevrim_reqwest.so")
    compile_c("peer-raw.so", "peers/raw.c", *shared)
    commands = {name: [BUILT / "client", BUILT / f"peer-{name}.so"] for name in PEERS if name != "requests"}
    if has_headers("curl/curl.h", "cjson/cJSON.h"):
        compile_c("peer-libcurl.so", "peers/libcurl.c", *shared, "-lcurl", "-lcjson")
    else:
        skip("libcurl", "its headers, or those of cJSON, are not installed")
        del commands["libcurl"]
    python = make_venv()
    if python:
        commands["requests"] = [python, HERE / "client.py"]
    return {name: [str(word) for word in commands[name]] for name in PEERS if name in commands}


def link(to, name):
    name.unlink(missing_ok=True)
    name.symlink_to(os.path.relpath(to, name.parent))


def compile_c(output, source, *arguments):
    command = [*CC.split(), "-O2", "-Wall", "-Wextra", f"-I{ROOT / 'include'}", HERE / source]
    subprocess.run([*command, *arguments, "-o", BUILT / output], check=True)


def has_headers(*names):
    text = "".join(f"#include <{name}>\n" for name in names)
    command = [*CC.split(), "-E", "-x", "c", "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True).returncode == 0


def make_venv():
    folder = BUILT / "venv"
    python = folder / "bin/python"
    wanted = HERE / "requirements.txt"
    installed = folder / "installed.txt"
    if installed.exists() and installed.read_text() == wanted.read_text():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", wanted]
        subprocess.run(pip, check=True, capture_output=True)
    except subprocess.CalledProcessError:
        skip("requests", "Python's venv or the package is not to be had")
        return None
    shutil.copy(wanted, installed)
    return python


# Running


class Server:
    """The server, and what it counts."""

    def __init__(self):
        self.ca_file = BUILT / "ca.pem"
        self.ca_bundle = BUILT / "ca-bundle.pem"
        command = [BUILT / "cargo/release/bench-server", self.ca_file]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.ports = json.loads(self.process.stdout.readline())
        # A library that takes one file only: the file that it would take, and our authority.
        system = Path("/etc/ssl/certs/ca-certificates.crt").read_text()
        self.ca_bundle.write_text(system + self.ca_file.read_text())

    def pin(self, core):
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(task), {core})

    def counted(self, wait=0):
        """Since the last time. From now on it waits as many microseconds before each answer."""
        self.process.stdin.write(f"{wait}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def cpu(self):
        """Nanoseconds, in steps of the kernel's clock."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def arguments(self, scheme, trust):
        return [f"{scheme}://127.0.0.1:{self.ports[scheme]}/prod", str(self.ca_file), str(self.ca_bundle), trust]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


class Bench:
    def __init__(self, commands, settings):
        self.commands = commands
        self.settings = settings
        self.server = Server()
        self.tls = set()

    def pin(self, cores):
        self.client_core, server_core = cores
        self.server.pin(server_core)

    def run(self, name, scheme, trust, *words):
        """One run of one client, which the server confirms."""
        self.server.counted()
        begun = self.server.cpu()
        command = [*self.commands[name], *self.server.arguments(scheme, trust), *map(str, words)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=CLEAN, timeout=300, preexec_fn=pinned(self.client_core)
        )
        if done.returncode != 0:
            sys.exit(f"bench: {name} {words}: {done.stderr}")
        result = json.loads(done.stdout)
        counted = self.server.counted()
        if counted["requests"] != result["requests"]:
            sys.exit(f"bench: {name} {words}: {result['requests']} requests, the server had {counted['requests']}")
        self.tls.update(counted["tls"])
        if len(self.tls) > 1:
            sys.exit(f"bench: {name} agreed on another cipher: {self.tls}")
        return result | {"connections": counted["connections"], "server": self.server.cpu() - begun}

    def calls(self, name, scheme, asked, threads, calls, warm_up):
        if name == "requests" and calls > 20:
            calls, warm_up = max(calls // 10, threads), max(warm_up // 10, 1)
        result = self.run(name, scheme, "system", "calls", *asked, threads, calls, warm_up)
        self.same(asked, name, result)
        return result

    seen = {}

    def same(self, asked, name, result):
        """Every client got the same bytes, and read the same values in them."""
        if result["calls"] == 0:
            return
        got = {"bytes": result["bytes"] / result["calls"], "read": result["read"] / result["calls"]}
        if name == "raw":
            del got["read"]
        expected = self.seen.setdefault(asked, {})
        for what, value in got.items():
            if expected.setdefault(what, value) != value:
                sys.exit(f"bench: {name} {asked}: {value} {what}, others had {expected[what]}")

    def names(self, scheme):
        return [name for name in self.commands if scheme == "http" or name != "raw"]

    def rounds(self, title, count, cells):
        """For each cell and client the results, one for each round. A cell is a key and what to run."""
        results = {}
        for number in range(count):
            say(f"{title}: round {number + 1} of {count}")
            for key, scheme, run in cells:
                names = self.names(scheme)
                turn = number % len(names)
                for name in names[turn:] + names[:turn]:
                    results.setdefault(key, {}).setdefault(name, []).append(run(name))
        return results


# What is measured. Each gives figures: see `figure`.


def figure(key, samples, rate=False):
    """`samples` holds numbers by client; where all have as many, those of one round stand at one place."""
    values = {name: spread(numbers) for name, numbers in samples.items()}
    ratios = {}
    base = samples.get(BASE)
    for name, numbers in samples.items():
        if base and name != BASE and all(base) and len(base) == len(numbers):
            ratios[name] = spread([number / other for number, other in zip(numbers, base)])
    return {"key": key, "values": values, "ratios": ratios}


def spread(numbers):
    """The median and the quartiles."""
    if len(numbers) == 1:
        return {"median": numbers[0], "low": numbers[0], "high": numbers[0]}
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


def each(results, value):
    return {name: [value(result) for result in list_] for name, list_ in results.items()}


def measure_calls(bench):
    settings = bench.settings
    asked = {"get": GET, "validate": VALIDATE, "read": READ, "body": BODY}
    cells = []
    for word, what in asked.items():
        calls = settings.calls[what]
        warm_up = max(calls // 20, 2)
        for scheme in ("https", "http"):
            run = lambda name, s=scheme, w=what, c=calls, u=warm_up: bench.calls(name, s, w, 1, c, u)
            cells.append(((word, scheme), scheme, run))
    for (word, scheme), results in bench.rounds("calls", settings.rounds, cells).items():
        yield figure(f"p50 {word} {scheme}", each(results, lambda result: result["p50"]))
        if word != "body":
            yield figure(f"p99 {word} {scheme}", each(results, lambda result: result["p99"]))
        yield figure(f"cpu {word} {scheme}", each(results, lambda result: result["cpu"] / result["calls"]))


def measure_threads(bench):
    settings = bench.settings
    cells = []
    for threads in (1, 2, 8, 32):
        calls, warm_up = settings.calls_of_threads, 160 // threads
        run = lambda name, t=threads, u=warm_up: bench.calls(name, "https", GET, t, calls, u)
        cells.append((threads, "https", run))
    for threads, results in bench.rounds("threads", settings.thread_rounds, cells).items():
        yield figure(f"rate {threads}", each(results, lambda result: 1e9 * result["calls"] / result["wall"]))
        # Well below all of its core, or the server would be what is measured.
        busy = each(results, lambda result: 100 * result["server"] / result["requests"] * result["calls"] / result["wall"])
        yield figure(f"server {threads}", busy)


def measure_cold(bench):
    cells = [("cold", "https", lambda name: bench.calls(name, "https", GET, 1, 0, 0))]
    results = bench.rounds("cold start", bench.settings.cold_rounds, cells)["cold"]
    yield figure("cold", each(results, lambda result: result["cold"]))


def measure_memory(bench):
    settings = bench.settings
    cells = []
    for key, asked, calls in (("calls", GET, 1000), ("body 10", BODY, 1), ("body 50", BODY_50, 1)):
        run = lambda name, a=asked, c=calls: bench.run(name, "https", "system", "calls", *a, 1, c, 0)
        cells.append((key, "https", run))
    for trust in ("system", "file"):
        run = lambda name, t=trust: bench.run(name, "https", t, "clients", settings.many_clients)
        cells.append((f"clients {trust}", "https", run))
    # Many clients take long, and their memory is the same each time.
    results = bench.rounds("memory", settings.memory_rounds, cells[:3])
    results |= bench.rounds("memory of many clients", 1, cells[3:])
    yield figure("resident", each(results["calls"], lambda result: result["resident"]))
    yield figure("threads", each(results["calls"], lambda result: result["threads"]))
    for key in ("body 10", "body 50"):
        yield figure(f"peak {key}", each(results[key], lambda result: result["peak"]))
    for trust in ("system", "file"):
        found = results[f"clients {trust}"]
        yield figure(f"more {trust}", each(found, lambda result: result["all"] - result["one"]))
    yield figure("more threads", each(results["clients system"], lambda result: result["threads"]))


def measure_counts(bench):
    """Instructions and system calls: they are counted, so one run of either length will do, and two at once.

    The tools slow the client down, not the server: without a wait the answers would be there before the
    client had come to wait for them, which they never are in life.
    """
    bench.server.counted(wait=5000)
    jobs = []
    tools = {"instructions": ("valgrind", instructions), "syscalls": ("strace", system_calls)}
    wanted = [
        ("instructions", "get", GET, "https"),
        ("instructions", "get", GET, "http"),
        ("syscalls", "get", GET, "https"),
        ("syscalls", "get", GET, "http"),
        ("instructions", "read", READ, "https"),
        ("syscalls", "body", BODY, "https"),
    ]
    for tool, (command, _) in tools.items():
        if shutil.which(command) is None:
            skip(tool, f"{command} is not installed")
            wanted = [entry for entry in wanted if entry[0] != tool]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for tool, word, asked, scheme in wanted:
            say(f"{tool} of {word} over {scheme}")
            for name in bench.names(scheme):
                settings = bench.settings
                if name == "requests" and (word, scheme) != ("get", "https"):
                    # It takes long.
                    continue
                lengths = settings.counted_python if name == "requests" else settings.counted
                ends = [pool.submit(tools[tool][1], bench, name, scheme, asked, length) for length in lengths]
                jobs.append((f"{tool} {word} {scheme}", name, lengths, ends))
        samples = {}
        for key, name, (short, long), ends in jobs:
            fewer, more = (end.result() for end in ends)
            samples.setdefault(key, {})[name] = [(more - fewer) / (long - short)]
    bench.server.counted()
    for key, values in samples.items():
        yield figure(key, values)


def under(tool, bench, name, scheme, asked, calls):
    # Its start is subtracted: the short one.
    arguments = bench.server.arguments(scheme, "file")
    command = [*tool, *bench.commands[name], *arguments, "calls", *asked, "1", str(calls), "5"]
    done = subprocess.run(command, capture_output=True, text=True, env=CLEAN, timeout=300)
    if done.returncode != 0:
        sys.exit(f"bench: {name} under {tool[0]}: {done.stderr}")
    return done.stderr


def instructions(bench, *run):
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    return int(re.search(r"Collected : (\d+)", under(tool, bench, *run))[1])


def system_calls(bench, *run):
    # Its table goes to standard error; the last line is the total.
    text = under(["strace", "-f", "-c", "-U", "calls,name"], bench, *run)
    return int(re.search(r"^ *(\d+) +total$", text, re.MULTILINE)[1])


def measure_sizes(bench):
    library, closure = {}, {}
    own = {"libevrim": "libevrim.so", "libcurl": "libcurl.so", "reqwest": "libevrim_reqwest.so"}
    for name, prefix in own.items():
        if name not in bench.commands:
            continue
        text = subprocess.run(["ldd", bench.commands[name][1]], capture_output=True, text=True, check=True).stdout
        paths = re.findall(r"(/\S+) \(0x", text)
        sizes = {Path(path).name: os.stat(path).st_size for path in paths}
        library[name] = [sum(size for file, size in sizes.items() if file.startswith(prefix))]
        closure[name] = [sum(sizes.values())]
    yield figure("size", library)
    yield figure("size all", closure)


# Where and with what


def machine():
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory": memory,
        "kernel": f"{platform.system()} {platform.release()}",
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
    }


def versions(commands):
    def output(*command):
        return subprocess.run([str(word) for word in command], capture_output=True, text=True).stdout.strip()

    def locked(path, name):
        return re.search(rf'name = "{name}"\nversion = "(.*)"', path.read_text())[1]

    found = {
        "libevrim": locked(ROOT / "Cargo.lock", "evrim"),
        "commit": output("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "rustls": locked(ROOT / "Cargo.lock", "rustls"),
        "reqwest": locked(HERE / "Cargo.lock", "reqwest"),
        "rustc": output("rustc", "--version").split(" ")[1],
        "cc": output(*CC.split(), "-dumpfullversion"),
    }
    if "libcurl" in commands:
        library = ctypes.CDLL("libcurl.so.4")
        library.curl_version.restype = ctypes.c_char_p
        # Its first two words: libcurl's own version and that of its TLS.
        curl, tls = library.curl_version().decode().split(" ")[:2]
        found |= {"libcurl": curl.split("/")[1], "libcurl's TLS": tls.replace("/", " ")}
        library = ctypes.CDLL("libcjson.so.1")
        library.cJSON_Version.restype = ctypes.c_char_p
        found["cJSON"] = library.cJSON_Version().decode()
    if "requests" in commands:
        python = commands["requests"][0]
        found["Python"] = output(python, "-c", "import platform; print(platform.python_version())")
        found["requests"] = output(python, "-c", "import requests; print(requests.__version__)")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works")
    options = parser.parse_args()
    settings = Settings(options.quick)
    # The client's and the server's. One call at a time gives them turns, and one core is the quieter; with
    # threads the server needs one of its own, or it would be measured too.
    available = sorted(os.sched_getaffinity(0))
    cores = {"calls": [available[-1]] * 2, "threads": [available[-1], available[0]]}

    # A thousand clients have a thousand connections.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    BUILT.mkdir(parents=True, exist_ok=True)
    commands = build()
    bench = Bench(commands, settings)
    figures = []
    bench.pin(cores["calls"])
    for measure in (measure_calls, measure_cold, measure_memory, measure_counts, measure_sizes):
        figures.extend(measure(bench))
    bench.pin(cores["threads"])
    figures.extend(measure_threads(bench))
    bench.server.close()

    results = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": versions(commands),
        "settings": vars(settings) | {"calls": {" ".join(asked): n for asked, n in settings.calls.items()}},
        "cores": cores,
        "tls": sorted(bench.tls),
        "figures": figures,
    }
    (BUILT / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print(report.text(results), end="")


main()
