package evrim_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/evrim"
)

func TestTheTokensAreTold(t *testing.T) {
	type told struct {
		access, refresh string
		end             time.Time
	}
	var heard []told
	client := newClient(t, evrim.WithTokens(func(access, refresh string, end time.Time) {
		heard = append(heard, told{access, refresh, end})
	}))
	if err := client.RefreshToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.SetToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := told{client.AccessToken(), client.CurrentRefreshToken(), client.TokenExpiresAt()}
	if len(heard) != 2 || heard[1] != now || heard[0] == now {
		t.Error(len(heard), "times, the last of them the present one:", len(heard) == 2 && heard[1] == now)
	}
}

func TestACallbackMayUseItsClient(t *testing.T) {
	var client *evrim.Client
	var inner error
	var calls int
	client = newClient(t, evrim.WithTokens(func(access, _ string, _ time.Time) {
		calls++
		if client.AccessToken() != access {
			t.Error("another token")
		}
		_, inner = client.ValidateToken(context.Background())
		client.Close()
	}))
	err := client.RefreshToken(t.Context())
	if calls != 1 || !errors.Is(inner, evrim.ErrInvalidArgument) {
		t.Error(calls, inner)
	}
	if err != nil && !errors.Is(err, evrim.ErrClosed) {
		t.Error(err)
	}
}

func TestTheLogHoldsNoSecret(t *testing.T) {
	var lines bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := newClient(t, evrim.WithLogger(logger))
	access := client.AccessToken()
	if err := client.RefreshToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.Request(t.Context(), "GET", "reports/", nil)
	text := lines.String()
	if !strings.Contains(text, "level=DEBUG") || !strings.Contains(text, "subject=token") {
		t.Error(text)
	}
	for _, secret := range []string{os.Getenv("EVRIM_PASSWORD"), access, client.AccessToken()} {
		if strings.Contains(text, secret) {
			t.Error("a secret in the log")
		}
	}
}

// A panic in a callback must not run through the library, not even if it would be recovered.
func TestAPanicInACallbackEndsTheProgram(t *testing.T) {
	if os.Getenv("EVRIM_TEST_PANIC") != "" {
		defer func() { recover() }()
		client := newClient(t, evrim.WithTokens(func(string, string, time.Time) { panic("in a callback") }))
		client.RefreshToken(t.Context())
		return
	}
	needSandbox(t)
	child := exec.Command(os.Args[0], "-test.run=^TestAPanicInACallbackEndsTheProgram$")
	child.Env = append(os.Environ(), "EVRIM_TEST_PANIC=1")
	output, err := child.CombinedOutput()
	if err == nil || !bytes.Contains(output, []byte("in a callback")) {
		t.Errorf("%v\n%s", err, output)
	}
}

// forget makes a client with a callback and loses it; freed becomes true when the library has given the
// callback back. A callback that holds its client is only given back when that is closed.
func forget(t *testing.T, freed *atomic.Bool, holdAndClose bool) {
	url := needSandbox(t)
	held := new([64]byte)
	runtime.AddCleanup(held, func(freed *atomic.Bool) { freed.Store(true) }, freed)
	var holder *evrim.Client
	client, err := evrim.FromToken(t.Context(), url, "opaque", "", evrim.WithoutValidation(),
		evrim.WithTokens(func(string, string, time.Time) { held[0]++; holder.AccessToken() }))
	if err != nil {
		t.Fatal(err)
	}
	if client.AccessToken() != "opaque" {
		t.Error(client.AccessToken())
	}
	if holdAndClose {
		holder = client
		client.Close()
	}
}

func TestWhatIsForgottenIsFreed(t *testing.T) {
	for _, holdAndClose := range []bool{false, true} {
		var freed atomic.Bool
		forget(t, &freed, holdAndClose)
		for end := time.Now().Add(10 * time.Second); !freed.Load(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it is still there; closed:", holdAndClose)
			}
			runtime.GC()
		}
	}
}

// The collector runs all the time, on what the library is using, while clients come and go.
func TestUnderTheCollector(t *testing.T) {
	needSandbox(t)
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	var told atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				client := newClient(t, evrim.WithLogger(slog.New(slog.DiscardHandler)),
					evrim.WithTokens(func(access, refresh string, _ time.Time) { told.Add(int64(len(access + refresh))) }))
				if err := client.RefreshToken(t.Context()); err != nil {
					t.Error(err)
				}
				body := bytes.Repeat([]byte(" "), 4096)
				copy(body, `{"url": "https://example.org", "title": "t", "description": "d"}`)
				if task, err := client.Request(t.Context(), "POST", "research/", body[:2048]); err == nil {
					task.String("/task_id")
				}
				report, err := client.Request(t.Context(), "GET", "reports/1/", nil)
				if err != nil {
					t.Error(err)
					continue
				}
				runtime.GC()
				if _, ok := report.String("/report/title"); !ok || len(report.Body()) == 0 {
					t.Error("the report went away")
				}
			}
		})
	}
	group.Wait()
	if told.Load() == 0 {
		t.Error("no callback ran")
	}
}
