"""Evrim from Python: libevrim by ctypes, with the calls of the original Python client.

    from evrim import Evrim

    with Evrim(url, username, password) as client:
        print(client.report(1).string("/report/title"))

Needs Python 3.9 and the installed library, nothing else. README.md beside this file says more.

SPDX-License-Identifier: Apache-2.0 OR MIT
"""

from __future__ import annotations

import ctypes
import ctypes.util
import enum
import itertools
import json as _json
import logging
import os
import signal
import sys
import threading
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t
from ctypes import c_uint32, c_uint64, c_void_p
from typing import Any, Callable, Iterator, NamedTuple, Optional

__all__ = [
    "AuthenticationError", "CancelledError", "ConflictError", "Evrim", "EvrimError", "InsecureURLError",
    "InternalError", "InvalidArgumentError", "InvalidURLError", "JSONType", "LocalIOError", "NetworkError",
    "NoCredentialsError", "NoRefreshTokenError", "NotFoundError", "PermissionDeniedError", "ProtocolError",
    "RateLimitedError", "RedirectError", "RequestError", "Response", "ServerError", "Status", "TLSError",
    "TimedOutError", "TooLargeError", "Tokens", "version",
]


# The library ---------------------------------------------------------------------------------------------

_FUNCTIONS = {
    # name: (result, arguments); handles are void pointers here
    "evrim_version": (c_char_p, []),
    "evrim_string_free": (None, [c_void_p]),
    "evrim_status_name": (c_char_p, [c_int32]),
    "evrim_error_status": (c_int, [c_void_p]),
    "evrim_error_message": (c_char_p, [c_void_p]),
    "evrim_error_http_status": (c_int32, [c_void_p]),
    "evrim_error_server_code": (c_char_p, [c_void_p]),
    "evrim_error_request_id": (c_char_p, [c_void_p]),
    "evrim_error_retry_after_ms": (c_int64, [c_void_p]),
    "evrim_error_is_retryable": (c_bool, [c_void_p]),
    "evrim_error_may_have_been_sent": (c_bool, [c_void_p]),
    "evrim_error_body": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "evrim_error_free": (None, [c_void_p]),
    "evrim_options_new": (c_void_p, []),
    "evrim_options_free": (None, [c_void_p]),
    "evrim_options_set_timeout_ms": (c_int, [c_void_p, c_uint32]),
    "evrim_options_set_connect_timeout_ms": (c_int, [c_void_p, c_uint32]),
    "evrim_options_set_total_timeout_ms": (c_int, [c_void_p, c_uint32]),
    "evrim_options_set_ca_file": (c_int, [c_void_p, c_char_p]),
    "evrim_options_set_crl_file": (c_int, [c_void_p, c_char_p]),
    "evrim_options_set_ca_pem": (c_int, [c_void_p, c_void_p, c_size_t]),
    "evrim_options_set_system_ca": (c_int, [c_void_p, c_bool]),
    "evrim_options_set_client_certificate": (c_int, [c_void_p, c_char_p, c_char_p]),
    "evrim_options_set_min_tls_version": (c_int, [c_void_p, c_int32]),
    "evrim_options_set_proxy": (c_int, [c_void_p, c_char_p]),
    "evrim_options_set_retries": (c_int, [c_void_p, c_uint32]),
    "evrim_options_set_max_body_size": (c_int, [c_void_p, c_uint64]),
    "evrim_options_set_header": (c_int, [c_void_p, c_char_p, c_char_p]),
    "evrim_options_set_allow_insecure_http": (c_int, [c_void_p, c_bool]),
    "evrim_options_set_validate_on_start": (c_int, [c_void_p, c_bool]),
    "evrim_options_set_auto_renew": (c_int, [c_void_p, c_bool]),
    "evrim_options_set_user_agent": (c_int, [c_void_p, c_char_p]),
    "evrim_options_set_log_callback": (c_int, [c_void_p, c_int32, c_void_p, c_void_p, c_void_p]),
    "evrim_options_set_token_callback": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "evrim_new": (c_int, [c_char_p, c_char_p, c_char_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_from_token": (
        c_int, [c_char_p, c_char_p, c_char_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_from_env": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_set_token": (c_int, [c_void_p, POINTER(c_void_p)]),
    "evrim_refresh_token": (c_int, [c_void_p, POINTER(c_void_p)]),
    "evrim_validate_token": (c_int, [c_void_p, POINTER(c_bool), POINTER(c_void_p)]),
    "evrim_copy_access_token": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_copy_refresh_token": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_copy_tokens": (
        c_int, [c_void_p, POINTER(c_void_p), POINTER(c_void_p), POINTER(c_int64), POINTER(c_void_p)]),
    "evrim_token_expires_at": (c_int64, [c_void_p]),
    "evrim_copy_options": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_clone": (c_int, [c_void_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_cancel": (None, [c_void_p]),
    "evrim_close": (None, [c_void_p]),
    "evrim_free": (None, [c_void_p]),
    "evrim_request": (
        c_int, [c_void_p, c_char_p, c_char_p, c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_request_options_new": (c_void_p, []),
    "evrim_request_options_free": (None, [c_void_p]),
    "evrim_request_options_add_query": (c_int, [c_void_p, c_char_p, c_char_p]),
    "evrim_request_options_set_header": (c_int, [c_void_p, c_char_p, c_char_p]),
    "evrim_request_options_set_string": (c_int, [c_void_p, c_char_p, c_char_p]),
    "evrim_request_options_set_int": (c_int, [c_void_p, c_char_p, c_int64]),
    "evrim_request_options_set_double": (c_int, [c_void_p, c_char_p, c_double]),
    "evrim_request_options_set_bool": (c_int, [c_void_p, c_char_p, c_bool]),
    "evrim_request_options_set_json": (c_int, [c_void_p, c_char_p, c_char_p, c_size_t]),
    "evrim_request_with": (
        c_int, [c_void_p, c_char_p, c_char_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_response_status": (c_int32, [c_void_p]),
    "evrim_response_body": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "evrim_response_header": (c_char_p, [c_void_p, c_char_p]),
    "evrim_response_string": (c_char_p, [c_void_p, c_char_p]),
    "evrim_response_int": (c_bool, [c_void_p, c_char_p, POINTER(c_int64)]),
    "evrim_response_double": (c_bool, [c_void_p, c_char_p, POINTER(c_double)]),
    "evrim_response_bool": (c_bool, [c_void_p, c_char_p, POINTER(c_bool)]),
    "evrim_response_count": (c_size_t, [c_void_p, c_char_p]),
    "evrim_response_type": (c_int, [c_void_p, c_char_p]),
    "evrim_response_key": (c_char_p, [c_void_p, c_char_p, c_size_t]),
    "evrim_response_copy_json": (c_int, [c_void_p, c_char_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_response_require_string": (c_int, [c_void_p, c_char_p, POINTER(c_char_p), POINTER(c_void_p)]),
    "evrim_response_require_int": (c_int, [c_void_p, c_char_p, POINTER(c_int64), POINTER(c_void_p)]),
    "evrim_response_require_double": (c_int, [c_void_p, c_char_p, POINTER(c_double), POINTER(c_void_p)]),
    "evrim_response_require_bool": (c_int, [c_void_p, c_char_p, POINTER(c_bool), POINTER(c_void_p)]),
    "evrim_response_free": (None, [c_void_p]),
    "evrim_download": (
        c_int, [c_void_p, c_char_p, c_char_p, c_void_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_download_report": (
        c_int, [c_void_p, c_int64, c_char_p, c_char_p, c_void_p, c_void_p, POINTER(c_void_p),
                POINTER(c_void_p)]),
    "evrim_download_to": (c_int, [c_void_p, c_char_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)]),
    "evrim_submit_research": (c_int, [c_void_p] + 6 * [c_char_p] + [POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_wait_for_task": (
        c_int, [c_void_p, c_char_p, c_uint32, c_void_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_next_page": (c_int, [c_void_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "evrim_get_task": (c_int, [c_void_p, c_char_p, POINTER(c_void_p), POINTER(c_void_p)]),
    **{f"evrim_get_{name}s": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_void_p)])
       for name in ("report", "run", "section", "paragraph", "task")},
    **{f"evrim_get_{name}": (c_int, [c_void_p, c_int64, POINTER(c_void_p), POINTER(c_void_p)])
       for name in ("report", "run", "section", "paragraph")},
}


def _load() -> ctypes.CDLL:
    """EVRIM_LIBRARY, else what the linker would find, else the name that the loader knows."""
    names = [os.environ.get("EVRIM_LIBRARY")]
    if not names[0]:
        by_system = {"darwin": "libevrim.0.dylib", "win32": "evrim.dll"}
        names = [ctypes.util.find_library("evrim"), by_system.get(sys.platform, "libevrim.so.0")]
    reasons = []
    for name in filter(None, names):
        try:
            library = ctypes.CDLL(name)
            for function, (result, arguments) in _FUNCTIONS.items():
                entry = getattr(library, function)
                entry.restype, entry.argtypes = result, arguments
            return library
        except (OSError, AttributeError) as error:
            reasons.append(str(error))
    raise ImportError(
        f"libevrim can't be loaded ({'; '.join(reasons)}): install it, or name it in EVRIM_LIBRARY")


_lib = _load()


def version() -> str:
    """The version of the library that is loaded."""
    return _lib.evrim_version().decode()


# Errors --------------------------------------------------------------------------------------------------

class Status(enum.IntEnum):
    """The codes of evrim_status."""

    OK = 0
    INVALID_ARGUMENT = 1
    INVALID_URL = 2
    INSECURE_URL = 3
    NO_CREDENTIALS = 4
    NO_REFRESH_TOKEN = 5
    CANCELLED = 6
    INTERNAL = 7
    NETWORK = 20
    TLS = 21
    TIMEOUT = 22
    PROTOCOL = 23
    REDIRECT = 24
    TOO_LARGE = 25
    IO = 26
    AUTHENTICATION = 40
    PERMISSION = 41
    NOT_FOUND = 42
    CONFLICT = 43
    RATE_LIMITED = 44
    REQUEST = 45
    SERVER = 46


class EvrimError(Exception):
    """A call that failed. Catch this for all of them, or a subclass.

    status              a Status, or a plain number that this module does not know
    http_status         of the server's answer; 0 if there was none
    code                the server's own code, such as "token_not_valid", or None
    request_id          the id under which the server logged the request, or None
    retry_after         how many seconds the server asks to wait, or None
    retryable           whether the same call may succeed later
    may_have_been_sent  whether the server may have acted on the request
    body                what the server answered, or None
    """

    status: int = Status.INTERNAL
    http_status: int = 0
    code: Optional[str] = None
    request_id: Optional[str] = None
    retry_after: Optional[float] = None
    retryable: bool = False
    may_have_been_sent: bool = False
    body: Optional[bytes] = None

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message)
        self.__dict__.update(details)

    def __str__(self) -> str:
        return self.args[0] if self.args else ""


class InvalidArgumentError(EvrimError, ValueError):
    """An argument or an option is not acceptable, or a call was made where it can't be."""
    status = Status.INVALID_ARGUMENT


class InvalidURLError(InvalidArgumentError):
    """The base URL is not one of http or https."""
    status = Status.INVALID_URL


class InsecureURLError(InvalidArgumentError):
    """Plain http to another machine."""
    status = Status.INSECURE_URL


class NoCredentialsError(EvrimError):
    """Nothing to sign in with."""
    status = Status.NO_CREDENTIALS


class NoRefreshTokenError(EvrimError):
    """Nothing to renew the access token with."""
    status = Status.NO_REFRESH_TOKEN


class CancelledError(EvrimError):
    """cancel() or close() ended the call."""
    status = Status.CANCELLED


class InternalError(EvrimError):
    """A fault in the library."""
    status = Status.INTERNAL


class NetworkError(EvrimError, ConnectionError):
    """No connection, or one that ended too early."""
    status = Status.NETWORK


class TLSError(EvrimError):
    """No secure connection: a certificate that is not trusted, for example."""
    status = Status.TLS


class TimedOutError(EvrimError, TimeoutError):
    """No answer in time."""
    status = Status.TIMEOUT


class ProtocolError(EvrimError):
    """An answer that is not what the API promises."""
    status = Status.PROTOCOL


class RedirectError(EvrimError):
    """The server pointed to another place."""
    status = Status.REDIRECT


class TooLargeError(EvrimError):
    """The answer is larger than max_body_size."""
    status = Status.TOO_LARGE


class LocalIOError(EvrimError, OSError):
    """A file can't be used, or the system gives no more resources."""
    status = Status.IO


class RequestError(EvrimError):
    """The server does not accept the request: any 4xx; the subclasses are those with a meaning."""
    status = Status.REQUEST


class AuthenticationError(RequestError):
    """401: the credentials or the token are refused."""
    status = Status.AUTHENTICATION


class PermissionDeniedError(RequestError):
    """403: not for this user."""
    status = Status.PERMISSION


class NotFoundError(RequestError):
    """404: no such thing."""
    status = Status.NOT_FOUND


class ConflictError(RequestError):
    """409: at odds with the state of things."""
    status = Status.CONFLICT


class RateLimitedError(RequestError):
    """429: too many requests; see retry_after."""
    status = Status.RATE_LIMITED


class ServerError(EvrimError):
    """5xx: the server failed."""
    status = Status.SERVER


_CLASSES = {kind.status: kind for kind in (
    InvalidArgumentError, InvalidURLError, InsecureURLError, NoCredentialsError, NoRefreshTokenError,
    CancelledError, InternalError, NetworkError, TLSError, TimedOutError, ProtocolError, RedirectError,
    TooLargeError, LocalIOError, RequestError, AuthenticationError, PermissionDeniedError, NotFoundError,
    ConflictError, RateLimitedError, ServerError)}


def _known(status: int) -> int:
    return Status(status) if status in Status._value2member_map_ else status


def _text(value: Optional[bytes]) -> Optional[str]:
    return None if value is None else value.decode()


def _bytes_at(function: Any, handle: c_void_p) -> Optional[bytes]:
    length = c_size_t()
    address = function(handle, byref(length))
    return ctypes.string_at(address, length.value) if address else None


def _check(status: int, error: c_void_p) -> None:
    """Turns a failure into its exception, and frees the error."""
    if status == Status.OK:
        return
    try:
        wait = _lib.evrim_error_retry_after_ms(error)
        raise _CLASSES.get(status, EvrimError)(
            _lib.evrim_error_message(error).decode(),
            status=_known(status),
            http_status=_lib.evrim_error_http_status(error),
            code=_text(_lib.evrim_error_server_code(error)),
            request_id=_text(_lib.evrim_error_request_id(error)),
            retry_after=None if wait < 0 else wait / 1000,
            retryable=_lib.evrim_error_is_retryable(error),
            may_have_been_sent=_lib.evrim_error_may_have_been_sent(error),
            body=_bytes_at(_lib.evrim_error_body, error),
        )
    finally:
        _lib.evrim_error_free(error)


def _c_string(value: Any, name: str) -> Optional[bytes]:
    """UTF-8 for C. A NUL would silently end the string there, so it is refused here."""
    if value is None:
        return None
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    try:
        data = value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"{name} is not Unicode text") from None
    if b"\0" in data:
        raise InvalidArgumentError(f"{name} holds a NUL character")
    return data


# Callbacks -----------------------------------------------------------------------------------------------

# What C calls are these three functions, which live as long as the process; the user_data that it passes
# is a key to the Python side of the matter.
_callbacks: dict = {}
_keys = itertools.count(1)
_LOG_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


@ctypes.CFUNCTYPE(None, c_void_p, c_int32, c_char_p, c_char_p)
def _on_log(key: int, level: int, subject: bytes, message: bytes) -> None:
    logger = _callbacks[key].getChild(subject.decode(errors="replace"))
    logger.log(_LOG_LEVELS.get(level, logging.DEBUG), "%s", message.decode(errors="replace"))


@ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_char_p, c_int64)
def _on_tokens(key: int, access: bytes, refresh: Optional[bytes], expires_at: int) -> None:
    _callbacks[key](Tokens(access.decode(), _text(refresh), None if expires_at < 0 else expires_at))


@ctypes.CFUNCTYPE(None, c_void_p)
def _on_destroy(key: int, callbacks: dict = _callbacks) -> None:
    callbacks.pop(key, None)


class _Watch:
    """The callbacks of one call. What one of them raises stops the call, and is raised when it has ended."""

    def __init__(self, progress: Any, write: Any = None) -> None:
        for name, function in (("progress", progress), ("write", write)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be callable")
        self.key = next(_keys)
        self.progress = progress
        self.write = write
        self.raised: Optional[BaseException] = None
        # In C, too, where there is one in Python.
        self.c_progress = None if progress is None else ctypes.cast(_on_progress, c_void_p)
        self.c_write = None if write is None else ctypes.cast(_on_write, c_void_p)

    def told(self, function: Any, *arguments: Any) -> bool:
        """Only False stops: a function without a return statement goes on."""
        try:
            return function(*arguments) is not False
        except BaseException as error:
            self.raised = error
            return False

    def __enter__(self) -> "_Watch":
        _callbacks[self.key] = self
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        del _callbacks[self.key]
        raised, self.raised = self.raised, None
        if raised is not None and (kind is None or issubclass(kind, EvrimError)):
            raise raised from None


@ctypes.CFUNCTYPE(c_bool, c_void_p, c_uint64, c_int64)
def _on_progress(key: int, done: int, total: int) -> bool:
    watch = _callbacks[key]
    return watch.told(watch.progress, done, None if total < 0 else total)


@ctypes.CFUNCTYPE(c_bool, c_void_p, c_void_p, c_size_t)
def _on_write(key: int, address: int, length: int) -> bool:
    watch = _callbacks[key]
    return watch.told(watch.write, ctypes.string_at(address, length))


# Handles -------------------------------------------------------------------------------------------------

class _Handle:
    """Owns a pointer. Every call holds a reference to it, so that it is freed after the last one."""

    __slots__ = ("pointer", "_free")
    # Still there when Python ends and frees the last one.
    _called_by_c = (_on_log, _on_tokens, _on_destroy, _on_progress, _on_write)

    def __init__(self, pointer: c_void_p, free: Callable[[c_void_p], None]) -> None:
        self.pointer = pointer
        self._free = free

    @property
    def _as_parameter_(self) -> c_void_p:
        """What ctypes passes on where this is an argument."""
        return self.pointer

    def __del__(self) -> None:
        self._free(self.pointer)

    def __reduce__(self) -> Any:
        raise TypeError("a handle of libevrim can't be pickled or deep-copied")


def _interruptible(work: Callable[[], Any], cancel: Optional[Callable[[], None]] = None) -> Any:
    """Runs work() so that Ctrl-C ends it.

    Python runs signal handlers in the main thread only, and not while that thread is inside a C call. So
    the main thread has another one make the call, and waits where it can be interrupted. What can't be
    cancelled goes on in the background until it is done, or out of time, and its result is dropped.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    if not callable(signal.getsignal(signal.SIGINT)):
        return work()
    outcome: list = []
    done = threading.Event()

    def helper() -> None:
        try:
            outcome[:] = work(), None
        except BaseException as error:  # handed over to the main thread, whatever it is
            outcome[:] = None, error.with_traceback(None)
        finally:
            done.set()

    thread = threading.Thread(target=helper, name="evrim-call", daemon=True)
    try:
        thread.start()
        done.wait()
    except BaseException as error:
        if isinstance(error, RuntimeError) and thread.ident is None:
            done.clear()  # no more threads, or the interpreter is about to end
        else:
            if cancel is not None:
                cancel()
                done.wait()
            raise
    if not done.is_set():
        return work()
    result, error = outcome
    outcome.clear()
    if error is not None:
        try:
            raise error
        finally:
            error = None  # breaks the circle of an exception and its frame
    return result


# Options -------------------------------------------------------------------------------------------------

def _milliseconds(seconds: Any, name: str) -> int:
    return _number(round(seconds * 1000), name, 32)


def _number(value: Any, name: str, bits: int) -> int:
    """ctypes cuts off what does not fit, so it is refused here."""
    if not 0 <= value < 1 << bits:
        raise InvalidArgumentError(f"{name} is out of range")
    return int(value)


def _path(value: Any, name: str) -> Optional[bytes]:
    return _c_string(os.fspath(value), name)


def _set_callback(setter: Any, options: int, python_side: Any, *arguments: Any) -> int:
    key = next(_keys)
    _callbacks[key] = python_side
    status = setter(options, *arguments, key, ctypes.cast(_on_destroy, c_void_p))
    if status != Status.OK:
        del _callbacks[key]
    return status


def _set_log(options: int, logger: Any) -> int:
    """A logger, or its name. Its level, as it is now, decides what the library has to tell."""
    if not isinstance(logger, logging.Logger):
        logger = logging.getLogger(logger)
    wanted = logger.getEffectiveLevel()
    level = max((ours for ours, theirs in _LOG_LEVELS.items() if theirs >= wanted), default=1)
    return _set_callback(_lib.evrim_options_set_log_callback, options, logger, level,
                         ctypes.cast(_on_log, c_void_p))


def _set_on_tokens(options: int, function: Any) -> int:
    if not callable(function):
        raise TypeError("on_tokens must be callable")
    return _set_callback(_lib.evrim_options_set_token_callback, options, function,
                         ctypes.cast(_on_tokens, c_void_p))


def _set_headers(options: int, headers: Any) -> int:
    for name, value in dict(headers).items():
        status = _lib.evrim_options_set_header(
            options, _c_string(name, "headers"), _c_string(value, "headers"))
        if status != Status.OK:
            return status
    return Status.OK


def _set_min_tls(options: int, wanted: Any) -> int:
    # 1.2 and "1.3", and those of the ssl module, which are 0x0303 and 0x0304
    known = {"1.2": 12, "1.3": 13, str(0x0303): 12, str(0x0304): 13}
    name = str(int(wanted)) if isinstance(wanted, enum.IntEnum) else str(wanted)
    return _lib.evrim_options_set_min_tls_version(options, known.get(name, 0))


_SETTERS: dict = {
    "timeout": lambda o, v: _lib.evrim_options_set_timeout_ms(o, _milliseconds(v, "timeout")),
    "connect_timeout":
        lambda o, v: _lib.evrim_options_set_connect_timeout_ms(o, _milliseconds(v, "connect_timeout")),
    "total_timeout":
        lambda o, v: _lib.evrim_options_set_total_timeout_ms(o, _milliseconds(v, "total_timeout")),
    "ca_file": lambda o, v: _lib.evrim_options_set_ca_file(o, _path(v, "ca_file")),
    "crl_file": lambda o, v: _lib.evrim_options_set_crl_file(o, _path(v, "crl_file")),
    "ca_pem": lambda o, v: _lib.evrim_options_set_ca_pem(o, _as_bytes(v), len(_as_bytes(v))),
    "system_ca": lambda o, v: _lib.evrim_options_set_system_ca(o, v),
    "client_certificate": lambda o, v: _lib.evrim_options_set_client_certificate(
        o, _path(v[0], "client_certificate"), _path(v[1], "client_certificate")),
    "min_tls_version": _set_min_tls,
    "proxy": lambda o, v: _lib.evrim_options_set_proxy(o, _c_string(v or None, "proxy")),
    "retries": lambda o, v: _lib.evrim_options_set_retries(o, _number(v, "retries", 32)),
    "max_body_size": lambda o, v: _lib.evrim_options_set_max_body_size(o, _number(v, "max_body_size", 64)),
    "headers": _set_headers,
    "allow_insecure_http": lambda o, v: _lib.evrim_options_set_allow_insecure_http(o, v),
    "validate_on_start": lambda o, v: _lib.evrim_options_set_validate_on_start(o, v),
    "auto_renew": lambda o, v: _lib.evrim_options_set_auto_renew(o, v),
    "user_agent": lambda o, v: _lib.evrim_options_set_user_agent(o, _c_string(v, "user_agent")),
    "logger": _set_log,
    "on_tokens": _set_on_tokens,
}


def _as_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _options(given: dict) -> _Handle:
    """The C options for these keyword arguments. An argument that is None is as if it were not there."""
    for name in given.keys() - _SETTERS.keys():
        raise TypeError(f"there is no option {name!r}; there are {', '.join(sorted(_SETTERS))}")
    pointer = _lib.evrim_options_new()
    if not pointer:
        raise MemoryError("no memory for options")
    options = _Handle(c_void_p(pointer), _lib.evrim_options_free)
    for name, value in given.items():
        status = Status.OK if value is None else _SETTERS[name](options.pointer, value)
        if status != Status.OK:
            called = _lib.evrim_status_name(status).decode()
            raise _CLASSES.get(status, EvrimError)(
                f"the option {name} is refused ({called})", status=_known(status))
    return options


# The client ----------------------------------------------------------------------------------------------

class Tokens(NamedTuple):
    """A pair of tokens. `refresh` may be None; so may `expires_at`, which is in seconds since 1970."""

    access: str
    refresh: Optional[str]
    expires_at: Optional[int]

    def __repr__(self) -> str:
        return f"Tokens(expires_at={self.expires_at})"


class JSONType(enum.IntEnum):
    """The kinds of JSON values, of evrim_json_type."""

    NONE = 0
    NULL = 1
    BOOL = 2
    INT = 3
    DOUBLE = 4
    STRING = 5
    ARRAY = 6
    OBJECT = 7


class Response:
    """An answer of the server; any number of threads may read it.

    Pointers are those of RFC 6901, such as "/report/sections/0/title"; "" is the whole document.
    """

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        return f"<Response {self.status}>"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _lib.evrim_response_status(self._handle.pointer)

    @property
    def content(self) -> bytes:
        """The body."""
        return _bytes_at(_lib.evrim_response_body, self._handle.pointer) or b""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """The body as Python's dicts, lists and so on; json.JSONDecodeError if it is not JSON."""
        return _json.loads(self.content)

    def header(self, name: str) -> Optional[str]:
        """A header, or None."""
        value = _lib.evrim_response_header(self._handle.pointer, _c_string(name, "name"))
        return None if value is None else value.decode(errors="replace")

    def string(self, pointer: str) -> Optional[str]:
        """The string at a pointer, or None."""
        return _text(_lib.evrim_response_string(self._handle.pointer, _c_string(pointer, "pointer")))

    def int(self, pointer: str) -> Optional[int]:
        """The whole number at a pointer, or None."""
        return self._value(_lib.evrim_response_int, pointer, c_int64())

    def double(self, pointer: str) -> Optional[float]:
        """The number at a pointer, or None."""
        return self._value(_lib.evrim_response_double, pointer, c_double())

    def bool(self, pointer: str) -> Optional[bool]:
        """The boolean at a pointer, or None."""
        return self._value(_lib.evrim_response_bool, pointer, c_bool())

    def require_string(self, pointer: str) -> str:
        """The string at a pointer; ProtocolError if there is none. The same for the three below."""
        return self._required(_lib.evrim_response_require_string, pointer, c_char_p()).decode()

    def require_int(self, pointer: str) -> int:
        """The whole number at a pointer."""
        return self._required(_lib.evrim_response_require_int, pointer, c_int64())

    def require_double(self, pointer: str) -> float:
        """The number at a pointer."""
        return self._required(_lib.evrim_response_require_double, pointer, c_double())

    def require_bool(self, pointer: str) -> bool:
        """The boolean at a pointer."""
        return self._required(_lib.evrim_response_require_bool, pointer, c_bool())

    def type(self, pointer: str) -> JSONType:
        """What kind of value is at a pointer; JSONType.NONE if there is none."""
        return JSONType(_lib.evrim_response_type(self._handle.pointer, _c_string(pointer, "pointer")))

    def keys(self, pointer: str) -> list:
        """The names of the members of the object at a pointer, in the server's order."""
        where = _c_string(pointer, "pointer")
        if self.type(pointer) != JSONType.OBJECT:
            return []
        keys = (_lib.evrim_response_key(self._handle.pointer, where, i) for i in range(self.count(pointer)))
        return [key.decode() for key in keys if key is not None]

    def json_text(self, pointer: str) -> str:
        """The value at a pointer as JSON, exactly as the server wrote it; ProtocolError if there is none."""
        text, error = c_void_p(), c_void_p()
        _check(_lib.evrim_response_copy_json(
            self._handle.pointer, _c_string(pointer, "pointer"), byref(text), byref(error)), error)
        return _taken(text) or ""

    def count(self, pointer: str) -> int:
        """How many items or members there are at a pointer; 0 if it is neither an array nor an object."""
        return _lib.evrim_response_count(self._handle.pointer, _c_string(pointer, "pointer"))

    def _value(self, function: Any, pointer: str, value: Any) -> Any:
        found = function(self._handle.pointer, _c_string(pointer, "pointer"), byref(value))
        return value.value if found else None

    def _required(self, function: Any, pointer: str, value: Any) -> Any:
        error = c_void_p()
        _check(function(self._handle.pointer, _c_string(pointer, "pointer"), byref(value), byref(error)), error)
        return value.value


class Evrim:
    """A session with the server. Any number of threads may use one.

    Keyword arguments are the library's options; what is left out, or None, has the library's default:

    timeout, connect_timeout, total_timeout   seconds: one attempt, one connection, one call in all
    ca_file, ca_pem, system_ca                whom to trust: a path, PEM text, and whether the system's too
    crl_file                                  a path: revocation lists; who is on them is refused
    client_certificate                        (path of the certificate, path of its key)
    min_tls_version                           "1.2", "1.3", or of ssl.TLSVersion
    proxy                                     a URL; False for none, whatever the environment says
    retries, max_body_size                    a number; bytes
    headers, user_agent                       a dict; "my-program/1.0"
    allow_insecure_http, validate_on_start, auto_renew   True or False
    logger                                    a logging.Logger or its name; its level is read once, here
    on_tokens                                 called with Tokens when they were replaced

    Callbacks run in the thread that makes the call, or in a helper of the main thread, and may not make
    calls that wait for the server. `interruptible=False` does without the helper: then Ctrl-C is seen
    only after the call. Waiting and downloading always have the helper.
    """

    def __init__(self, url: str, username: str, password: str, *, interruptible: bool = True,
                 **options: Any) -> None:
        self._open(url, options, interruptible, _lib.evrim_new, _c_string(url, "url"),
                   _c_string(username, "username"), _c_string(password, "password"))

    @classmethod
    def from_token(cls, url: str, token: Optional[str] = None, refresh: Optional[str] = None, *,
                   access_token: Optional[str] = None, refresh_token: Optional[str] = None,
                   interruptible: bool = True, **options: Any) -> "Evrim":
        """A client from an existing token, which the server is asked about unless validate_on_start=False.

        access_token and refresh_token are other names for token and refresh.
        """
        if None not in (token, access_token) or None not in (refresh, refresh_token):
            raise TypeError("the same token is given under two names")
        token = access_token if token is None else token
        refresh = refresh_token if refresh is None else refresh
        client = cls.__new__(cls)
        client._open(url, options, interruptible, _lib.evrim_from_token, _c_string(url, "url"),
                     _c_string(token, "token"), _c_string(refresh, "refresh"))
        return client

    @classmethod
    def from_env(cls, *, interruptible: bool = True, **options: Any) -> "Evrim":
        """A client from EVRIM_URL and EVRIM_USERNAME with EVRIM_PASSWORD, or EVRIM_TOKEN, or
        EVRIM_API_TOKEN."""
        client = cls.__new__(cls)
        client._open(os.environ.get("EVRIM_URL"), options, interruptible, _lib.evrim_from_env)
        return client

    def _open(self, url: Optional[str], options: dict, interruptible: bool, make: Any,
              *arguments: Any) -> None:
        self._url = url
        self._given = options
        self._wrap = _interruptible if interruptible else _directly
        self._running: set = set()
        c_options = _options(options)

        def work() -> _Handle:
            client, error = c_void_p(), c_void_p()
            _check(make(*arguments, c_options.pointer, byref(client), byref(error)), error)
            return _Handle(client, _lib.evrim_free)

        self._handle: Optional[_Handle] = self._wrap(work)

    # Tokens

    def validate_token(self, token: Optional[str] = None) -> bool:
        """Whether the server accepts the access token. That it can't be asked is an error, not False.

        The original demanded an argument, so one is accepted. None, and the session's own token, ask the
        same; about any other token the server is asked as well, and the answer is about that one.
        """
        if token is not None and token != self.access_token:
            if not self._url:
                raise InvalidArgumentError("the URL of this client is not known")
            options = {**self._given, "validate_on_start": True, "on_tokens": None}
            try:
                Evrim.from_token(self._url, token, **options).close()
            except AuthenticationError:
                return False
            return True
        valid = c_bool()
        return self._call(_lib.evrim_validate_token, byref(valid), then=lambda: valid.value)

    def set_token(self) -> None:
        """Signs in again with the user name and password, and replaces both tokens."""
        self._call(_lib.evrim_set_token)

    def refresh_token(self) -> None:
        """Buys a new access token with the refresh token. Requests do so by themselves when it is time."""
        self._call(_lib.evrim_refresh_token)

    @property
    def access_token(self) -> str:
        """A copy of the access token."""
        return self._copy(_lib.evrim_copy_access_token) or ""

    @property
    def expires_at(self) -> Optional[int]:
        """When the access token ends, in seconds since 1970; None if it does not say."""
        handle = self._open_handle()
        seconds = _lib.evrim_token_expires_at(handle.pointer)
        return None if seconds < 0 else seconds

    def tokens(self) -> Tokens:
        """Copies of both tokens that belong together, to save the session with."""
        handle = self._open_handle()
        access, refresh, end, error = c_void_p(), c_void_p(), c_int64(), c_void_p()
        _check(_lib.evrim_copy_tokens(
            handle.pointer, byref(access), byref(refresh), byref(end), byref(error)), error)
        return Tokens(_taken(access) or "", _taken(refresh), None if end.value < 0 else end.value)

    def _copy(self, function: Any) -> Optional[str]:
        handle = self._open_handle()
        string, error = c_void_p(), c_void_p()
        _check(function(handle.pointer, byref(string), byref(error)), error)
        return _taken(string)

    # Requests

    def request(self, method: str, path: str, body: Any = None, *, json: Any = None,
                query: Optional[dict] = None, headers: Optional[dict] = None) -> Response:
        """Sends a request with a valid token: `body` as it is, which is JSON, or `json` made into it.

        `query` and `headers` are dicts of strings. A list in `query` stands for a name that comes again; a
        header replaces one of the same name that the client has.
        """
        if json is not None:
            if body is not None:
                raise TypeError("either body or json")
            body = _json.dumps(json)
        data = None if body is None else _as_bytes(body)
        if query or headers:
            options = _request_options(query or {}, headers or {}, data)
            return self._ask(_lib.evrim_request_with, _c_string(method, "method"), _c_string(path, "path"),
                             options)
        return self._ask(_lib.evrim_request, _c_string(method, "method"), _c_string(path, "path"), data,
                         len(data or b""))

    def get(self, path: str, **more: Any) -> Response:
        """A GET: client.get("reports/1/").json()"""
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Response:
        """A POST."""
        return self.request("POST", path, body, **more)

    def _ask(self, function: Any, *arguments: Any, watch: Optional[_Watch] = None) -> Response:
        response = c_void_p()
        return self._call(function, *arguments, byref(response), then=lambda: _response(response), watch=watch)

    # Evrim's own things

    def reports(self) -> Response:
        """All reports: an array. The lists below are arrays as well."""
        return self._ask(_lib.evrim_get_reports)

    def report(self, id: int) -> Response:
        """One report; NotFoundError if there is none. The same below."""
        return self._ask(_lib.evrim_get_report, _id(id))

    def runs(self) -> Response:
        """All runs."""
        return self._ask(_lib.evrim_get_runs)

    def run(self, id: int) -> Response:
        """One run."""
        return self._ask(_lib.evrim_get_run, _id(id))

    def sections(self) -> Response:
        """All sections."""
        return self._ask(_lib.evrim_get_sections)

    def section(self, id: int) -> Response:
        """One section."""
        return self._ask(_lib.evrim_get_section, _id(id))

    def paragraphs(self) -> Response:
        """All paragraphs."""
        return self._ask(_lib.evrim_get_paragraphs)

    def paragraph(self, id: int) -> Response:
        """One paragraph."""
        return self._ask(_lib.evrim_get_paragraph, _id(id))

    def tasks(self) -> Response:
        """All tasks."""
        return self._ask(_lib.evrim_get_tasks)

    def task(self, task_id: str) -> Response:
        """One task: its /status is "P" while it is pending, and "C" when it is complete."""
        return self._ask(_lib.evrim_get_task, _c_string(task_id, "task_id"))

    def submit_research(self, url: str, title: str, description: str, *, style: Optional[str] = None,
                        tone: Optional[str] = None, point_of_view: Optional[str] = None) -> Response:
        """Starts a piece of research; the answer is its task, with its /task_id. None stands for
        "NARRATIVE", "ANALYTICAL" and "THIRD_PERSON"."""
        return self._ask(_lib.evrim_submit_research, _c_string(url, "url"), _c_string(title, "title"),
                         _c_string(description, "description"), _c_string(style, "style"),
                         _c_string(tone, "tone"), _c_string(point_of_view, "point_of_view"))

    def wait_for_task(self, task_id: str, timeout: float = 600, progress: Any = None) -> Response:
        """Waits until a task is no longer pending, at most `timeout` seconds, and gives the task.

        `progress(seconds)` is called about four times a second. If it returns False, or raises, the wait
        ends: with CancelledError, or what was raised.
        """
        tell = None if progress is None else lambda done, _: progress(done / 1000)
        with _Watch(tell) as watch:
            return self._ask(_lib.evrim_wait_for_task, _c_string(task_id, "task_id"),
                             _milliseconds(timeout, "timeout"), watch.c_progress, watch.key, watch=watch)

    def download(self, path: str, destination: Any, progress: Any = None) -> str:
        """Saves what is at `path` in a file, or in a folder under the name that the server proposes; the
        file is there when it is whole. Returns where it is.

        `progress(bytes, total)` is called at most ten times a second; the total is None if it is unknown.
        If it returns False, or raises, the download ends: with CancelledError, or what was raised.
        """
        return self._save(progress, _lib.evrim_download, _c_string(path, "path"),
                          _path(destination, "destination"))

    def download_report(self, id: int, destination: Any = ".", format: str = "pdf",
                        progress: Any = None) -> str:
        """Saves a report as a document, "pdf" or "docx"; like download()."""
        return self._save(progress, _lib.evrim_download_report, _id(id), _c_string(format, "format"),
                          _path(destination, "destination"))

    def download_to(self, path: str, write: Any, progress: Any = None) -> None:
        """Hands what is at `path` to write(bytes) in pieces; like download()."""
        if write is None:
            raise TypeError("write must be callable")
        with _Watch(progress, write) as watch:
            self._call(_lib.evrim_download_to, _c_string(path, "path"), watch.c_write, watch.c_progress,
                       watch.key, watch=watch)

    def _save(self, progress: Any, function: Any, *arguments: Any) -> str:
        saved_as = c_void_p()
        with _Watch(progress) as watch:
            return self._call(function, *arguments, watch.c_progress, watch.key, byref(saved_as),
                              then=lambda: _taken(saved_as), watch=watch)

    def next_page(self, page: Response) -> Optional[Response]:
        """The page after this one of a list that comes in pages; None after the last."""
        following = c_void_p()
        return self._call(_lib.evrim_next_page, page._handle, byref(following),
                          then=lambda: _response(following) if following else None)

    def pages(self, path: str, **more: Any) -> Iterator[Response]:
        """All pages of a list, each asked for when it is its turn. The arguments are those of get()."""
        page: Optional[Response] = self.get(path, **more)
        while page is not None:
            yield page
            page = self.next_page(page)

    # Handles

    def clone(self, **changes: Any) -> "Evrim":
        """A second client on the same session, with its own options and its own cancel(). Options that
        are not given are those of this client; None gives one back its default, but for callbacks."""
        options = {**self._given, **changes}
        interruptible = options.pop("interruptible", self._wrap is _interruptible)
        handle = self._open_handle()
        twin = type(self).__new__(type(self))
        twin._url, twin._given, twin._running = self._url, options, set()
        twin._wrap = _interruptible if interruptible else _directly
        twin._handle = _clone(handle, _options(options) if changes else None)
        return twin

    def cancel(self) -> None:
        """Ends the calls that are running on this client, in any thread, with CancelledError."""
        self._cancel(self._handle)

    def close(self) -> None:
        """Cancels, and lets go of the session. The tokens stay valid on the server."""
        handle, self._handle = self._handle, None
        self._cancel(handle)

    def _cancel(self, handle: Optional[_Handle]) -> None:
        for running in ([handle] if handle else []) + list(self._running):
            _lib.evrim_cancel(running.pointer)

    def __enter__(self) -> "Evrim":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Evrim {self._url}{'' if self._handle else ', closed'}>"

    def _open_handle(self) -> _Handle:
        handle = self._handle
        if handle is None:
            raise InvalidArgumentError("this client is closed")
        return handle

    def _call(self, function: Any, *arguments: Any, then: Callable[[], Any] = lambda: None,
              watch: Optional[_Watch] = None) -> Any:
        handle = self._open_handle()
        # A signal handler that raises would do so inside the callback, where C can't hear of it.
        wrap = self._wrap if watch is None else _interruptible
        if wrap is _interruptible and threading.current_thread() is threading.main_thread():
            handle = _clone(handle, None)  # so that Ctrl-C ends this call and no other thread's
            self._running.add(handle)

        def work() -> Any:
            error = c_void_p()
            _check(function(handle.pointer, *arguments, byref(error)), error)
            return then()

        try:
            return wrap(work, lambda: _lib.evrim_close(handle.pointer))
        finally:
            self._running.discard(handle)


def _response(pointer: c_void_p) -> Response:
    return Response(_Handle(pointer, _lib.evrim_response_free))


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"an id must be an int, not {type(value).__name__}")
    if not -1 << 63 <= value < 1 << 63:
        raise InvalidArgumentError(f"{value} is no id")
    return value


def _request_options(query: dict, headers: dict, body: Optional[bytes]) -> _Handle:
    pointer = _lib.evrim_request_options_new()
    if not pointer:
        raise MemoryError("no memory for request options")
    options = _Handle(c_void_p(pointer), _lib.evrim_request_options_free)

    def check(status: int, what: str) -> None:
        if status != Status.OK:
            raise _CLASSES.get(status, EvrimError)(f"{what} is refused", status=_known(status))

    for name, values in query.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            check(_lib.evrim_request_options_add_query(
                pointer, _c_string(name, "query"), _c_string(_as_text(value), "query")),
                f"the parameter {name!r}")
    for name, value in headers.items():
        check(_lib.evrim_request_options_set_header(
            pointer, _c_string(name, "headers"), _c_string(value, "headers")), f"the header {name!r}")
    if body is not None:
        check(_lib.evrim_request_options_set_json(pointer, b"", body, len(body)), "a body that is not JSON")
    return options


def _as_text(value: Any) -> Any:
    """Numbers may stand in a query as they are."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _taken(string: c_void_p) -> Optional[str]:
    """A string of the library's, which is wiped and freed; None for NULL."""
    if not string:
        return None
    try:
        return ctypes.string_at(string).decode()
    finally:
        _lib.evrim_string_free(string)


def _clone(handle: _Handle, options: Optional[_Handle]) -> _Handle:
    clone, error = c_void_p(), c_void_p()
    _check(_lib.evrim_clone(
        handle.pointer, options and options.pointer, byref(clone), byref(error)), error)
    return _Handle(clone, _lib.evrim_free)


def _directly(work: Callable[[], Any], cancel: Optional[Callable[[], None]] = None) -> Any:
    return work()
