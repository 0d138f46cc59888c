// Package evrim is a client of the Evrim research service, on top of libevrim.
//
//	client, err := evrim.New(ctx, url, username, password)
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	report, err := client.Request(ctx, "GET", "reports/1/", nil)
//
// Every request carries a valid token; the library renews it when it is time. A call occupies one
// thread of the operating system until it ends.
package evrim

/*
#cgo pkg-config: evrim
#include <evrim.h>
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
	"unsafe"
)

// ErrClosed is the error of calls on a client that is closed, and of those that Close ended.
var ErrClosed = errors.New("evrim: the client is closed")

// Client is a session with the server. Any number of goroutines may use it at once. Close it when it
// is needed no more; one that is forgotten is freed by the garbage collector.
type Client struct {
	options []Option
	closed  chan struct{}
	cleanup runtime.Cleanup

	mu     sync.RWMutex // held while handle is read, never during I/O
	handle *C.evrim_client
}

// Version is that of the library that is loaded, such as "0.1.0".
func Version() string {
	return C.GoString(C.evrim_version())
}

// New signs in with a user name and a password.
//
// When ctx ends first, New returns at once and what comes of the sign-in is thrown away.
func New(ctx context.Context, url, username, password string, options ...Option) (*Client, error) {
	return open(ctx, options, func(set *C.evrim_options, client **C.evrim_client) error {
		var texts texts
		defer texts.free()
		u, n, p := texts.add("url", url), texts.add("username", username), texts.add("password", password)
		if texts.err != nil {
			return texts.err
		}
		return check(func(failure **C.evrim_error) C.evrim_status {
			return C.evrim_new(u, n, p, set, client, failure)
		})
	})
}

// FromToken starts from an existing token. Without a refresh token, "", the access token can't be
// renewed. To resume a saved session, add WithoutValidation.
func FromToken(ctx context.Context, url, access, refresh string, options ...Option) (*Client, error) {
	return open(ctx, options, func(set *C.evrim_options, client **C.evrim_client) error {
		var texts texts
		defer texts.free()
		u, a := texts.add("url", url), texts.add("access", access)
		var r *C.char
		if refresh != "" {
			r = texts.add("refresh", refresh)
		}
		if texts.err != nil {
			return texts.err
		}
		return check(func(failure **C.evrim_error) C.evrim_status {
			return C.evrim_from_token(u, a, r, set, client, failure)
		})
	})
}

// FromEnv goes by EVRIM_URL with EVRIM_USERNAME and EVRIM_PASSWORD, or EVRIM_TOKEN and
// EVRIM_REFRESH_TOKEN, or EVRIM_API_TOKEN. Don't call os.Setenv meanwhile.
func FromEnv(ctx context.Context, options ...Option) (*Client, error) {
	return open(ctx, options, func(set *C.evrim_options, client **C.evrim_client) error {
		return check(func(failure **C.evrim_error) C.evrim_status {
			return C.evrim_from_env(set, client, failure)
		})
	})
}

// open makes a client. There is no handle yet that could be cancelled, so when ctx ends, the call is
// left behind to end by itself.
func open(ctx context.Context, options []Option,
	begin func(*C.evrim_options, **C.evrim_client) error) (*Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, interrupted(err)
	}
	set, err := newOptions(options)
	if err != nil {
		return nil, err
	}
	type result struct {
		client *Client
		err    error
	}
	results := make(chan result, 1)
	go func() {
		defer C.evrim_options_free(set)
		var handle *C.evrim_client
		if err := begin(set, &handle); err != nil {
			results <- result{err: err}
			return
		}
		results <- result{client: newClient(handle, options)}
	}()
	select {
	case made := <-results:
		return made.client, made.err
	case <-ctx.Done():
		go func() {
			if late := <-results; late.client != nil {
				late.client.Close()
			}
		}()
		return nil, interrupted(ctx.Err())
	}
}

func newClient(handle *C.evrim_client, options []Option) *Client {
	client := &Client{options: slices.Clone(options), closed: make(chan struct{}), handle: handle}
	client.cleanup = runtime.AddCleanup(client, func(handle *C.evrim_client) { C.evrim_free(handle) }, handle)
	return client
}

// Close frees the client and ends its calls, which return ErrClosed; it does not wait for them. The
// tokens stay valid on the server. Closing twice does no harm.
func (c *Client) Close() error {
	c.mu.Lock()
	handle := c.handle
	c.handle = nil
	c.mu.Unlock()
	if handle != nil {
		c.cleanup.Stop()
		close(c.closed)
		C.evrim_free(handle)
	}
	return nil
}

// With makes a second client on the same session, with further options besides those of this one.
// Each of the two is closed by itself.
func (c *Client) With(options ...Option) (*Client, error) {
	options = slices.Concat(c.options, options)
	set, err := newOptions(options)
	if err != nil {
		return nil, err
	}
	defer C.evrim_options_free(set)
	handle, err := c.clone(set)
	if err != nil {
		return nil, err
	}
	return newClient(handle, options), nil
}

// Request sends a request and waits for the answer. The path is appended to the base URL; a body is
// sent as application/json, and nil is none. A status that is not 2xx is an error.
func (c *Client) Request(ctx context.Context, method, path string, body []byte) (*Response, error) {
	var texts texts
	defer texts.free()
	m, p := texts.add("method", method), texts.add("path", path)
	if texts.err != nil {
		return nil, texts.err
	}
	var response *C.evrim_response
	err := c.call(ctx, func(handle *C.evrim_client, failure **C.evrim_error) C.evrim_status {
		if len(body) == 0 {
			return C.evrim_request(handle, m, p, nil, 0, &response, failure)
		}
		return C.evrim_request(handle, m, p, unsafe.Pointer(&body[0]), C.size_t(len(body)), &response, failure)
	})
	if err != nil {
		return nil, err
	}
	return newResponse(response), nil
}

// ValidateToken asks the server whether it accepts the access token. A token that is refused is no
// error; a server that can't be asked is one.
func (c *Client) ValidateToken(ctx context.Context) (bool, error) {
	var valid C.bool
	err := c.call(ctx, func(handle *C.evrim_client, failure **C.evrim_error) C.evrim_status {
		return C.evrim_validate_token(handle, &valid, failure)
	})
	return bool(valid), err
}

// RefreshToken buys a new access token with the refresh token. Requests do that by themselves.
func (c *Client) RefreshToken(ctx context.Context) error {
	return c.call(ctx, func(handle *C.evrim_client, failure **C.evrim_error) C.evrim_status {
		return C.evrim_refresh_token(handle, failure)
	})
}

// SetToken signs in again and replaces both tokens.
func (c *Client) SetToken(ctx context.Context) error {
	return c.call(ctx, func(handle *C.evrim_client, failure **C.evrim_error) C.evrim_status {
		return C.evrim_set_token(handle, failure)
	})
}

// AccessToken is the one in use now; "" if the client is closed. The copy is Go's, and is not wiped.
func (c *Client) AccessToken() string {
	return c.token(func(handle *C.evrim_client, token **C.char) C.evrim_status {
		return C.evrim_copy_access_token(handle, token, nil)
	})
}

// CurrentRefreshToken is the one in use now; "" if there is none or the client is closed.
func (c *Client) CurrentRefreshToken() string {
	return c.token(func(handle *C.evrim_client, token **C.char) C.evrim_status {
		return C.evrim_copy_refresh_token(handle, token, nil)
	})
}

func (c *Client) token(copy func(*C.evrim_client, **C.char) C.evrim_status) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var token *C.char
	if c.handle == nil || copy(c.handle, &token) != C.EVRIM_OK {
		return ""
	}
	defer C.evrim_string_free(token)
	return C.GoString(token)
}

// TokenExpiresAt is the end of the access token by the server's clock; zero if that is not known.
func (c *Client) TokenExpiresAt() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return unixTime(C.evrim_token_expires_at(c.handle))
}

func unixTime(seconds C.int64_t) time.Time {
	if seconds < 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}
