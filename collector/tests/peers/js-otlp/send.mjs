// Sends one small piece of each signal with the SDK for JavaScript.
//
// usage: send.mjs grpc|http|json ENDPOINT, in the folder with the packages

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = createRequire(`${process.cwd()}/`);
const load = async (name) => {
  const module = await import(pathToFileURL(here.resolve(name)));
  return module.default ? { ...module.default, ...module } : module;
};
const { SpanKind, SpanStatusCode, context, trace } = await load("@opentelemetry/api");
const { SeverityNumber } = await load("@opentelemetry/api-logs");
const { resourceFromAttributes } = await load("@opentelemetry/resources");
const { LoggerProvider, BatchLogRecordProcessor } = await load("@opentelemetry/sdk-logs");
const { AggregationType, MeterProvider, PeriodicExportingMetricReader } = await load("@opentelemetry/sdk-metrics");
const { BatchSpanProcessor, TracerProvider } = await load("@opentelemetry/sdk-trace");

const [protocol, endpoint] = process.argv.slice(2);
const kind = { grpc: "grpc", http: "proto", json: "http" }[protocol];
const url = (path) => (protocol === "grpc" ? endpoint : `${endpoint}/v1/${path}`);
const { OTLPTraceExporter } = await load(`@opentelemetry/exporter-trace-otlp-${kind}`);
const { OTLPMetricExporter } = await load(`@opentelemetry/exporter-metrics-otlp-${kind}`);
const { OTLPLogExporter } = await load(`@opentelemetry/exporter-logs-otlp-${kind}`);

const resource = resourceFromAttributes({ "service.name": "peer" });

const spans = new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: url("traces") }) });
const tracers = new TracerProvider({ resource, spanProcessors: [spans] });
const tracer = tracers.getTracer("peer.scope", "1.2.3");
const parent = tracer.startSpan("parent", { kind: SpanKind.SERVER });
const attributes = { text: "héllo", flag: true, count: 7, ratio: 0.5, list: ["a", "b"] };
const links = [{ context: parent.spanContext(), attributes: { why: "related" } }];
const within = (span) => trace.setSpan(context.active(), span);
const child = tracer.startSpan("child", { kind: SpanKind.CLIENT, attributes, links }, within(parent));
child.addEvent("something", { n: 1 });
child.setStatus({ code: SpanStatusCode.ERROR, message: "broken" });
child.end();
parent.end();
await tracers.forceFlush();

const reader = new PeriodicExportingMetricReader({
  exporter: new OTLPMetricExporter({ url: url("metrics") }),
  exportIntervalMillis: 3_600_000,
});
const sizes = { instrumentName: "sizes", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } };
const meters = new MeterProvider({ resource, readers: [reader], views: [sizes] });
const meter = meters.getMeter("peer.scope", "1.2.3");
meter.createCounter("requests", { unit: "{request}", description: "Requests that came in" }).add(3, { route: "/" });
meter.createUpDownCounter("connections").add(-2);
meter.createGauge("temperature").record(21.5);
for (const [name, values] of Object.entries({ latency: [0.5, 2.5], sizes: [1, 1000] })) {
  const histogram = meter.createHistogram(name);
  values.forEach((value) => histogram.record(value));
}
await meters.forceFlush();

const records = new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: url("logs") }) });
const loggers = new LoggerProvider({ resource, processors: [records] });
loggers.getLogger("peer.scope", "1.2.3").emit({
  timestamp: [1_700_000_000, 1],
  severityNumber: SeverityNumber.WARN,
  severityText: "WARN",
  body: "hello from the peer",
  attributes: { attempt: 1 },
  eventName: "peer.event",
  context: within(child),
});
await loggers.forceFlush();

await Promise.all([tracers, meters, loggers].map((provider) => provider.shutdown()));
