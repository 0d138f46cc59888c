package evrim_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/evrim"
)

func TestTheFiveCalls(t *testing.T) {
	client := newClient(t)
	if valid, err := client.ValidateToken(t.Context()); err != nil || !valid {
		t.Error("validate:", valid, err)
	}
	access, refresh := client.AccessToken(), client.CurrentRefreshToken()
	if err := client.RefreshToken(t.Context()); err != nil || client.AccessToken() == access {
		t.Error("refresh:", err)
	}
	access = client.AccessToken()
	if err := client.SetToken(t.Context()); err != nil || client.AccessToken() == access || client.CurrentRefreshToken() == refresh {
		t.Error("set:", err)
	}
	if end := time.Until(client.TokenExpiresAt()); end <= 0 || end > time.Hour {
		t.Error("the token ends in", end)
	}
}

func TestATokenIsEnough(t *testing.T) {
	url := needSandbox(t)
	first := newClient(t)
	client, err := evrim.FromToken(t.Context(), url, first.AccessToken(), first.CurrentRefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.SetToken(t.Context()); !errors.Is(err, evrim.ErrNoCredentials) {
		t.Error("set without a password:", err)
	}

	_, err = evrim.FromToken(t.Context(), url, "no-token", "")
	if !errors.Is(err, evrim.ErrAuthentication) {
		t.Error("a bad token:", err)
	}
	opaque, err := evrim.FromToken(t.Context(), url, "no-token", "", evrim.WithoutValidation())
	if err != nil {
		t.Fatal(err)
	}
	defer opaque.Close()
	if !opaque.TokenExpiresAt().IsZero() || opaque.CurrentRefreshToken() != "" {
		t.Error("an opaque token has no end and no refresh token")
	}
	if valid, err := opaque.ValidateToken(t.Context()); valid || err != nil {
		t.Error("validate:", valid, err)
	}
}

func TestTheEnvironmentIsEnough(t *testing.T) {
	needSandbox(t)
	client, err := evrim.FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	t.Setenv("EVRIM_URL", "")
	if _, err := evrim.FromEnv(t.Context()); !errors.Is(err, evrim.ErrInvalidURL) {
		t.Error(err)
	}
}

func TestAnAnswerIsRead(t *testing.T) {
	client := newClient(t)
	report, err := client.Request(t.Context(), "GET", "reports/1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	title, ok := report.String("/report/title")
	if !ok || title == "" {
		t.Error("no title")
	}
	if id, ok := report.Int("/report/id"); !ok || id != 1 {
		t.Error("id:", id, ok)
	}
	if id, ok := report.Float("/report/id"); !ok || id != 1 {
		t.Error("id:", id, ok)
	}
	if _, ok := report.Bool("/report/id"); ok {
		t.Error("a number is no boolean")
	}
	if _, ok := report.String("/report/title\x00"); ok {
		t.Error("a NUL in a pointer")
	}
	var decoded struct {
		Report struct {
			Title    string
			Sections []any
		}
	}
	if err := report.Decode(&decoded); err != nil || decoded.Report.Title != title {
		t.Error("decode:", err)
	}
	if many := report.Count("/report/sections"); many == 0 || many != len(decoded.Report.Sections) {
		t.Error("sections:", many)
	}
	if report.Status() != 200 || report.Header("CONTENT-TYPE") != "application/json" || report.Header("x-none") != "" {
		t.Error(report.Status(), report.Header("content-type"))
	}

	body := report.Body()
	report.Close()
	report.Close()
	if len(body) == 0 || len(report.Body()) != 0 || report.Status() != 0 || report.Decode(&decoded) == nil {
		t.Error("a closed answer is empty, a copy is not")
	}
}

func TestABodyIsSent(t *testing.T) {
	client := newClient(t)
	body := []byte(`{"url": "https://example.org", "title": "Zürich 氷河", "description": "d", "style": "NARRATIVE",
		"tone": "ANALYTICAL", "point_of_view": "THIRD_PERSON"}`)
	task, err := client.Request(t.Context(), "POST", "research/", body)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	if _, ok := task.String("/task_id"); !ok || task.Status() != 201 {
		t.Errorf("%d %s", task.Status(), task.Body())
	}
}

func TestManyGoroutinesShareOneClient(t *testing.T) {
	client := newClient(t)
	before := count(t)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			for range 4 {
				report, err := client.Request(t.Context(), "GET", "reports/1/", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, ok := report.String("/report/title"); !ok || client.AccessToken() == "" {
					t.Error("nothing there")
				}
				if i%2 == 0 {
					report.Close()
				}
			}
		})
		if i == 32 {
			control(t, "POST", "revoke/", "")
		}
	}
	group.Wait()
	after := count(t)
	if renewals := after.Renewals - before.Renewals; renewals > 1 {
		t.Error("renewals:", renewals)
	}
	if after.SignIns != before.SignIns {
		t.Error("it signed in again")
	}
}

func TestASecondClientHasItsOwnOptions(t *testing.T) {
	client := newClient(t, evrim.WithRetries(0))
	hasty, err := client.With(evrim.WithTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	fault(t, "GET /runs/", "silent")
	if _, err := hasty.Request(t.Context(), "GET", "runs/", nil); !errors.Is(err, evrim.ErrTimeout) {
		t.Error(err)
	}
	client.Close()
	if _, err := hasty.Request(t.Context(), "GET", "reports/", nil); err != nil {
		t.Error("it lives on without the first:", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, option := range map[string]struct {
		evrim.Option
		want evrim.Status
	}{
		"timeout":  {evrim.WithTimeout(0), evrim.ErrInvalidArgument},
		"negative": {evrim.WithTotalTimeout(-time.Second), evrim.ErrInvalidArgument},
		"retries":  {evrim.WithRetries(11), evrim.ErrInvalidArgument},
		"file":     {evrim.WithCAFile("/no/such/file"), evrim.ErrIO},
		"pem":      {evrim.WithCAPEM([]byte("no certificate")), evrim.ErrTLS},
		"header":   {evrim.WithHeader("Authorization", "x"), evrim.ErrInvalidArgument},
		"NUL":      {evrim.WithUserAgent("a\x00b"), evrim.ErrInvalidArgument},
		"logger":   {evrim.WithLogger(nil), evrim.ErrInvalidArgument},
		"tokens":   {evrim.WithTokens(nil), evrim.ErrInvalidArgument},
	} {
		client, err := evrim.New(t.Context(), "http://127.0.0.1:1", "a", "b", option.Option)
		if client != nil || !errors.Is(err, option.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	usable := newClient(t, evrim.WithConnectTimeout(time.Second), evrim.WithTotalTimeout(time.Minute),
		evrim.WithProxy(""), evrim.WithMaxBodySize(1<<20), evrim.WithHeader("x-key", "1"), evrim.WithInsecureHTTP(),
		evrim.WithoutRenewal(), evrim.WithUserAgent("go-test/1"), evrim.WithTLS13(), evrim.Option{})
	if _, err := usable.Request(t.Context(), "GET", "reports/", nil); err != nil {
		t.Error(err)
	}
}
