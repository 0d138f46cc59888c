"""Tests of evrim.py against the sandbox server:

sandbox -- python3 -m unittest -v test_evrim     (and with --tls before the two dashes)
"""

import copy
import gc
import json
import logging
import multiprocessing
import os
import pickle
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
import warnings
import weakref

try:
    import evrim
    from evrim import Evrim, EvrimError
    MISSING = None
except ImportError as error:
    MISSING = str(error)

URL = os.environ.get("EVRIM_URL", "")
USERNAME = os.environ.get("EVRIM_USERNAME", "")
PASSWORD = os.environ.get("EVRIM_PASSWORD", "")
HERE = os.path.dirname(os.path.abspath(__file__))


def setUpModule():
    if MISSING:
        raise unittest.SkipTest(f"skipped: {MISSING}")


def control(method, name, **content):
    """Asks the sandbox itself."""
    request = urllib.request.Request(f"{URL.rstrip('/')}/sandbox/{name}/", method=method,
                                     data=json.dumps(content).encode() if content else None)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)


def in_threads(count, work):
    """Runs work(number) in so many threads, and gives the results, or what was raised."""
    results = [None] * count

    def run(number):
        try:
            results[number] = work(number)
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (URL and USERNAME and PASSWORD):
            raise unittest.SkipTest("skipped: EVRIM_URL and the others of a sandbox server are not set")
        try:
            control("GET", "counters")
        except OSError as error:
            raise unittest.SkipTest(f"skipped: no sandbox server at EVRIM_URL ({error})")

    def setUp(self):
        control("DELETE", "faults")

    tearDown = setUp

    def client(self, **options):
        client = Evrim(URL, USERNAME, PASSWORD, **options)
        self.addCleanup(client.close)
        return client

    def fault(self, path, kind, **more):
        control("POST", "faults", path=path, kind=kind, **more)

    def running(self):
        return control("GET", "counters")["running"]


