package evrim

// #include <evrim.h>
import "C"

import (
	"bytes"
	"encoding/json"
	"runtime"
	"sync"
	"unsafe"
)

// Response is an answer of the server. It stays in the library's memory, where JSON is read by RFC
// 6901 pointers such as "/report/sections/0/title"; what the methods return is copied out of it and
// stays good. Close it early if it is large; the garbage collector frees it too, but does not know
// how large it is. Any number of goroutines may use one. After Close it is empty.
type Response struct {
	cleanup runtime.Cleanup

	mu     sync.RWMutex
	handle *C.evrim_response
}

func newResponse(handle *C.evrim_response) *Response {
	response := &Response{handle: handle}
	response.cleanup = runtime.AddCleanup(response,
		func(handle *C.evrim_response) { C.evrim_response_free(handle) }, handle)
	return response
}

// Close frees the response. Closing twice does no harm.
func (r *Response) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handle != nil {
		r.cleanup.Stop()
		C.evrim_response_free(r.handle)
		r.handle = nil
	}
	return nil
}

// Status is the HTTP status, such as 200.
func (r *Response) Status() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return int(C.evrim_response_status(r.handle))
}

// Header is the value of a header; "" if it is absent.
func (r *Response) Header(name string) string {
	var value string
	r.at(name, func(name *C.char) {
		value = C.GoString(C.evrim_response_header(r.handle, name))
	})
	return value
}

// Body is a copy of the body.
func (r *Response) Body() []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return bytes.Clone(r.borrowed())
}

// Decode reads the body as JSON into v, as json.Unmarshal does.
func (r *Response) Decode(v any) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return json.Unmarshal(r.borrowed(), v)
}

func (r *Response) borrowed() []byte {
	var length C.size_t
	body := C.evrim_response_body(r.handle, &length)
	return unsafe.Slice((*byte)(body), length)
}

// String is the string at a pointer.
func (r *Response) String(pointer string) (value string, ok bool) {
	r.at(pointer, func(pointer *C.char) {
		if text := C.evrim_response_string(r.handle, pointer); text != nil {
			value, ok = C.GoString(text), true
		}
	})
	return value, ok
}

// Int is the whole number at a pointer.
func (r *Response) Int(pointer string) (int64, bool) {
	var value C.int64_t
	var ok C.bool
	r.at(pointer, func(pointer *C.char) { ok = C.evrim_response_int(r.handle, pointer, &value) })
	return int64(value), bool(ok)
}

// Float is the number at a pointer.
func (r *Response) Float(pointer string) (float64, bool) {
	var value C.double
	var ok C.bool
	r.at(pointer, func(pointer *C.char) { ok = C.evrim_response_double(r.handle, pointer, &value) })
	return float64(value), bool(ok)
}

// Bool is the boolean at a pointer.
func (r *Response) Bool(pointer string) (value, ok bool) {
	var found, written C.bool
	r.at(pointer, func(pointer *C.char) { found = C.evrim_response_bool(r.handle, pointer, &written) })
	return bool(written), bool(found)
}

// Count is the number of items of the array, or of members of the object, at a pointer.
func (r *Response) Count(pointer string) int {
	var count C.size_t
	r.at(pointer, func(pointer *C.char) { count = C.evrim_response_count(r.handle, pointer) })
	return int(count)
}

// at reads something that is named by a string. Nothing has a name with a NUL in it.
func (r *Response) at(name string, read func(*C.char)) {
	var texts texts
	defer texts.free()
	text := texts.add("name", name)
	if texts.err != nil {
		return
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	read(text)
}
