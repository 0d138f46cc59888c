package evrim_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"example.com/evrim"
)

// soon fails the test if more time went by than a call that was ended may take.
func soon(t *testing.T, since time.Time) {
	t.Helper()
	if took := time.Since(since); took > 3*time.Second {
		t.Error("it took", took)
	}
}

func TestAContextEndsItsOwnCallOnly(t *testing.T) {
	client := newClient(t)
	fault(t, "GET /runs/", "silent")
	fault(t, "GET /reports/1/", "delay:2s", 8)

	var others sync.WaitGroup
	for range 8 {
		others.Go(func() {
			report, err := client.Request(t.Context(), "GET", "reports/1/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			report.Close()
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		running(t, 9)
		cancel()
	}()
	start := time.Now()
	_, err := client.Request(ctx, "GET", "runs/", nil)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, evrim.ErrCancelled) || errors.Is(err, evrim.ErrClosed) {
		t.Error(err)
	}
	soon(t, start)
	others.Wait()

	if _, err := client.Request(ctx, "GET", "reports/", nil); !errors.Is(err, context.Canceled) {
		t.Error("a context that has ended:", err)
	}
	if _, err := client.Request(t.Context(), "GET", "reports/", nil); err != nil {
		t.Error("the client lives on:", err)
	}
}

// However early the context ends, even before the library has begun with the call, it ends the call.
func TestAContextThatEndsAtOnce(t *testing.T) {
	client := newClient(t)
	fault(t, "GET /runs/", "silent")
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				wait := time.Duration(rand.IntN(300)) * time.Microsecond
				go func() {
					time.Sleep(wait)
					cancel()
				}()
				start := time.Now()
				if _, err := client.Request(ctx, "GET", "runs/", nil); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				soon(t, start)
			}
		})
	}
	group.Wait()
}

func TestADeadline(t *testing.T) {
	client := newClient(t)
	fault(t, "GET /runs/", "silent")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := client.Request(ctx, "GET", "runs/", nil)
	var failure *evrim.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failure) || !failure.Timeout() {
		t.Error(err)
	}
	soon(t, start)
}

func TestAContextEndsASignIn(t *testing.T) {
	url := needSandbox(t)
	fault(t, "POST /token/", "delay:9s")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := evrim.New(ctx, url, "demo", "wrong")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	soon(t, start)
	_, err = evrim.New(ctx, url, "demo", "wrong")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAContextEndsARenewalButNotTheOthers(t *testing.T) {
	client := newClient(t)
	fault(t, "POST /token/refresh/", "delay:500ms", 1)
	control(t, "POST", "revoke/", "")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := client.Request(ctx, "GET", "reports/", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("the first:", err)
		}
	})
	for range 8 {
		group.Go(func() {
			time.Sleep(20 * time.Millisecond)
			if _, err := client.Request(t.Context(), "GET", "reports/", nil); err != nil {
				t.Error("another:", err)
			}
		})
	}
	group.Wait()
}

func TestCloseEndsCalls(t *testing.T) {
	client := newClient(t)
	fault(t, "GET /runs/", "silent")
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, err := client.Request(context.Background(), "GET", "runs/", nil); !errors.Is(err, evrim.ErrClosed) {
				t.Error(err)
			}
		})
	}
	running(t, 16)
	start := time.Now()
	for range 4 {
		group.Go(func() { client.Close() })
	}
	group.Wait()
	soon(t, start)
	_, err := client.ValidateToken(t.Context())
	if !errors.Is(err, evrim.ErrClosed) || client.AccessToken() != "" || !client.TokenExpiresAt().IsZero() {
		t.Error("a closed client:", err)
	}
	if _, err := client.With(); !errors.Is(err, evrim.ErrClosed) {
		t.Error(err)
	}
}

// Close may come at any moment of a call.
func TestCloseRaces(t *testing.T) {
	for range 30 {
		client := newClient(t)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for {
					report, err := client.Request(context.Background(), "GET", "tasks/", nil)
					if err != nil {
						if !errors.Is(err, evrim.ErrClosed) {
							t.Error(err)
						}
						return
					}
					group.Go(func() { report.Body() })
					report.Close()
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond)
		client.Close()
		group.Wait()
	}
}
