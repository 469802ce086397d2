// Command ask asks one question: go run ./cmd/ask "Name three rivers."
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"tollgate.example/client"
	pb "tollgate.example/stubs/tollgate/v1"
)

func main() {
	if err := ask(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		var refused *client.Error
		if errors.As(err, &refused) && refused.RetryAfter > 0 {
			fmt.Fprintln(os.Stderr, "RetryInfo:", refused.RetryAfter)
		}
		os.Exit(1)
	}
}

func ask(question string) error {
	tollgate, err := client.New()
	if err != nil {
		return err
	}
	defer tollgate.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	most := int32(100)
	answer, err := tollgate.Complete(ctx, &pb.CompletionSpec{
		Target: &pb.CompletionSpec_Complexity{Complexity: pb.Complexity_COMPLEXITY_SIMPLE},
		Messages: []*pb.Message{{
			Role:  pb.Role_ROLE_USER,
			Parts: []*pb.Part{{Content: &pb.Part_Text{Text: question}}},
		}},
		MaxOutputTokens: &most,
		// With a key a retry never pays twice, whatever the connection does.
		IdempotencyKey: rand.Text(),
	})
	if err != nil {
		return err
	}
	for _, part := range answer.GetMessage().GetParts() {
		fmt.Print(part.GetText())
	}
	receipt := answer.GetReceipt()
	usage := receipt.GetUsage()
	fmt.Printf("\n%s: %d tokens in, %d out, %d nano-dollars\n", receipt.GetModel(),
		usage.GetInputTokens(), usage.GetOutputTokens(), receipt.GetCostNanoUsd())
	return nil
}