class Library(unittest.TestCase):
    def test_every_function_of_the_header_is_declared(self):
        header = os.path.join(HERE, "..", "..", "include", "evrim.h")
        if not os.path.exists(header):
            self.skipTest("skipped: the header is not here")
        with open(header, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        declared = set(re.findall(r"\b(evrim_\w+)\s*\(", text))
        self.assertEqual(declared, set(evrim._FUNCTIONS))
        codes = {name: int(value) for name, value in
                 re.findall(r"EVRIM_(?:ERROR_)?(\w+) = (\d+)", text) if not name.startswith(("TLS_", "LOG_", "JSON_"))}
        self.assertEqual(codes, {status.name: int(status) for status in evrim.Status})
        kinds = {name: int(value) for name, value in re.findall(r"EVRIM_JSON_(\w+) = (\d+)", text)}
        self.assertEqual(kinds, {kind.name: int(kind) for kind in evrim.JSONType})

    def test_a_library_that_is_not_there_is_an_import_error(self):
        done = subprocess.run([sys.executable, "-c", "import evrim"], cwd=HERE, text=True,
                              env={**os.environ, "EVRIM_LIBRARY": "/no/such/library.so"}, capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ImportError: libevrim can't be loaded", done.stderr)

    def test_version(self):
        self.assertRegex(evrim.version(), r"^\d+\.\d+\.\d+$")


class Session(Case):
    def test_the_five_calls(self):
        client = Evrim(url=URL, username=USERNAME, password=PASSWORD)
        self.assertIs(client.validate_token(), True)
        first = client.tokens()
        client.refresh_token()
        second = client.tokens()
        self.assertNotEqual(first.access, second.access)
        client.set_token()
        third = client.tokens()
        self.assertNotEqual(second.access, third.access)
        self.assertNotEqual(second.refresh, third.refresh)
        self.assertGreater(third.expires_at, time.time() - 60)
        client.close()

        again = Evrim.from_token(URL, third.access)
        self.assertTrue(again.validate_token())
        self.assertIsNone(again.tokens().refresh)
        with self.assertRaises(evrim.NoRefreshTokenError):
            again.refresh_token()
        with self.assertRaises(evrim.NoCredentialsError):
            again.set_token()

    def test_the_names_of_the_original_and_those_of_the_library(self):
        pair = self.client().tokens()
        for names in (("token", "refresh"), ("access_token", "refresh_token")):
            arguments = dict(zip(names, pair[:2]))
            with Evrim.from_token(url=URL, **arguments) as client:
                client.refresh_token()
                pair = client.tokens()
        with self.assertRaises(TypeError):
            Evrim.from_token(URL, pair.access, access_token=pair.access)

    def test_validate_with_the_argument_that_the_original_demanded(self):
        client = self.client()
        self.assertTrue(client.validate_token(None))
        self.assertTrue(client.validate_token(client.access_token))
        self.assertTrue(client.validate_token(self.client().access_token))
        self.assertFalse(client.validate_token("not.a.token"))
        with self.assertRaises(EvrimError):
            client.validate_token("")
        control("POST", "revoke")
        self.assertFalse(client.validate_token())

    def test_a_revoked_token_is_renewed_by_itself(self):
        client = self.client()
        control("POST", "revoke")
        self.assertEqual(client.get("reports/1/").status, 200)

    def test_resuming_a_saved_session(self):
        pair = self.client().tokens()
        control("POST", "revoke")
        with self.assertRaises(evrim.AuthenticationError):
            Evrim.from_token(URL, pair.access, pair.refresh)
        with Evrim.from_token(URL, pair.access, pair.refresh, validate_on_start=False) as client:
            self.assertEqual(client.get("reports/1/").status, 200)

    def test_from_env(self):
        with Evrim.from_env(user_agent="tests/1") as client:
            self.assertTrue(client.validate_token())

    def test_closed(self):
        client = self.client()
        client.close()
        client.close()
        client.cancel()
        for call in (client.validate_token, client.refresh_token, client.tokens, client.clone,
                     lambda: client.get("reports/"), lambda: client.expires_at):
            with self.assertRaises(evrim.InvalidArgumentError):
                call()

    def test_secrets_are_not_shown(self):
        client = self.client()
        pair = client.tokens()
        for shown in (repr(client), repr(pair), str(pair)):
            self.assertNotIn(pair.access, shown)
            self.assertNotIn(PASSWORD, shown)


class Requests(Case):
    def test_reading_an_answer(self):
        report = self.client().get("reports/1/")
        parsed = report.json()
        self.assertEqual(report.status, 200)
        self.assertEqual(report.string("/report/title"), parsed["report"]["title"])
        self.assertEqual(report.count("/report/sections"), len(parsed["report"]["sections"]))
        self.assertEqual(report.int("/id"), 1)
        self.assertEqual(report.double("/id"), 1.0)
        self.assertEqual(json.loads(report.text), parsed)
        self.assertIn("json", report.header("content-type"))
        for nothing in (report.string("/none"), report.int("/report/title"), report.double("/none"),
                        report.bool("/none"), report.header("x-none")):
            self.assertIsNone(nothing)
        self.assertEqual(report.count("/none"), 0)

    def test_an_answer_outlives_its_client(self):
        client = self.client()
        report = client.get("reports/1/")
        client.close()
        del client
        gc.collect()
        self.assertTrue(report.string("/report/title"))

    def test_post(self):
        task = self.client().post("research/", json={
            "url": "https://example.org", "title": "Über das Eis", "description": "…", "style": "NARRATIVE",
            "tone": "ANALYTICAL", "point_of_view": "THIRD_PERSON"})
        self.assertEqual(task.status, 201)
        self.assertTrue(task.string("/task_id"))
        with self.assertRaises(TypeError):
            self.client().post("research/", b"{}", json={})

    def test_bytes(self):
        pdf = self.client().get("generate/1/pdf/")
        self.assertTrue(pdf.content.startswith(b"%PDF"))
        self.assertIn("report.pdf", pdf.header("Content-Disposition"))


    def test_query_and_headers(self):
        client = self.client(headers={"X-Kept": "1", "X-Replaced": "1"})
        echo = client.get("echo/", query={"search": "Eis & «See»", "page": 2, "tag": ["a", "b"]},
                          headers={"X-Own": "yes", "X-Replaced": "2"})
        self.assertEqual(echo.string("/query"), "search=Eis%20%26%20%C2%ABSee%C2%BB&page=2&tag=a&tag=b")
        self.assertEqual([echo.string(f"/headers/x-{name}") for name in ("own", "kept", "replaced")],
                         ["yes", "1", "2"])
        echo = client.post("echo/", json={"title": "氷"}, query={"a": "b"})
        self.assertEqual(json.loads(echo.string("/body")), {"title": "氷"})
        for refused in ({"query": {"": "x"}}, {"headers": {"Authorization": "x"}},
                        {"query": {"a": "b"}, "body": b"no JSON"}, {"body": b"no JSON"}):
            with self.assertRaises(evrim.InvalidArgumentError):
                client.request("POST", "echo/", **refused)
        with self.assertRaises(TypeError):
            client.get("echo/", query={"a": object()})

    def test_walking_an_answer(self):
        report = self.client().report(1)
        parsed = report.json()
        kind = evrim.JSONType
        for pointer, expected in (("", kind.OBJECT), ("/id", kind.INT), ("/report/title", kind.STRING),
                                  ("/report/sections", kind.ARRAY), ("/crew_run", kind.NULL),
                                  ("/none", kind.NONE)):
            self.assertIs(report.type(pointer), expected, pointer)
        self.assertEqual(report.keys("/report"), list(parsed["report"]))
        self.assertEqual(report.keys("/report/sections"), [])
        self.assertEqual(json.loads(report.json_text("/report/sections/0")), parsed["report"]["sections"][0])
        self.assertEqual(report.require_string("/report/title"), parsed["report"]["title"])
        self.assertEqual((report.require_int("/id"), report.require_double("/id")), (1, 1.0))
        for call in (report.require_string, report.require_int, report.require_double, report.require_bool,
                     report.json_text):
            with self.assertRaisesRegex(evrim.ProtocolError, "/none"):
                call("/none")


class Things(Case):
    """Reports, runs, tasks and so on by name."""

    def task(self, client):
        return client.submit_research("https://example.org/", "Eis", "Warum?").require_string("/task_id")

    def test_lists_and_items(self):
        client = self.client()
        for everything, one, name in ((client.reports, client.report, "id"), (client.runs, client.run, "id"),
                                      (client.sections, client.section, "id"),
                                      (client.paragraphs, client.paragraph, "id"),
                                      (client.tasks, client.task, "task_id")):
            first = everything().json()[0]
            self.assertEqual(one(first[name]).json(), first)
        for missing in (lambda: client.report(999999), lambda: client.run(0), lambda: client.task("none")):
            self.assertRaises(evrim.NotFoundError, missing)
        for refused in (lambda: client.report(-1), lambda: client.report(1 << 64), lambda: client.task("")):
            self.assertRaises(evrim.InvalidArgumentError, refused)
        for wrong in ("1", 1.0, None, True):
            self.assertRaises(TypeError, lambda: client.report(wrong))

    def test_research(self):
        client = self.client()
        task = client.submit_research("https://example.org/?a=ü", "Eis «1»", 'Warum "so"?', tone="CASUAL")
        sent = json.loads(control("GET", "counters")["research"][-1])
        self.assertEqual(sent, {
            "url": "https://example.org/?a=ü", "title": "Eis «1»", "description": 'Warum "so"?',
            "style": "NARRATIVE", "tone": "CASUAL", "point_of_view": "THIRD_PERSON"})
        told = []
        ended = client.wait_for_task(task.require_string("/task_id"), timeout=30, progress=told.append)
        self.assertEqual(ended.string("/status"), "C")
        self.assertEqual(told, sorted(told))
        self.assertGreater(len(told), 2)
        self.assertRaises(evrim.RequestError, lambda: client.submit_research("no URL", "", ""))

    def test_a_task_that_stays_pending(self):
        client = self.client()
        task = self.task(client)
        self.fault("GET /tasks/*", "status:200", body='{"status": "P"}')
        with self.assertRaises(evrim.TimedOutError):
            client.wait_for_task(task, timeout=0.6)
        with self.assertRaises(evrim.CancelledError):
            client.wait_for_task(task, progress=lambda seconds: False)
        for wrong in (0, -1, 1e9):
            self.assertRaises(evrim.InvalidArgumentError, lambda: client.wait_for_task(task, timeout=wrong))
        self.assertRaises(TypeError, lambda: client.wait_for_task(task, progress=3))

    def test_what_a_callback_raises_ends_the_call_and_is_raised(self):
        before = len(evrim._callbacks)
        for interruptible in (True, False):
            client = self.client(interruptible=interruptible)
            task = self.task(client)
            self.fault("GET /tasks/*", "status:200", body='{"status": "P"}')
            with self.assertRaises(ZeroDivisionError) as caught:
                client.wait_for_task(task, progress=lambda seconds: 1 / 0)
            self.assertIsNone(caught.exception.__cause__)
            with tempfile.TemporaryDirectory() as folder:
                for call in (lambda raising: client.download_report(1, folder, progress=raising),
                             lambda raising: client.download("generate/1/pdf/", folder, progress=raising),
                             lambda raising: client.download_to("generate/1/pdf/", raising)):
                    with self.assertRaises(ZeroDivisionError):
                        call(lambda *_: 1 / 0)
                    self.assertEqual(os.listdir(folder), [])
            control("DELETE", "faults")
            self.assertEqual(client.report(1).status, 200)
        self.assertEqual(len(evrim._callbacks), before)

    def test_pages(self):
        client = self.client()
        pages = list(client.pages("v0/reports/"))
        self.assertEqual([page.count("/results") for page in pages], [10, 10, 5])
        ids = [item["id"] for page in pages for item in page.json()["results"]]
        self.assertEqual(ids, list(range(1, 26)))
        second = client.pages("v0/reports/", query={"page": 2})
        self.assertEqual(next(second).int("/results/0/id"), 11)
        self.assertIsNone(client.next_page(pages[-1]))
        self.assertEqual(len(list(client.pages("runs/"))), 1)


class Downloads(Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def test_a_report(self):
        client = self.client()
        pdf = client.get("generate/1/pdf/").content
        told = []
        saved_as = client.download_report(1, self.folder, progress=lambda *how_far: told.append(how_far))
        self.assertEqual(saved_as, os.path.join(self.folder, "report.pdf"))
        self.assertEqual(self.read("report.pdf"), pdf)
        self.assertEqual(told[-1], (len(pdf), len(pdf)))
        saved_as = client.download_report(1, os.path.join(self.folder, "Eis 氷.docx"), "docx")
        self.assertEqual(os.path.basename(saved_as), "Eis 氷.docx")
        self.assertEqual(self.read("Eis 氷.docx"), client.get("generate/1/docx/").content)
        self.assertEqual(sorted(os.listdir(self.folder)), ["Eis 氷.docx", "report.pdf"])
        self.assertRaises(evrim.InvalidArgumentError, lambda: client.download_report(1, self.folder, "odt"))
        self.assertRaises(evrim.NotFoundError, lambda: client.download_report(999999, self.folder))
        self.assertRaises(evrim.LocalIOError,
                          lambda: client.download_report(1, os.path.join(self.folder, "none", "a.pdf")))

    def test_any_path_and_a_cut_connection(self):
        client = self.client()
        pdf = client.get("generate/1/pdf/").content
        self.fault("/generate/1/pdf/", "truncate:1000", times=1)
        saved_as = client.download("generate/1/pdf/", self.folder)
        self.assertEqual(self.read(saved_as), pdf)

    def test_into_a_callback(self):
        client = self.client()
        pieces, told = [], []
        client.download_to("generate/1/pdf/", pieces.append, progress=lambda *how_far: told.append(how_far))
        pdf = client.get("generate/1/pdf/").content
        self.assertEqual(b"".join(pieces), pdf)
        self.assertEqual(told[-1], (len(pdf), len(pdf)))
        self.assertRaises(evrim.CancelledError, lambda: client.download_to("generate/1/pdf/", lambda _: False))
        self.assertRaises(TypeError, lambda: client.download_to("generate/1/pdf/", None))

    def test_the_total_may_be_unknown(self):
        told = []
        self.fault("/generate/1/pdf/", "huge:100k:chunked")
        self.client().download("generate/1/pdf/", self.folder, progress=lambda *how_far: told.append(how_far))
        self.assertEqual(told[-1], (100 * 1024, None))


class Examples(Case):
    def example(self, name, *arguments):
        return subprocess.run([sys.executable, os.path.join(HERE, name), *arguments], capture_output=True,
                              timeout=60)

    def test_report(self):
        done = self.example("report.py", "1")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        printed = done.stdout.decode()
        report = self.client().report(1).json()["report"]
        self.assertTrue(printed.startswith(f"# {report['title']}\n\n{report['description']}\n\n## "))
        for section in report["sections"]:
            self.assertIn(f"\n\n## {section['title']}\n\n", printed)
            for paragraph in section["paragraphs"]:
                self.assertIn("\n\n" + " ".join(paragraph["sentences"]) + "\n\n", printed)
        self.assertEqual(self.example("report.py", "3").returncode, 0)
        missing = self.example("report.py", "999999")
        self.assertEqual((missing.returncode, missing.stdout), (1, b""))
        self.assertEqual(self.example("report.py").returncode, 1)

    def test_research(self):
        with tempfile.TemporaryDirectory() as folder:
            about = "https://example.org/", "Eis", "Warum?"
            done = self.example("research.py", *about, folder)
            saved_as = os.path.join(folder, "report.pdf")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(done.stdout.decode(), f"saved as {saved_as}\n")
            newest = self.client().reports().json()[-1]["id"]
            with open(saved_as, "rb") as file:
                self.assertEqual(file.read(), self.client().get(f"generate/{newest}/pdf/").content)
            self.fault("GET /reports/", "status:200", body="[]")
            done = self.example("research.py", *about, folder)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"no report of this task", done.stderr)


class Errors(Case):
    def raised(self, kind, call):
        with self.assertRaises(kind) as caught:
            call()
        self.assertIs(type(caught.exception), kind)
        self.assertTrue(str(caught.exception))
        return caught.exception

    def test_wrong_password(self):
        error = self.raised(evrim.AuthenticationError, lambda: Evrim(URL, USERNAME, "wrong"))
        self.assertEqual((error.status, error.http_status), (evrim.Status.AUTHENTICATION, 401))
        self.assertFalse(error.retryable)
        self.assertNotIn("wrong", str(error))

    def test_statuses(self):
        client = self.client(retries=0)
        for status, kind in ((403, evrim.PermissionDeniedError), (404, evrim.NotFoundError),
                             (409, evrim.ConflictError), (418, evrim.RequestError),
                             (500, evrim.ServerError)):
            self.fault("/reports/1/", f"status:{status}", times=1)
            error = self.raised(kind, lambda: client.get("reports/1/"))
            self.assertEqual(error.http_status, status)

    def test_what_an_error_tells(self):
        error = self.raised(evrim.NotFoundError, lambda: self.client().get("reports/404/"))
        self.assertIn(b"detail", error.body)
        self.assertTrue(error.request_id)
        self.assertIsNone(error.retry_after)
        self.assertTrue(error.may_have_been_sent)

    def test_rate_limit(self):
        self.fault("/reports/1/", "throttle:90", times=1)
        error = self.raised(evrim.RateLimitedError, lambda: self.client().get("reports/1/"))
        self.assertEqual(error.retry_after, 90)
        self.assertTrue(error.retryable)

    def test_timeout(self):
        self.fault("/reports/1/", "silent")
        error = self.raised(evrim.TimedOutError, lambda: self.client(timeout=0.3, retries=0).get("reports/1/"))
        self.assertIsInstance(error, TimeoutError)
        self.assertIsInstance(error, OSError)

    def test_no_server(self):
        error = self.raised(evrim.NetworkError,
                            lambda: Evrim("http://127.0.0.1:9/", "a", "b", retries=0, proxy=False))
        self.assertIsInstance(error, ConnectionError)
        self.assertFalse(error.may_have_been_sent)

    def test_arguments(self):
        self.raised(evrim.InvalidURLError, lambda: Evrim("ftp://x", "a", "b"))
        self.raised(evrim.InsecureURLError, lambda: Evrim("http://example.org", "a", "b"))
        self.raised(evrim.NoCredentialsError, lambda: Evrim(URL, "", ""))
        self.raised(evrim.InvalidArgumentError, lambda: Evrim(URL, USERNAME, "a\0b"))
        self.raised(evrim.InvalidArgumentError, lambda: Evrim(URL, USERNAME, "\ud800"))
        self.assertRaises(EvrimError, lambda: Evrim(None, None, None))
        with self.assertRaises(TypeError):
            Evrim(URL, 1, PASSWORD)

    def test_options_that_are_refused(self):
        for kind, options in ((evrim.InvalidArgumentError, {"timeout": 0}),
                              (evrim.InvalidArgumentError, {"timeout": -1}),
                              (evrim.InvalidArgumentError, {"timeout": 1e9}),
                              (evrim.InvalidArgumentError, {"retries": 11}),
                              (evrim.InvalidArgumentError, {"retries": 2**32}),
                              (evrim.InvalidArgumentError, {"min_tls_version": "1.1"}),
                              (evrim.InvalidArgumentError, {"headers": {"Authorization": "x"}}),
                              (evrim.LocalIOError, {"ca_file": "/no/such/file"}),
                              (evrim.LocalIOError, {"crl_file": "/no/such/file"}),
                              (evrim.TLSError, {"ca_pem": "no certificate"})):
            with self.subTest(options=options):
                error = self.raised(kind, lambda: Evrim(URL, USERNAME, PASSWORD, **options))
                self.assertIn(next(iter(options)), str(error))
        with self.assertRaises(TypeError):
            Evrim(URL, USERNAME, PASSWORD, timeouts=1)

    def test_options_that_are_taken(self):
        client = self.client(
            timeout=20, connect_timeout=5, total_timeout=60.5, system_ca=True, min_tls_version="1.2",
            proxy=False, retries=1, max_body_size=1 << 33, headers={"X-Gateway": "key"}, auto_renew=True,
            allow_insecure_http=False, validate_on_start=True, user_agent="tests/1",
            ca_file=os.environ.get("SSL_CERT_FILE") if URL.startswith("https") else None)
        self.assertTrue(client.validate_token())
        self.assertTrue(self.client(min_tls_version=ssl.TLSVersion.TLSv1_2).validate_token())

    def test_pickle(self):
        error = self.raised(evrim.NotFoundError, lambda: self.client().get("reports/404/"))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again), again.__dict__), (type(error), str(error), error.__dict__))
        self.fault("/reports/1/", "silent")
        error = self.raised(evrim.TimedOutError, lambda: self.client(timeout=0.2, retries=0).get("reports/1/"))
        self.assertEqual(pickle.loads(pickle.dumps(error)).__dict__, error.__dict__)
        for refused in (pickle.dumps, copy.deepcopy):
            with self.assertRaises(TypeError):
                refused(self.client())


