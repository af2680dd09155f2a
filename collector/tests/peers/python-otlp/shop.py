"""A small shop, as the OpenTelemetry SDK for Python reports it: `frontend` calls `cart`, which asks a database.

usage: shop.py ENDPOINT FROM TO healthy|broken

Sends the spans of every request between two moments (seconds since 1970). When it is broken, `cart` needs twenty times as long and
fails every third request; the frontend only waits for it, and passes its errors on.
"""

import random
import sys

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

endpoint, begin, end, state = sys.argv[1:]
begin, end, broken = int(begin), int(end), {"healthy": False, "broken": True}[state]
REQUESTS_PER_SECOND = 3
MILLISECOND = 1_000_000

# The same requests on every day.
chance = random.Random(end - begin)
providers = {name: TracerProvider(resource=Resource.create({"service.name": name})) for name in ("frontend", "cart")}
for provider in providers.values():
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
frontend, cart = (providers[name].get_tracer("shop") for name in ("frontend", "cart"))


def milliseconds(usual):
    """About so long, now and then longer."""
    return int(chance.lognormvariate(0, 0.2) * usual * MILLISECOND)


def request(start):
    """One request for a cart; the spans begin and end at moments that are made up."""
    own, query, overhead = milliseconds(20), milliseconds(5), milliseconds(8)
    if broken:
        own *= 20
    failed = broken and chance.random() < 1 / 3
    page = frontend.start_span("GET /cart", kind=SpanKind.SERVER, start_time=start)
    called = start + overhead
    call = frontend.start_span("cart/Get", set_span_in_context(page), kind=SpanKind.CLIENT, start_time=called)
    work = cart.start_span("cart/Get", set_span_in_context(call), kind=SpanKind.SERVER, start_time=called + MILLISECOND)
    about = {"db.system.name": "postgresql", "server.address": "db"}
    asked = called + 2 * MILLISECOND
    select = cart.start_span("SELECT", set_span_in_context(work), kind=SpanKind.CLIENT, attributes=about, start_time=asked)
    select.end(asked + query)
    done = asked + query + own
    for span, moment in ((work, done), (call, done + MILLISECOND), (page, done + 2 * MILLISECOND)):
        if failed:
            span.set_status(Status(StatusCode.ERROR, "the cart cannot be had"))
        span.end(moment)


for second in range(begin, end):
    for number in range(REQUESTS_PER_SECOND):
        request(second * 1000 * MILLISECOND + number * 1000 * MILLISECOND // REQUESTS_PER_SECOND)
    # The processor's queue is short, and what does not fit is dropped.
    if second % 5 == 0 or second == end - 1:
        for provider in providers.values():
            assert provider.force_flush(), "not everything was taken"
