package evrim_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"example.com/evrim"
)

func TestAnErrorTellsWhatTheServerSaid(t *testing.T) {
	client := newClient(t)
	_, err := client.Request(t.Context(), "GET", "reports/999999/", nil)
	err = fmt.Errorf("wrapped: %w", err)
	if !errors.Is(err, evrim.ErrNotFound) || errors.Is(err, evrim.ErrServer) || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var failure *evrim.Error
	if !errors.As(err, &failure) {
		t.Fatal("no *evrim.Error in it")
	}
	if failure.HTTPStatus != 404 || len(failure.Body) == 0 || failure.Retryable || failure.RequestID == "" || failure.RetryAfter >= 0 {
		t.Errorf("%+v", failure)
	}
}

func TestAnErrorTellsWhatToDo(t *testing.T) {
	client := newClient(t)

	fault(t, "GET /runs/", "throttle:90")
	_, err := client.Request(t.Context(), "GET", "runs/", nil)
	var failure *evrim.Error
	if !errors.As(err, &failure) || failure.Status != evrim.ErrRateLimited || failure.RetryAfter != 90*time.Second || !failure.Retryable {
		t.Errorf("%+v", failure)
	}

	fault(t, "POST /research/", "lost")
	_, err = client.Request(t.Context(), "POST", "research/", []byte("{}"))
	if !errors.As(err, &failure) || failure.Status != evrim.ErrNetwork || !failure.MayHaveBeenSent {
		t.Errorf("%+v", failure)
	}
}

func TestASignInThatIsRefused(t *testing.T) {
	url := needSandbox(t)
	_, err := evrim.New(t.Context(), url, os.Getenv("EVRIM_USERNAME"), "wrong")
	if !errors.Is(err, evrim.ErrAuthentication) {
		t.Error(err)
	}
	for what, arguments := range map[string][3]string{
		"NUL in the password": {url, "a", "b\x00c"},
		"not UTF-8":           {url, "a", "b\xff"},
	} {
		if _, err := evrim.New(t.Context(), arguments[0], arguments[1], arguments[2]); !errors.Is(err, evrim.ErrInvalidArgument) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := evrim.New(t.Context(), "http://example.org", "a", "b"); !errors.Is(err, evrim.ErrInsecureURL) {
		t.Error(err)
	}
}

func TestNobodyListens(t *testing.T) {
	_, err := evrim.New(t.Context(), "http://127.0.0.1:1", "a", "b", evrim.WithRetries(0))
	var failure *evrim.Error
	if !errors.As(err, &failure) || failure.Status != evrim.ErrNetwork || failure.HTTPStatus != 0 || failure.MayHaveBeenSent {
		t.Errorf("%+v", err)
	}
}

func TestAStatusHasAName(t *testing.T) {
	if evrim.ErrTimeout.Error() != "EVRIM_ERROR_TIMEOUT" || evrim.Version() == "" {
		t.Error(evrim.ErrTimeout, evrim.Version())
	}
}