class Threads(Case):
    def test_many_on_one_client(self):
        client = self.client()
        results = in_threads(8, lambda _: [client.get("reports/1/").int("/id") for _ in range(10)])
        self.assertEqual(results, [[1] * 10] * 8)

    def test_tokens_belong_together_while_they_are_replaced(self):
        pairs = []
        client = self.client(on_tokens=lambda tokens: pairs.append((tokens.access, tokens.refresh)))
        pairs.append(client.tokens()[:2])
        end = time.monotonic() + 1

        def work(number):
            seen = []
            while time.monotonic() < end:
                client.set_token() if number == 0 else seen.append(client.tokens()[:2])
            return seen

        for result in in_threads(3, work):
            self.assertNotIsInstance(result, BaseException)
            self.assertLessEqual(set(result), set(pairs))

    def test_the_interpreter_lock_is_not_held_during_a_call(self):
        self.fault("/reports/1/", "delay:500ms")
        client = self.client(interruptible=False)
        ticks, over = [], threading.Event()

        def tick():
            while not over.wait(0.01):
                ticks.append(1)

        ticker = threading.Thread(target=tick)
        ticker.start()
        client.get("reports/1/")
        over.set()
        ticker.join()
        self.assertGreater(len(ticks), 10)

    def test_cancel_ends_the_calls_of_one_client(self):
        self.fault("/reports/1/", "silent")
        self.fault("/reports/2/", "delay:1s")
        client = self.client()
        other = client.clone()

        def work(number):
            if number == 0:
                wait_for(lambda: self.running() >= 3)
                return client.cancel()
            return other.get("reports/2/").status if number == 3 else client.get("reports/1/")

        begin = time.monotonic()
        results = in_threads(4, work)
        self.assertLess(time.monotonic() - begin, 8)
        self.assertEqual(results[3], 200)
        for error in results[1:3]:
            self.assertIsInstance(error, evrim.CancelledError)
        control("DELETE", "faults")
        self.assertEqual(client.get("reports/1/").status, 200)

    def test_cancel_from_another_thread_while_the_main_thread_waits(self):
        self.fault("/reports/1/", "silent")
        client = self.client()
        threading.Timer(0.3, client.cancel).start()
        with self.assertRaises(evrim.CancelledError):
            client.get("reports/1/")
        self.assertFalse(client._running)

    def test_close_during_calls(self):
        self.fault("/reports/1/", "silent")
        client = self.client()

        def work(number):
            if number:
                return client.get("reports/1/")
            wait_for(lambda: self.running() >= 4)
            client.close()

        for error in in_threads(5, work)[1:]:
            self.assertIsInstance(error, evrim.CancelledError)

    def test_close_while_calls_begin(self):
        for _ in range(20):
            client = Evrim(URL, USERNAME, PASSWORD)
            stop = threading.Timer(0.005, client.close)
            stop.start()

            def work(_):
                while True:
                    client.validate_token()

            for error in in_threads(4, work):
                self.assertIsInstance(error, (evrim.CancelledError, evrim.InvalidArgumentError))

    def test_clone_has_its_own_options(self):
        self.fault("/reports/1/", "delay:600ms")
        client = self.client(timeout=20, retries=0)
        hasty = client.clone(timeout=0.2)
        self.addCleanup(hasty.close)
        with self.assertRaises(evrim.TimedOutError):
            hasty.get("reports/1/")
        self.assertEqual(hasty.clone(timeout=None).get("reports/1/").status, 200)
        self.assertEqual(client.get("reports/1/").status, 200)
        client.close()
        self.assertTrue(hasty.validate_token())


