"""What client.c does, for Python's requests: the same arguments but the first, the same line of JSON.

A Session keeps the connection, as Python programs that care do.
"""

import time

BEGUN = time.perf_counter_ns()

import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402

import requests  # noqa: E402

USERNAME = "ada"
PASSWORD = "correct horse battery staple"


class Client:
    def __init__(self, url, ca, threads):
        self.url = url
        self.session = requests.Session()
        # The variables that name a proxy are not looked at, as the others don't for this machine.
        self.session.trust_env = False
        self.session.verify = ca
        # The default keeps 10 connections.
        self.session.mount(url, requests.adapters.HTTPAdapter(pool_maxsize=max(10, threads)))
        answer = self.session.post(f"{url}/token/", json={"username": USERNAME, "password": PASSWORD}, timeout=60)
        answer.raise_for_status()
        self.access = answer.json()["access"]
        self.headers = {"Authorization": f"Bearer {self.access}"}

    def get(self, path):
        answer = self.session.get(f"{self.url}/{path}", headers=self.headers, timeout=60)
        answer.raise_for_status()
        return answer

    def call(self, work, path):
        """How many bytes came, and what was read of them."""
        if work == "validate":
            answer = self.session.post(f"{self.url}/token/verify/", json={"token": self.access}, timeout=60)
            if answer.status_code != 200:
                sys.exit("the token is refused")
            return 0, 0
        answer = self.get(path)
        return len(answer.content), read_ten(answer.json()) if work == "read" else 0


def read_ten(document):
    """The same ten values as in peer.h."""
    report = document["report"]
    sections = report["sections"]
    strings = [
        report["title"],
        report["description"],
        sections[0]["title"],
        sections[3]["paragraphs"][2]["sentences"][5],
        sections[7]["paragraphs"][7]["sentences"][15],
        sections[5]["sources"][1],
        sections[6]["tone"],
    ]
    integers = [document["id"], sections[4]["paragraphs"][1]["id"]]
    return sum(len(string.encode()) for string in strings) + sum(integers) + len(sections)


def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


def measure_calls(client, cold, work, path, threads, calls, warm_up):
    each = calls // threads
    times, received, read = [], [], []
    barrier = threading.Barrier(threads + 1)

    def run():
        barrier.wait()
        for _ in range(warm_up):
            client.call(work, path)
        barrier.wait()
        barrier.wait()
        own = []
        for _ in range(each):
            begun = time.perf_counter_ns()
            outcome = client.call(work, path)
            own.append(time.perf_counter_ns() - begun)
            received.append(outcome[0])
            read.append(outcome[1])
        times.extend(own)
        barrier.wait()
        barrier.wait()

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    barrier.wait()
    cpu_begun, begun = cpu(), time.perf_counter_ns()
    barrier.wait()
    barrier.wait()
    wall, cpu_used = time.perf_counter_ns() - begun, cpu() - cpu_begun
    result = {
        "threads": status("Threads") - 1 - threads,
        "resident": 1024 * status("VmRSS"),
        "peak": 1024 * status("VmHWM"),
    }
    barrier.wait()
    for worker in workers:
        worker.join()
    times.sort()
    made = each * threads
    return result | {
        "requests": 2 + threads * (warm_up + each),
        "calls": made,
        "bytes": sum(received),
        "read": sum(read),
        "cold": cold,
        "wall": wall,
        "cpu": cpu_used,
        "p50": times[made // 2] if made else 0,
        "p99": times[made - 1 - made // 100] if made else 0,
    }


def measure_clients(client, url, ca, count):
    one, one_thread = 1024 * status("VmRSS"), status("Threads")
    clients = [client]
    for _ in range(count - 1):
        clients.append(Client(url, ca, 1))
        clients[-1].get("paragraphs/1/")
    return {
        "requests": 2 * count,
        "one": one,
        "all": 1024 * status("VmRSS"),
        "threads": status("Threads") - one_thread,
    }


def main():
    url, ca_file, ca_bundle, trust, what, *rest = sys.argv[1:]
    ca = ca_bundle if trust == "system" else ca_file
    client = Client(url, ca, int(rest[2]) if what == "calls" else 1)
    client.get("paragraphs/1/")
    cold = time.perf_counter_ns() - BEGUN
    if what == "clients":
        result = measure_clients(client, url, ca, int(rest[0]))
    else:
        work, path, *counts = rest
        result = measure_calls(client, cold, work, path, *map(int, counts))
    print(json.dumps(result))


main()
