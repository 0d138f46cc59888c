// Quickstart signs in, validates, refreshes and replaces the token, and reads a report.
//
//	EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… go run ./cmd/quickstart
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"example.com/evrim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := evrim.FromEnv(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	fmt.Println("signed in with libevrim", evrim.Version())

	valid, err := client.ValidateToken(ctx)
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	fmt.Println("the token is valid:", valid)

	if err := client.RefreshToken(ctx); err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	fmt.Println("the access token was refreshed, and ends at", client.TokenExpiresAt())

	if err := client.SetToken(ctx); err != nil {
		return fmt.Errorf("sign in again: %w", err)
	}
	fmt.Println("both tokens were replaced")

	report, err := client.Request(ctx, "GET", "reports/1/", nil)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer report.Close()
	title, _ := report.String("/report/title")
	fmt.Printf("report 1 is %q, in %d sections\n", title, report.Count("/report/sections"))
	return nil
}