class Interrupts(Case):
    def setUp(self):
        super().setUp()
        # What runs in the background is started with Ctrl-C ignored.
        old = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, old)

    def interrupted(self, work, after=0.4):
        with self.assertRaises(KeyboardInterrupt):
            threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()
            begin = time.monotonic()
            work()
            self.fail("it was not interrupted")
        self.assertLess(time.monotonic() - begin, 5)

    def test_ctrl_c_ends_a_request(self):
        self.fault("/reports/1/", "silent")
        client = self.client()
        before = self.running()
        self.interrupted(lambda: client.get("reports/1/"))
        wait_for(lambda: not any(t.name == "evrim-call" for t in threading.enumerate()))
        wait_for(lambda: self.running() <= before)
        control("DELETE", "faults")
        self.assertEqual(client.get("reports/1/").status, 200)

    def test_ctrl_c_ends_a_wait_and_a_download(self):
        client = self.client()
        self.fault("GET /tasks/*", "status:200", body='{"status": "P"}')
        self.fault("/generate/1/pdf/", "drip:10:20ms")
        with tempfile.TemporaryDirectory() as folder:
            for interruptible in (True, False):
                one = client.clone(interruptible=interruptible)
                self.interrupted(lambda: one.wait_for_task("any", progress=lambda seconds: None))
                self.interrupted(lambda: one.download_report(1, folder, progress=lambda done, total: None))
                self.assertEqual(os.listdir(folder), [])

    def test_ctrl_c_leaves_other_threads_alone(self):
        self.fault("/reports/1/", "silent")
        self.fault("/reports/2/", "delay:1s")
        client = self.client()
        result = []
        other = threading.Thread(target=lambda: result.append(client.get("reports/2/").status))
        other.start()
        self.interrupted(lambda: client.get("reports/1/"))
        other.join()
        self.assertEqual(result, [200])

    def test_ctrl_c_ends_a_sign_in(self):
        self.fault("/token/", "delay:2s")
        self.interrupted(lambda: Evrim(URL, USERNAME, PASSWORD))

    def test_without_a_helper(self):
        client = self.client(interruptible=False)
        self.assertEqual(client.get("reports/1/").status, 200)
        old = signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            self.assertEqual(self.client().get("reports/1/").status, 200)
        finally:
            signal.signal(signal.SIGINT, old)


