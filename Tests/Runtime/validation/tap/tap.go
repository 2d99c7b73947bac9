// Package tap writes the Test Anything Protocol, version 13: what OCI's validation programs want of
// github.com/mndrix/tap-go, which is in no Debian package.
package tap

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// T is a series of tests, told of on standard output.
type T struct {
	// TODO marks what fails as not expected to work yet.
	TODO  bool
	count *int
}

// New begins a series.
func New() *T { return &T{count: new(int)} }

// Todo is the same series, of which what follows is not expected to work yet.
func (t *T) Todo() *T { return &T{TODO: true, count: t.count} }

// Header announces how many tests there are; with 0, AutoPlan tells that at the end.
func (t *T) Header(count int) {
	fmt.Println("TAP version 13")
	if count > 0 {
		fmt.Printf("1..%d\n", count)
	}
}

// AutoPlan tells how many tests there were.
func (t *T) AutoPlan() { fmt.Printf("1..%d\n", *t.count) }

// Ok tells how one test ended.
func (t *T) Ok(passed bool, description string) {
	result := "not ok"
	if passed {
		result = "ok"
	}
	directive := ""
	if t.TODO {
		directive = " # TODO"
	}
	*t.count++
	fmt.Printf("%s %d%s - %s\n", result, *t.count, directive, description)
}

// Pass tells of a test that passed.
func (t *T) Pass(description string) { t.Ok(true, description) }

// Fail tells of a test that failed.
func (t *T) Fail(description string) { t.Ok(false, description) }

// Skip tells of tests that were passed over.
func (t *T) Skip(count int, description string) {
	for ; count > 0; count-- {
		*t.count++
		fmt.Printf("ok %d # SKIP %s\n", *t.count, description)
	}
}

// Diagnostic adds lines for a reader.
func (t *T) Diagnostic(message string) {
	for _, line := range strings.Split(strings.TrimSuffix(message, "\n"), "\n") {
		fmt.Println("#", line)
	}
}

// Diagnosticf is Diagnostic, formatted.
func (t *T) Diagnosticf(format string, values ...interface{}) {
	t.Diagnostic(fmt.Sprintf(format, values...))
}

// YAML adds a value to the test before. JSON is YAML.
func (t *T) YAML(value interface{}) error {
	text, err := json.MarshalIndent(value, "  ", "  ")
	if err == nil {
		_, err = fmt.Fprintf(os.Stdout, "  ---\n  %s\n  ...\n", text)
	}
	return err
}
