package evrim

// #include <evrim.h>
import "C"

import "context"

// call makes one call on a handle of its own, so that ctx ends this call and no other.
func (c *Client) call(ctx context.Context, work func(*C.evrim_client, **C.evrim_error) C.evrim_status) error {
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}
	handle, err := c.clone(nil)
	if err != nil {
		return err
	}
	defer C.evrim_free(handle)

	stop := cancelWith(ctx, c.closed, handle)
	err = check(func(failure **C.evrim_error) C.evrim_status { return work(handle, failure) })
	stop()

	failure, ok := err.(*Error)
	if !ok || failure.Status != ErrCancelled {
		return err
	}
	select {
	case <-c.closed:
		failure.cause = ErrClosed
	default:
	}
	if ctx.Err() != nil {
		failure.cause = ctx.Err()
	}
	return failure
}

// clone makes a second handle; with nil it has the options of the first.
func (c *Client) clone(options *C.evrim_options) (*C.evrim_client, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.handle == nil {
		return nil, ErrClosed
	}
	var handle *C.evrim_client
	err := check(func(failure **C.evrim_error) C.evrim_status {
		return C.evrim_clone(c.handle, options, &handle, failure)
	})
	return handle, err
}

// cancelWith ends the call on handle when ctx ends or closed is closed. stop ends that, and must be
// called before handle is freed.
//
// Whether the call has begun can't be known here; evrim_close ends it either way.
func cancelWith(ctx context.Context, closed <-chan struct{}, handle *C.evrim_client) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
		case <-ctx.Done():
			C.evrim_close(handle)
		case <-closed:
			C.evrim_close(handle)
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
