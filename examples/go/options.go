package evrim

// #include "callbacks.h"
import "C"

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/cgo"
	"time"
	"unsafe"
)

// Option is a choice for a client. A value that is not possible makes the function fail that it is
// given to.
type Option struct {
	name string
	set  func(*C.evrim_options) C.evrim_status
}

// newOptions makes an options object that the caller frees.
func newOptions(options []Option) (*C.evrim_options, error) {
	set := C.evrim_options_new()
	if set == nil {
		return nil, refused(ErrIO, "there is not enough memory left")
	}
	for _, option := range options {
		if option.set == nil {
			continue
		}
		if status := Status(option.set(set)); status != C.EVRIM_OK {
			C.evrim_options_free(set)
			return nil, refused(status, fmt.Sprintf("%s can't be used: %v", option.name, status))
		}
	}
	return set, nil
}

// WithTimeout is how long one attempt may take. Default: 60 seconds.
func WithTimeout(timeout time.Duration) Option {
	return Option{"WithTimeout", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_timeout_ms(o, milliseconds(timeout))
	}}
}

// WithConnectTimeout is how long setting up a connection may take. Default: 5 seconds.
func WithConnectTimeout(timeout time.Duration) Option {
	return Option{"WithConnectTimeout", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_connect_timeout_ms(o, milliseconds(timeout))
	}}
}

// WithTotalTimeout is how long one call may take, retries and waiting included. Default: 120 seconds.
// The deadline of a context counts besides.
func WithTotalTimeout(timeout time.Duration) Option {
	return Option{"WithTotalTimeout", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_total_timeout_ms(o, milliseconds(timeout))
	}}
}

// milliseconds rounds up. What is not positive becomes 0, which the library refuses.
func milliseconds(d time.Duration) C.uint32_t {
	ms := max(d, 0) / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return C.uint32_t(min(ms, math.MaxUint32))
}

// WithCAFile trusts the authorities of a PEM file besides the system's.
func WithCAFile(path string) Option {
	return textOption("WithCAFile", path, func(o *C.evrim_options, path *C.char) C.evrim_status {
		return C.evrim_options_set_ca_file(o, path)
	})
}

// WithCRLFile refuses certificates that the revocation lists in a PEM file name, and those of whose authority
// it holds no list.
func WithCRLFile(path string) Option {
	return textOption("WithCRLFile", path, func(o *C.evrim_options, path *C.char) C.evrim_status {
		return C.evrim_options_set_crl_file(o, path)
	})
}

// WithCAPEM is the same with PEM text in memory.
func WithCAPEM(pem []byte) Option {
	return Option{"WithCAPEM", func(o *C.evrim_options) C.evrim_status {
		if len(pem) == 0 {
			return C.EVRIM_ERROR_INVALID_ARGUMENT
		}
		return C.evrim_options_set_ca_pem(o, unsafe.Pointer(&pem[0]), C.size_t(len(pem)))
	}}
}

// WithoutSystemCA trusts none but the authorities of WithCAFile or WithCAPEM.
func WithoutSystemCA() Option {
	return Option{"WithoutSystemCA", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_system_ca(o, false)
	}}
}

// WithClientCertificate shows a certificate to a server that asks for one: two PEM files.
func WithClientCertificate(certificatePath, keyPath string) Option {
	return Option{"WithClientCertificate", func(o *C.evrim_options) C.evrim_status {
		var texts texts
		defer texts.free()
		certificate, key := texts.add("certificatePath", certificatePath), texts.add("keyPath", keyPath)
		if texts.err != nil {
			return C.EVRIM_ERROR_INVALID_ARGUMENT
		}
		return C.evrim_options_set_client_certificate(o, certificate, key)
	}}
}

// WithTLS13 refuses TLS 1.2.
func WithTLS13() Option {
	return Option{"WithTLS13", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_min_tls_version(o, C.EVRIM_TLS_1_3)
	}}
}

