"""Sends one small piece of each signal with the SDK for Python.

usage: send.py grpc|http ENDPOINT
"""

import sys

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

protocol, endpoint = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    spans, points, records = (
        exporter(endpoint=endpoint, insecure=True) for exporter in (OTLPSpanExporter, OTLPMetricExporter, OTLPLogExporter)
    )
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    spans = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=Compression.Gzip)
    points = OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", compression=Compression.Gzip)
    records = OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", compression=Compression.Gzip)

resource = Resource.create({"service.name": "peer"})

tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(spans))
tracer = tracers.get_tracer("peer.scope", "1.2.3")
with tracer.start_as_current_span("parent", kind=SpanKind.SERVER) as parent:
    links = [Link(parent.get_span_context(), {"why": "related"})]
    attributes = {"text": "héllo", "flag": True, "count": 7, "ratio": 0.5, "list": ["a", "b"]}
    with tracer.start_as_current_span("child", kind=SpanKind.CLIENT, attributes=attributes, links=links) as child:
        child.add_event("something", {"n": 1})
        child.set_status(Status(StatusCode.ERROR, "broken"))
assert tracers.force_flush()

sizes = View(instrument_type=Histogram, instrument_name="sizes", aggregation=ExponentialBucketHistogramAggregation())
reader = PeriodicExportingMetricReader(points, export_interval_millis=3_600_000)
meters = MeterProvider(resource=resource, metric_readers=[reader], views=[sizes])
meter = meters.get_meter("peer.scope", "1.2.3")
meter.create_counter("requests", unit="{request}", description="Requests that came in").add(3, {"route": "/"})
meter.create_up_down_counter("connections").add(-2)
meter.create_gauge("temperature").set(21.5)
for name, values in {"latency": (0.5, 2.5), "sizes": (1, 1000)}.items():
    histogram = meter.create_histogram(name)
    for value in values:
        histogram.record(value)
assert meters.force_flush()

loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
loggers.get_logger("peer.scope", "1.2.3").emit(
    timestamp=1_700_000_000_000_000_001,
    severity_number=SeverityNumber.WARN,
    severity_text="WARN",
    body="hello from the peer",
    attributes={"attempt": 1},
    event_name="peer.event",
    context=set_span_in_context(child),
)
assert loggers.force_flush()

for provider in (tracers, meters, loggers):
    provider.shutdown()
