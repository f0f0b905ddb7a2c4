"""A program that makes telemetry. Where it goes, and how, is in OpenTelemetry's variables alone.

opentelemetry-instrument python sender.py <name> <count> <pause in ms>
"""

import sys
import time

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger_provider

name, count, pause_ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
providers = [trace.get_tracer_provider(), get_logger_provider(), metrics.get_meter_provider()]
tracer = trace.get_tracer("interop")
logger = get_logger_provider().get_logger("interop")
counter = metrics.get_meter("interop").create_counter(f"{name}.total")

print("begun", flush=True)
for i in range(count):
    item = f"{name}-{i}"
    tracer.start_span(item).end()
    logger.emit(LogRecord(timestamp=time.time_ns(), severity_number=SeverityNumber.INFO, body=item))
    counter.add(1)
    time.sleep(pause_ms / 1_000)

for provider in providers:
    provider.shutdown()
