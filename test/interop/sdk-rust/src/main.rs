//! A program that makes telemetry. Where it goes, and how, is in OpenTelemetry's variables alone.
//!
//! sender <name> <count> <pause in ms>

use std::{env, error::Error, fs, thread::sleep, time::Duration};

use opentelemetry::{
    logs::{AnyValue, LogRecord, Logger, LoggerProvider},
    metrics::MeterProvider,
    trace::{Span, Tracer, TracerProvider},
};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, SpanExporter, WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};
use opentelemetry_sdk::{logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing_subscriber::EnvFilter;

type Exporters = (SpanExporter, LogExporter, MetricExporter);

/// They read everything by themselves but one variable: over gRPC they trust nobody until code says whom.
fn exporters() -> Result<Exporters, Box<dyn Error>> {
    if env::var("OTEL_EXPORTER_OTLP_PROTOCOL")? != "grpc" {
        return Ok((
            SpanExporter::builder().build()?,
            LogExporter::builder().build()?,
            MetricExporter::builder().build()?,
        ));
    }
    let authority = Certificate::from_pem(fs::read(env::var("OTEL_EXPORTER_OTLP_CERTIFICATE")?)?);
    let tls = ClientTlsConfig::new().ca_certificate(authority);
    Ok((
        SpanExporter::builder().with_tonic().with_tls_config(tls.clone()).build()?,
        LogExporter::builder().with_tonic().with_tls_config(tls.clone()).build()?,
        MetricExporter::builder().with_tonic().with_tls_config(tls).build()?,
    ))
}

fn main() -> Result<(), Box<dyn Error>> {
    // What the SDK says of itself goes through `tracing`, at the levels of RUST_LOG; without this it says nothing.
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_ansi(false).init();
    let args: Vec<String> = env::args().collect();
    let (name, count, pause) = (&args[1], args[2].parse::<u64>()?, Duration::from_millis(args[3].parse()?));

    let runtime = tokio::runtime::Runtime::new()?; // gRPC's connections live in it
    let (spans, logs, metrics) = {
        let _inside = runtime.enter();
        exporters()?
    };
    let traces = SdkTracerProvider::builder().with_batch_exporter(spans).build();
    let logs = SdkLoggerProvider::builder().with_batch_exporter(logs).build();
    let metrics = SdkMeterProvider::builder().with_periodic_exporter(metrics).build();
    let (tracer, logger) = (traces.tracer("interop"), logs.logger("interop"));
    let counter = metrics.meter("interop").u64_counter(format!("{name}.total")).build();

    println!("begun");
    for i in 0..count {
        let item = format!("{name}-{i}");
        tracer.start(item.clone()).end();
        let mut record = logger.create_log_record();
        record.set_body(AnyValue::from(item));
        logger.emit(record);
        counter.add(1, &[]);
        sleep(pause);
    }

    for ended in [traces.shutdown(), logs.shutdown(), metrics.shutdown()] {
        if let Err(error) = ended {
            eprintln!("{error}");
        }
    }
    Ok(())
}
