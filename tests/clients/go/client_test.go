// The Go caller against a real gateway, in front of a simulated provider.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	pb "tollgate.example/stubs/tollgate/v1"
)

func dial(t *testing.T, key string) *Client {
	t.Helper()
	client, err := Dial(os.Getenv("TOLLGATE_ADDRESS"), os.Getenv(key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func within(t *testing.T, most time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), most)
	t.Cleanup(cancel)
	return ctx
}

func spec(text string) *pb.CompletionSpec {
	most := int32(100)
	return &pb.CompletionSpec{
		Target: &pb.CompletionSpec_Complexity{Complexity: pb.Complexity_COMPLEXITY_SIMPLE},
		Messages: []*pb.Message{{
			Role:  pb.Role_ROLE_USER,
			Parts: []*pb.Part{{Content: &pb.Part_Text{Text: text}}},
		}},
		MaxOutputTokens: &most,
	}
}

func answered(t *testing.T, client *Client, asked *pb.CompletionSpec) *pb.CompleteResponse {
	t.Helper()
	answer, err := client.Complete(within(t, 20*time.Second), asked)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func refused(t *testing.T, client *Client, asked *pb.CompletionSpec) *Error {
	t.Helper()
	_, err := client.Complete(within(t, 10*time.Second), asked)
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("not refused: %v", err)
	}
	return refused
}

// timesSeen tells how many requests with this text the simulated provider got.
func timesSeen(t *testing.T, text string) int {
	t.Helper()
	answer, err := http.Get(os.Getenv("SIMULATOR_URL") + "/simulator/faults")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var rules []struct {
		Rule    string
		Matched int
	}
	if err := json.NewDecoder(answer.Body).Decode(&rules); err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules {
		if strings.Contains(rule.Rule, text) {
			return rule.Matched
		}
	}
	t.Fatalf("no rule about %s", text)
	return 0
}

func TestSuccessHasAReceipt(t *testing.T) {
	answer := answered(t, dial(t, "TOLLGATE_API_KEY"), spec("Name three rivers."))
	if answer.GetMessage().GetParts()[0].GetText() == "" {
		t.Error("no text")
	}
	receipt := answer.GetReceipt()
	if receipt.GetModel() != "gpt-3.5-turbo" {
		t.Errorf("model %s", receipt.GetModel())
	}
	in, out := receipt.GetUsage().GetInputTokens(), receipt.GetUsage().GetOutputTokens()
	// $0.50 and $1.50 per million tokens are 500 and 1,500 nano-dollars a token.
	if in == 0 || out == 0 || receipt.GetCostNanoUsd() != in*500+out*1500 {
		t.Errorf("%d in, %d out, %d nano-dollars", in, out, receipt.GetCostNanoUsd())
	}
}

func TestRateLimitSaysWhenToComeBack(t *testing.T) {
	client := dial(t, "HASTY_API_KEY")
	answered(t, client, spec("Name three rivers."))
	e := refused(t, client, spec("Name three rivers."))
	if e.Code != codes.ResourceExhausted || e.Reason != "RATE_LIMITED" {
		t.Error(e)
	}
	if e.RetryAfter < time.Second {
		t.Errorf("retry after %s", e.RetryAfter)
	}
	if len(e.Violations) != 1 || e.Violations[0].GetSubject() != "requests_per_minute" {
		t.Errorf("violations %v", e.Violations)
	}
}

func TestBudgetRefusalSaysWhenItResets(t *testing.T) {
	e := refused(t, dial(t, "BROKE_API_KEY"), spec("Name three rivers."))
	if e.Code != codes.ResourceExhausted || e.Reason != "BUDGET_EXHAUSTED" {
		t.Error(e)
	}
	if e.RetryAfter != 0 {
		t.Errorf("retry after %s", e.RetryAfter)
	}
	if len(e.Violations) != 1 || e.Violations[0].GetSubject() != "budget:day" {
		t.Errorf("violations %v", e.Violations)
	}
	if e.Metadata["resetTime"] == "" {
		t.Errorf("metadata %v", e.Metadata)
	}
}

func TestUnknownModelIsNotFound(t *testing.T) {
	asked := spec("Name three rivers.")
	asked.Target = &pb.CompletionSpec_Model{Model: "gpt-99"}
	e := refused(t, dial(t, "TOLLGATE_API_KEY"), asked)
	if e.Code != codes.NotFound || e.Reason != "UNKNOWN_MODEL" || e.RetryAfter != 0 {
		t.Error(e)
	}
}

func TestCancelledCallIsReleased(t *testing.T) {
	client := dial(t, "TOLLGATE_API_KEY")
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	failed := make(chan error, 1)
	go func() {
		_, err := client.Complete(ctx, spec("answer_never"))
		failed <- err
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; timesSeen(t, "answer_never") == 0 && tries < 200; tries++ {
		<-tick.C
	}
	cancel()
	var e *Error
	if err := <-failed; !errors.As(err, &e) || e.Code != codes.Canceled {
		t.Errorf("not cancelled: %v", err)
	}
	if seen := timesSeen(t, "answer_never"); seen != 1 {
		t.Errorf("the provider was asked %d times", seen)
	}
	// The team may run one call at a time, so this one had to wait for the cancelled one's end.
	receipt := answered(t, client, spec("Name three rivers.")).GetReceipt()
	day := receipt.GetBudgets()[0]
	if day.GetName() != "day" || day.GetHeldNanoUsd() != receipt.GetHeldNanoUsd() {
		t.Errorf("something else is held: %v", day)
	}
}

func TestUnavailableIsRetried(t *testing.T) {
	answer := answered(t, dial(t, "TOLLGATE_API_KEY"), spec("fail_once"))
	if seen := timesSeen(t, "fail_once"); seen != 2 {
		t.Errorf("the provider was asked %d times", seen)
	}
	// One attempt in this call: it was the client that called again.
	if attempts := answer.GetReceipt().GetAttempts(); len(attempts) != 1 {
		t.Errorf("attempts %v", attempts)
	}
}