// WithProxy sends everything through a proxy, "http://host:port"; "" is none at all. By default the
// environment decides.
func WithProxy(url string) Option {
	if url == "" {
		return Option{"WithProxy", func(o *C.evrim_options) C.evrim_status {
			return C.evrim_options_set_proxy(o, nil)
		}}
	}
	return textOption("WithProxy", url, func(o *C.evrim_options, url *C.char) C.evrim_status {
		return C.evrim_options_set_proxy(o, url)
	})
}

// WithRetries is how often a request is tried again where that is safe: 0 to 10. Default: 2.
func WithRetries(retries int) Option {
	return Option{"WithRetries", func(o *C.evrim_options) C.evrim_status {
		if retries < 0 || retries > math.MaxInt32 {
			return C.EVRIM_ERROR_INVALID_ARGUMENT
		}
		return C.evrim_options_set_retries(o, C.uint32_t(retries))
	}}
}

// WithMaxBodySize is the largest body of an answer, in bytes. Default: 64 MiB.
func WithMaxBodySize(bytes int64) Option {
	return Option{"WithMaxBodySize", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_max_body_size(o, C.uint64_t(max(bytes, 0)))
	}}
}

// WithHeader sends a header with every request.
func WithHeader(name, value string) Option {
	return Option{"WithHeader " + name, func(o *C.evrim_options) C.evrim_status {
		var texts texts
		defer texts.free()
		n, v := texts.add("name", name), texts.add("value", value)
		if texts.err != nil {
			return C.EVRIM_ERROR_INVALID_ARGUMENT
		}
		return C.evrim_options_set_header(o, n, v)
	}}
}

// WithInsecureHTTP allows plain http to other machines.
func WithInsecureHTTP() Option {
	return Option{"WithInsecureHTTP", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_allow_insecure_http(o, true)
	}}
}

// WithoutValidation makes FromToken take the access token without asking the server.
func WithoutValidation() Option {
	return Option{"WithoutValidation", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_validate_on_start(o, false)
	}}
}

// WithoutRenewal leaves renewing the tokens to RefreshToken and SetToken.
func WithoutRenewal() Option {
	return Option{"WithoutRenewal", func(o *C.evrim_options) C.evrim_status {
		return C.evrim_options_set_auto_renew(o, false)
	}}
}

// WithUserAgent names the program to the server: "my-program/1.0".
func WithUserAgent(name string) Option {
	return textOption("WithUserAgent", name, func(o *C.evrim_options, name *C.char) C.evrim_status {
		return C.evrim_options_set_user_agent(o, name)
	})
}

// WithLogger passes the library's log lines to logger, which chooses among them by their level.
func WithLogger(logger *slog.Logger) Option {
	return callbackOption("WithLogger", logger != nil, logger, func(o *C.evrim_options, h C.uintptr_t) C.evrim_status {
		return C.evrimgo_set_log(o, h)
	})
}

// WithTokens has tell called whenever the tokens were replaced, so that the session can be saved. It
// runs in the goroutine whose call led to that, and can use the client but for what asks the server.
// It must not panic: that ends the program. If it holds the client, only Close frees the client.
func WithTokens(tell func(access, refresh string, expiresAt time.Time)) Option {
	return callbackOption("WithTokens", tell != nil, tell, func(o *C.evrim_options, h C.uintptr_t) C.evrim_status {
		return C.evrimgo_set_tokens(o, h)
	})
}

// callbackOption lends value to the library, which gives it back when it needs it no more.
func callbackOption(name string, usable bool, value any,
	set func(*C.evrim_options, C.uintptr_t) C.evrim_status) Option {
	return Option{name, func(o *C.evrim_options) C.evrim_status {
		if !usable {
			return C.EVRIM_ERROR_INVALID_ARGUMENT
		}
		handle := cgo.NewHandle(value)
		status := set(o, C.uintptr_t(handle))
		if status != C.EVRIM_OK {
			handle.Delete()
		}
		return status
	}}
}

func textOption(name, text string, set func(*C.evrim_options, *C.char) C.evrim_status) Option {
	return Option{name, func(o *C.evrim_options) C.evrim_status {
		var texts texts
		defer texts.free()
		t := texts.add(name, text)
		if texts.err != nil {
			return C.EVRIM_ERROR_INVALID_ARGUMENT
		}
		return set(o, t)
	}}
}
