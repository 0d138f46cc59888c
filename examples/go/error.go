package evrim

// #include <evrim.h>
import "C"

import (
	"bytes"
	"context"
	"errors"
	"time"
	"unsafe"
)

// Status says what kind of failure an Error is: errors.Is(err, evrim.ErrTimeout).
type Status int32

const (
	ErrInvalidArgument Status = C.EVRIM_ERROR_INVALID_ARGUMENT
	ErrInvalidURL      Status = C.EVRIM_ERROR_INVALID_URL
	ErrInsecureURL     Status = C.EVRIM_ERROR_INSECURE_URL
	ErrNoCredentials   Status = C.EVRIM_ERROR_NO_CREDENTIALS
	ErrNoRefreshToken  Status = C.EVRIM_ERROR_NO_REFRESH_TOKEN
	ErrCancelled       Status = C.EVRIM_ERROR_CANCELLED
	ErrInternal        Status = C.EVRIM_ERROR_INTERNAL
	ErrNetwork         Status = C.EVRIM_ERROR_NETWORK
	ErrTLS             Status = C.EVRIM_ERROR_TLS
	ErrTimeout         Status = C.EVRIM_ERROR_TIMEOUT
	ErrProtocol        Status = C.EVRIM_ERROR_PROTOCOL
	ErrRedirect        Status = C.EVRIM_ERROR_REDIRECT
	ErrTooLarge        Status = C.EVRIM_ERROR_TOO_LARGE
	ErrIO              Status = C.EVRIM_ERROR_IO
	ErrAuthentication  Status = C.EVRIM_ERROR_AUTHENTICATION
	ErrPermission      Status = C.EVRIM_ERROR_PERMISSION
	ErrNotFound        Status = C.EVRIM_ERROR_NOT_FOUND
	ErrConflict        Status = C.EVRIM_ERROR_CONFLICT
	ErrRateLimited     Status = C.EVRIM_ERROR_RATE_LIMITED
	ErrRequest         Status = C.EVRIM_ERROR_REQUEST
	ErrServer          Status = C.EVRIM_ERROR_SERVER
)

// Error is the name of the status, such as "EVRIM_ERROR_TIMEOUT".
func (s Status) Error() string {
	return C.GoString(C.evrim_status_name(C.int32_t(s)))
}

// Error is what went wrong. It is Go's own: nothing in it needs to be freed.
type Error struct {
	Status          Status
	Message         string        // for people; holds no secret
	HTTPStatus      int           // 0 if there was no answer
	Code            string        // the server's own, such as "token_not_valid"
	RequestID       string        // under which the server logged the request
	RetryAfter      time.Duration // negative if the server did not say
	Retryable       bool          // the same call may succeed later
	MayHaveBeenSent bool          // the server may have acted on the request
	Body            []byte        // of the answer

	cause error
}

func (e *Error) Error() string {
	if e.cause != nil {
		return "evrim: " + e.Message + ": " + e.cause.Error()
	}
	return "evrim: " + e.Message
}

// Is tells errors.Is that an Error is the same as its Status.
func (e *Error) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == e.Status
}

// Unwrap is the error of the context that ended the call, or ErrClosed, or nil.
func (e *Error) Unwrap() error {
	return e.cause
}

// Timeout tells whether time ran out: the library's, or that of the call's context.
func (e *Error) Timeout() bool {
	return e.Status == ErrTimeout || errors.Is(e.cause, context.DeadlineExceeded)
}

// check makes a call and turns its failure into an Error.
func check(call func(**C.evrim_error) C.evrim_status) error {
	var failure *C.evrim_error
	if call(&failure) == C.EVRIM_OK {
		return nil
	}
	defer C.evrim_error_free(failure)
	e := &Error{
		Status:          Status(C.evrim_error_status(failure)),
		Message:         C.GoString(C.evrim_error_message(failure)),
		HTTPStatus:      int(C.evrim_error_http_status(failure)),
		Code:            C.GoString(C.evrim_error_server_code(failure)),
		RequestID:       C.GoString(C.evrim_error_request_id(failure)),
		RetryAfter:      -1,
		Retryable:       bool(C.evrim_error_is_retryable(failure)),
		MayHaveBeenSent: bool(C.evrim_error_may_have_been_sent(failure)),
	}
	if wait := C.evrim_error_retry_after_ms(failure); wait >= 0 {
		e.RetryAfter = time.Duration(wait) * time.Millisecond
	}
	var length C.size_t
	if body := C.evrim_error_body(failure, &length); body != nil {
		e.Body = bytes.Clone(unsafe.Slice((*byte)(body), length))
	}
	return e
}

// refused is the error of a value that never got as far as the library, or that it gave no reason for.
func refused(status Status, message string) *Error {
	return &Error{Status: status, Message: message, RetryAfter: -1}
}

// interrupted is the error of a call that its context ended before it could be made.
func interrupted(cause error) *Error {
	return &Error{Status: ErrCancelled, Message: "the call was not made to its end", RetryAfter: -1, cause: cause}
}
