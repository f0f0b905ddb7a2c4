// A program that makes telemetry. Where it goes, and how, is in OpenTelemetry's variables alone.
//
//	program <name> <count> <pause in ms>
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/attribute"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const flushTimeout = time.Minute

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	name, count, pauseMs := os.Args[1], must(strconv.Atoi(os.Args[2])), must(strconv.Atoi(os.Args[3]))

	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(must(autoexport.NewSpanExporter(ctx))))
	logs := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(must(autoexport.NewLogExporter(ctx)))))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(must(autoexport.NewMetricReader(ctx))))
	tracer, logger := traces.Tracer("interop"), logs.Logger("interop")
	counter := must(metrics.Meter("interop").Int64Counter(name + ".total"))

	fmt.Println("begun")
	for i := range count {
		item := fmt.Sprintf("%s-%d", name, i)
		_, span := tracer.Start(ctx, item)
		span.End()
		var record otellog.Record
		record.SetTimestamp(time.Now())
		record.SetBody(attribute.StringValue(item))
		logger.Emit(ctx, record)
		counter.Add(ctx, 1)
		time.Sleep(time.Duration(pauseMs) * time.Millisecond)
	}

	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	for _, shutdown := range []func(context.Context) error{traces.Shutdown, logs.Shutdown, metrics.Shutdown} {
		if err := shutdown(ctx); err != nil {
			log.Print(err)
		}
	}
}