class Processes(Case):
    @staticmethod
    def in_fork(work):
        """What work() gives in a child, as an exit code."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the point
            child = os.fork()
        if child == 0:
            code = 99
            try:
                code = work()
            finally:
                os._exit(code)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise AssertionError("the child hangs")

    @unittest.skipUnless(hasattr(os, "fork"), "skipped: no fork() here")
    def test_fork(self):
        client = self.client()
        client.get("reports/1/")

        def child():
            assert client.get("reports/1/").int("/id") == 1
            client.set_token()  # a refresh could use up the refresh token that the parent has too
            client.close()
            with Evrim(URL, USERNAME, PASSWORD) as own:
                return 7 if own.validate_token() else 8

        for _ in range(3):
            self.assertEqual(self.in_fork(child), 7)
        self.assertEqual(client.get("reports/1/").status, 200)

    @unittest.skipUnless(hasattr(os, "fork"), "skipped: no fork() here")
    def test_fork_during_calls(self):
        client = self.client()
        over = threading.Event()

        def load():
            while not over.is_set():
                client.get("tasks/")

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                self.assertEqual(self.in_fork(lambda: 200 - client.get("reports/1/").status), 0)
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def test_multiprocessing(self):
        for method in multiprocessing.get_all_start_methods():
            with self.subTest(method=method), multiprocessing.get_context(method).Pool(2) as pool:
                titles = pool.map(fetch_title, [1, 2, 404])
                self.assertTrue(titles[0] and titles[1])
                self.assertIsInstance(titles[2], evrim.NotFoundError)

    def test_the_end_of_the_interpreter(self):
        script = """if 1:
            import logging, os, threading, time, evrim
            logging.basicConfig(level=logging.CRITICAL)
            class Holder: pass
            holder = Holder()
            holder.client = evrim.Evrim(os.environ["EVRIM_URL"], os.environ["EVRIM_USERNAME"],
                os.environ["EVRIM_PASSWORD"], logger="evrim", on_tokens=lambda t: holder)
            holder.itself = holder
            evrim.holder = holder
            client = holder.client.clone()
            report = client.get("reports/1/")
            {extra}
        """
        load = ("def load():\n"
                "                while True: client.get('reports/1/')\n"
                "            for _ in range(3): threading.Thread(target=load, daemon=True).start()\n"
                "            time.sleep(0.2)")
        for extra in ("pass", load, "import atexit; atexit.register(client.get, 'reports/1/')"):
            done = subprocess.run([sys.executable, "-c", script.replace("{extra}", extra)], cwd=HERE,
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""), extra)


def fetch_title(number):
    try:
        with Evrim(URL, USERNAME, PASSWORD) as client:
            return client.get(f"reports/{number}/").string("/report/title")
    except EvrimError as error:
        return error


class Callbacks(Case):
    def test_tokens(self):
        told = []
        client = self.client(on_tokens=told.append)
        self.assertEqual(told, [])
        client.refresh_token()
        self.assertEqual(told, [client.tokens()])
        control("POST", "revoke")
        client.get("reports/1/")
        self.assertEqual(told[1:], [client.tokens()])
        client.set_token()
        self.assertEqual(told[2:], [client.tokens()])

    def test_log(self):
        with self.assertLogs("evrim.test", logging.DEBUG) as logs:
            logging.getLogger("evrim.test").setLevel(logging.DEBUG)
            client = self.client(logger="evrim.test")
            pair = client.tokens()
            client.get("reports/1/")
        self.assertTrue(any(record.name == "evrim.test.request" for record in logs.records), logs.output)
        for line in logs.output:
            for secret in (PASSWORD, pair.access, pair.refresh):
                self.assertNotIn(secret, line)

    def test_calls_inside_a_callback(self):
        caught = []

        def on_tokens(tokens):
            self.assertEqual(client.access_token, tokens.access)
            try:
                client.get("reports/1/")
            except EvrimError as error:
                caught.append(error)

        client = self.client(on_tokens=on_tokens)
        client.refresh_token()
        self.assertEqual([type(error) for error in caught], [evrim.InvalidArgumentError])

    def test_close_inside_a_callback(self):
        client = self.client(on_tokens=lambda tokens: client.close())
        try:
            client.refresh_token()
        except evrim.CancelledError:
            pass
        self.assertIn("closed", repr(client))

    def test_an_exception_in_a_callback_is_reported(self):
        reported = []
        old, sys.unraisablehook = sys.unraisablehook, lambda what: reported.append(what.exc_type)
        try:
            self.client(on_tokens=lambda tokens: 1 / 0).refresh_token()
        finally:
            sys.unraisablehook = old
        self.assertEqual(reported, [ZeroDivisionError])

    def test_they_live_as_long_as_they_are_needed(self):
        gc.collect()
        before = len(evrim._callbacks)
        told = []
        client = Evrim(URL, USERNAME, PASSWORD, on_tokens=lambda tokens: told.append(tokens), logger="evrim")
        twin = client.clone(timeout=9)
        client.close()
        del client
        gc.collect()
        twin.refresh_token()
        self.assertEqual(len(told), 1)
        self.assertGreater(len(evrim._callbacks), before)
        twin.close()
        del twin
        gc.collect()
        self.assertEqual(len(evrim._callbacks), before)
        with self.assertRaises(EvrimError):
            Evrim(URL, USERNAME, "wrong", on_tokens=told.append)
        gc.collect()
        self.assertEqual(len(evrim._callbacks), before)


class Memory(Case):
    def test_handles_are_freed_without_the_collector(self):
        freed = []
        client = self.client()
        report = client.get("reports/1/")
        # _Handle has slots and so no weak references: watch what the free functions are called with
        client._handle._free = lambda pointer, free=client._handle._free: (freed.append("c"), free(pointer))
        report._handle._free = lambda pointer, free=report._handle._free: (freed.append("r"), free(pointer))
        gc.disable()
        try:
            watch = weakref.ref(report)
            del report
            self.assertIsNone(watch())
            with self.assertRaises(evrim.NotFoundError):
                client.get("reports/404/")
            client.close()
        finally:
            gc.enable()
        self.assertEqual(freed, ["r", "c"])

    def test_a_thousand_clients_and_errors(self):
        client = self.client()
        pair = client.tokens()

        def resident():
            gc.collect()
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        if not os.path.exists("/proc/self/statm"):
            self.skipTest("skipped: no /proc here")

        def work(count):
            for _ in range(count):
                Evrim.from_token(URL, pair.access, validate_on_start=False, on_tokens=print).clone(retries=1)
                try:
                    Evrim(URL, "", "")
                except EvrimError:
                    pass
                client.tokens()

        work(200)
        before = resident()
        work(1000)
        self.assertLess(resident() - before, 4 << 20)


if __name__ == "__main__":
    unittest.main()
