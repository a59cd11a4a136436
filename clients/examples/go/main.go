// Classifies an image file: go run . ADDRESS FILE
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	resnetdv1 "example.com/classify/resnetdv1"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: classify ADDRESS FILE")
		os.Exit(2)
	}
	if err := classify(os.Args[1], os.Args[2]); err != nil {
		explain(err)
		os.Exit(1)
	}
}

func classify(address, file string) error {
	photo, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := resnetdv1.NewInferenceServiceClient(connection).Classify(ctx, &resnetdv1.ClassifyRequest{
		Images:  []*resnetdv1.Image{{Source: &resnetdv1.Image_Encoded{Encoded: photo}}},
		Options: &resnetdv1.ClassifyOptions{TopK: 3},
	})
	if err != nil {
		return err
	}
	for _, class := range answer.GetResults()[0].GetClasses() {
		fmt.Printf("%5.1f%%  %s\n", class.GetScore()*100, class.GetLabel())
	}
	return nil
}

// explain writes what went wrong; of a refused call also the reason that a program can match, and the fields at fault.
func explain(err error) {
	fmt.Fprintln(os.Stderr, err)
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Fprintln(os.Stderr, "reason:", detail.GetReason())
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				fmt.Fprintln(os.Stderr, "field:", violation.GetField())
			}
		}
	}
}
