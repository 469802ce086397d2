// Package client calls Tollgate: key, deadline, retries and typed errors. Short enough to copy.
//
// The stubs (tollgate.v1) are generated from the .proto files, see test.sh.
package client

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "tollgate.example/stubs/tollgate/v1"
)

// gRPC retries on its own, within the deadline, and waits as the gateway tells it to. UNAVAILABLE
// is the only code for that: with the gateway's ErrorInfo it means that nothing was charged.
const serviceConfig = `{
  "methodConfig": [{
    "name": [{"service": "tollgate.v1.CompletionService"}],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.2s",
      "maxBackoff": "5s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// Error is why a call was not answered. Act on Code and Reason, never on the message.
type Error struct {
	Code    codes.Code
	Message string
	// Reason is one of docs/errors.md, such as "RATE_LIMITED"; empty: not the gateway's.
	Reason string
	// Metadata is what the gateway adds, such as "resetTime".
	Metadata map[string]string
	// RetryAfter is how long to wait; zero: waiting does not help.
	RetryAfter time.Duration
	// Violations are the limits and budgets that refused.
	Violations []*errdetails.QuotaFailure_Violation
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Code, e.Reason, e.Message)
}

func typed(err error) *Error {
	s := status.Convert(err)
	e := &Error{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Metadata = d.GetReason(), d.GetMetadata()
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		case *errdetails.QuotaFailure:
			e.Violations = d.GetViolations()
		}
	}
	return e
}

// Client is a team's client. Make one and share it: it is safe for goroutines.
type Client struct {
	connection  *grpc.ClientConn
	completions pb.CompletionServiceClient
	key         string
}

// New makes a client of the gateway at TOLLGATE_ADDRESS, with the key in TOLLGATE_API_KEY.
func New() (*Client, error) {
	address := os.Getenv("TOLLGATE_ADDRESS")
	if address == "" {
		address = "127.0.0.1:50051"
	}
	return Dial(address, os.Getenv("TOLLGATE_API_KEY"))
}

// Dial makes a client with this key.
func Dial(address, key string) (*Client, error) {
	connection, err := grpc.NewClient(address,
		// Plaintext is for loopback. Elsewhere: credentials.NewTLS(nil), because the key
		// travels in the metadata.
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		return nil, err
	}
	return &Client{connection, pb.NewCompletionServiceClient(connection), key}, nil
}

// Complete runs a call. The deadline of ctx bounds it, waits and retries included; to cancel ctx
// hangs up, and what the provider was already asked may still be charged. The error is an *Error.
func (c *Client) Complete(
	ctx context.Context, spec *pb.CompletionSpec,
) (*pb.CompleteResponse, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.key)
	answer, err := c.completions.Complete(ctx, &pb.CompleteRequest{Spec: spec})
	if err != nil {
		return nil, typed(err)
	}
	return answer, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.connection.Close() }
