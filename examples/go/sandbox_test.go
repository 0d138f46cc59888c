package evrim_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/evrim"
)

// The tests want a sandbox server of their own, whose address and credentials are in the environment:
// sandbox -- go test -race ./...

func needSandbox(t *testing.T) string {
	t.Helper()
	url := os.Getenv("EVRIM_URL")
	if url == "" {
		t.Skip("EVRIM_URL is not set; run: sandbox -- go test ./...")
	}
	return strings.TrimSuffix(url, "/")
}

func newClient(t *testing.T, options ...evrim.Option) *evrim.Client {
	t.Helper()
	url := needSandbox(t)
	client, err := evrim.New(t.Context(), url, os.Getenv("EVRIM_USERNAME"), os.Getenv("EVRIM_PASSWORD"), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// fault makes a path go wrong until the test ends, or as many times as are given.
func fault(t *testing.T, path, kind string, times ...int) {
	t.Helper()
	wanted := map[string]any{"path": path, "kind": kind}
	if len(times) > 0 {
		wanted["times"] = times[0]
	}
	body, err := json.Marshal(wanted)
	if err != nil {
		t.Fatal(err)
	}
	control(t, "POST", "faults/", string(body))
	t.Cleanup(func() { control(t, "DELETE", "faults/", "") })
}

type counters struct {
	Requests map[string]int `json:"requests"`
	SignIns  int            `json:"sign_ins"`
	Renewals int            `json:"refreshes"`
	Running  int            `json:"running"`
}

func count(t *testing.T) (seen counters) {
	t.Helper()
	if err := json.Unmarshal(control(t, "GET", "counters/", ""), &seen); err != nil {
		t.Fatal(err)
	}
	return seen
}

// running waits until the server works on that many requests.
func running(t *testing.T, many int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); count(t).Running < many; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d requests never ran at once", many)
		}
	}
}

func control(t *testing.T, method, path, body string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, needSandbox(t)+"/sandbox/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(answer.Body).Decode(&raw); err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, path, answer.Status, raw, err)
	}
	return raw
}
