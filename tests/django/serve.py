"""Start the test server, run a command against it, stop the server. Called by `run`; see there for the usage.

Exits with the command's code (128 + n if signal n ended it), or with 125 if the server could not be started.
"""

import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"

USERNAME, PASSWORD = "demo", "demo-password"
INACTIVE_USERNAME = "inactive"
FAILED = 125
LOG_LINES = 200
LIBC = ctypes.CDLL(None)  # loaded here: nothing should be loaded between fork and exec


def fail(message):
    print(f"tests/django/run: {message}", file=sys.stderr)
    sys.exit(FAILED)


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/django/run",
        usage="%(prog)s [--access-lifetime SECONDS] [--rotate] -- COMMAND ARGS...",
        description="Run COMMAND against a real Django server; EVRIM_URL and the like tell it where.",
    )
    parser.add_argument("--access-lifetime", type=int, default=300, metavar="SECONDS", help="of access tokens (300)")
    parser.add_argument("--rotate", action="store_true", help="a refresh token is good for one use")
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:split])
    options.command = given[split + 1 :]
    if not options.command:
        parser.error("no command: write it after --")
    if options.access_lifetime < 1:
        parser.error("--access-lifetime is at least 1")
    return options


def make_venv():
    """The virtual environment's Python. Each set of requirements has its own, so none is changed while in use."""
    home = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / "django-venv"
    home.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{sys.version}\n{sys.executable}\n{REQUIREMENTS.read_text()}".encode()).hexdigest()[:16]
    venv = home / key
    python, complete = venv / "bin" / "python", venv / "complete"
    if complete.exists():
        return python
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists():  # another run has just made it
            return python
        shutil.rmtree(venv, ignore_errors=True)  # what an interrupted run left
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]
        for step in [sys.executable, "-m", "venv", venv], install:
            # The step inherits the lock: if this process is killed, the lock lasts until the step ends.
            if subprocess.run(step, stdout=sys.stderr, pass_fds=[lock.fileno()]).returncode:
                fail("the virtual environment could not be made")
        complete.touch()
    return python


def make_database():
    import django
    from django.core.management import call_command

    django.setup()
    from django.contrib.auth.models import User

    call_command("migrate", verbosity=0)
    User.objects.create_user(USERNAME, password=PASSWORD)
    User.objects.create_user(INACTIVE_USERNAME, password=PASSWORD, is_active=False)
    django.db.connections.close_all()


def end_with_parent():
    """In the server's process: end even if this script is killed outright (Linux only)."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_server(log):
    """gunicorn with one process of many threads, as in production. It inherits a socket that is already bound."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-B", "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()"]
        command += ["--bind", f"fd://{listener.fileno()}", "--chdir", HERE, "--no-control-socket"]
        command += ["--worker-class", "gthread", "--workers", "1", "--threads", "64", "--keep-alive", "75"]
        command += ["--access-logfile", "-"]
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C is for the command; the server stops after it
            preexec_fn=end_with_parent,
        )
    return server, f"http://127.0.0.1:{port}/prod"


def sign_in(url):
    """The first token pair. The socket listens already, so the request simply waits until the server is up."""
    body = json.dumps({"username": USERNAME, "password": PASSWORD}).encode()
    request = urllib.request.Request(f"{url}/token/", body, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=60) as response:
        return json.load(response)


def run_command(command, environment):
    try:
        child = subprocess.Popen(command, env=environment)
    except FileNotFoundError:
        print(f"tests/django/run: {command[0]}: not found", file=sys.stderr)
        return 127
    except OSError as error:
        print(f"tests/django/run: {command[0]}: {error.strerror}", file=sys.stderr)
        return 126
    on_signals(lambda number, frame: child.send_signal(number))
    code = child.wait()
    return code if code >= 0 else 128 - code


def on_signals(handler):
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, handler)


def print_log(path):
    lines = path.read_text(errors="replace").splitlines()
    print(f"--- the server's log, last {min(len(lines), LOG_LINES)} of {len(lines)} lines", file=sys.stderr)
    print(*lines[-LOG_LINES:], sep="\n", file=sys.stderr)


def main():
    options = arguments()
    if not os.environ.pop("EVRIM_DJANGO_VENV_READY", None):
        python = make_venv()
        os.environ["EVRIM_DJANGO_VENV_READY"] = "1"
        os.execv(python, [python, "-B", __file__, *sys.argv[1:]])  # once more, now with Django

    environment = dict(os.environ)  # for the command: without the server's own settings
    on_signals(lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="evrim-django-", ignore_cleanup_errors=True) as folder:
        log_path = Path(folder) / "server.log"
        os.environ.update(
            DJANGO_SETTINGS_MODULE="settings",
            EVRIM_DJANGO_DATABASE=f"{folder}/db.sqlite3",
            EVRIM_DJANGO_ACCESS_LIFETIME=str(options.access_lifetime),
            EVRIM_DJANGO_ROTATE="1" if options.rotate else "0",
        )
        os.environ.setdefault("EVRIM_DJANGO_SECRET_KEY", secrets.token_urlsafe(48))
        server, code = None, FAILED
        try:
            make_database()
            with open(log_path, "wb") as log:
                server, url = start_server(log)
            try:
                pair = sign_in(url)
            except OSError as error:
                fail(f"the server did not start: {error}")
            environment.update(
                EVRIM_URL=url,
                EVRIM_USERNAME=USERNAME,
                EVRIM_PASSWORD=PASSWORD,
                EVRIM_TOKEN=pair["access"],
                EVRIM_REFRESH_TOKEN=pair["refresh"],
                EVRIM_SERVER="django",
            )
            code = run_command(options.command, environment)
        finally:
            on_signals(signal.SIG_IGN)
            if server:
                os.killpg(server.pid, signal.SIGKILL)  # nothing of it is kept, so nothing needs to be finished
                server.wait()
            if code != 0 and log_path.exists():
                print_log(log_path)
    return code


if __name__ == "__main__":
    sys.exit(main())
