"""Files in, batch, OTLP/gRPC out: measures the process in the middle from its start until every record is delivered.

For each kind of line the file is written beforehand and read from its beginning. Rotel reads no files, so it is left out.
"""

import json
import pathlib
import random
import signal
import socket
import subprocess
import time

OUT = 24337
PEERS = ["watchfire", "otelcol"]
POD = "pods/shop_checkout-7d9f_0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9/main/0.log"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PATHS = ["/", "/api/orders", "/api/orders/81723", "/api/cart", "/static/app.js", "/healthz"]


def when(n):
    return f"2026-01-02T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}"


def plain(random, n):
    """A line of an access log, which stays as it is."""
    request = f'"GET {random.choice(PATHS)} HTTP/1.1" {random.choice([200, 200, 201, 304, 404])} {random.randrange(9999)}'
    return f'10.0.{random.randrange(256)}.{random.randrange(256)} - - [{when(n)}+00:00] {request} "-" "{AGENT}"\n', 1


def application(random, n):
    """A line of JSON."""
    line = {
        "time": f"{when(n)}.{random.randrange(1000):03}Z", "level": random.choice(["info", "info", "warn", "error"]),
        "msg": f"request finished: GET {random.choice(PATHS)}", "status": random.choice([200, 200, 404]),
        "duration_ms": random.randrange(100000) / 100, "remote_addr": f"10.0.0.{random.randrange(256)}",
        "user_agent": AGENT,
    }
    return json.dumps(line) + "\n", 1


def cri(random, n):
    """A line of a container, as containerd writes it; every 20th was cut in two."""
    begin = f"{when(n)}.{random.randrange(10 ** 9):09}Z {random.choice(['stdout', 'stdout', 'stderr'])}"
    text = f"handled order {random.randrange(10 ** 6)} in {random.randrange(900)} ms for customer {random.randrange(10 ** 5)}"
    return (f"{begin} P {text}, \n{begin} F {text}\n" if n % 20 == 0 else f"{begin} F {text}\n"), 1


KINDS = {
    "plain": (plain, "access.log", []),
    "json": (application, "app.log", [{
        "type": "json_parser",
        "timestamp": {"parse_from": "attributes.time", "layout": "%Y-%m-%dT%H:%M:%S.%LZ"},
        "severity": {"parse_from": "attributes.level"},
    }]),
    "cri": (cri, POD, [{"type": "container"}]),
}


def written(kind, options, cache):
    """The file, and how many records are in it."""
    line, name, _ = KINDS[kind]
    path = cache / "filelog" / f"{kind}-{options.lines}" / name
    count = path.with_suffix(".count")
    if not count.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        seeded, records = random.Random(7), 0
        with open(path, "w") as file:
            for n in range(options.lines):
                text, more = line(seeded, n)
                file.write(text)
                records += more
        count.write_text(str(records))
    return path, int(count.read_text())


def config(kind, path):
    return {
        "receivers": {"filelog": {
            "include": [str(path)], "start_at": "beginning", "include_file_path": True, "operators": KINDS[kind][2],
        }},
        "processors": {"batch": {"send_batch_size": 8192, "timeout": "200ms"}},
        "exporters": {"otlp": {
            "endpoint": f"127.0.0.1:{OUT}", "tls": {"insecure": True}, "compression": "none",
            "sending_queue": {"block_on_overflow": True},
        }},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            "pipelines": {"logs": {"receivers": ["filelog"], "processors": ["batch"], "exporters": ["otlp"]}},
        },
    }


def pinned(command, cpu):
    command = [str(part) for part in command]
    return command if cpu is None else ["taskset", "-c", str(cpu), *command]


def listens():
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", OUT), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the sink does not listen")


def measure(peer, binary, loader, kind, options, cache, cpus):
    path, records = written(kind, options, cache)
    file = cache / f"{peer}-filelog.json"
    file.write_text(json.dumps(config(kind, path), indent=1))
    with open(cache / f"{peer}-filelog.err", "wb") as log:
        # It has its process id before it starts, so that the sink can watch all of it.
        waiting = ["sh", "-c", 'read -r go && exec "$@"', "sh", binary, "--config", file]
        middle = subprocess.Popen(pinned(waiting, cpus[0]), stdin=subprocess.PIPE, stdout=log, stderr=log)
        sink = [
            loader, "--pid", middle.pid, "--to", "127.0.0.1:1", "--listen", f"127.0.0.1:{OUT}", "--protocol", "grpc",
            "--signal", "logs", "--expect", records,
        ]
        ending = subprocess.Popen(pinned(sink, cpus[1]), stdout=subprocess.PIPE)
        try:
            listens()
            middle.stdin.write(b"go\n")
            middle.stdin.close()
            result = json.loads(ending.communicate()[0] or "{}")
        finally:
            ending.kill()
            middle.send_signal(signal.SIGTERM)
            try:
                middle.wait(20)
            except subprocess.TimeoutExpired:
                middle.kill()
                middle.wait()
    if not result:
        raise SystemExit(f"{peer} did not deliver all of {path}, see {log.name}")
    return {"peer": peer, "kind": kind, "bytes": path.stat().st_size, "load": result}


def run(binaries, loader, options, cache: pathlib.Path, cpus):
    results = []
    for kind in options.kinds:
        for peer in [peer for peer in PEERS if peer in binaries]:
            runs = [measure(peer, binaries[peer], loader, kind, options, cache, cpus) for _ in range(options.runs)]
            # What else ran on the machine makes a run slower, never faster.
            results.append(max(runs, key=lambda run: run["load"]["items_per_cpu_second"]))
            print(json.dumps(runs), flush=True)
            (cache / "results-filelog.json").write_text(json.dumps(results, indent=1))
    print("\n| lines | peer | thousand records per CPU-second | MB per CPU-second | CPU-seconds | resident memory, MiB |")
    print("|---|---|---|---|---|---|")
    for result in results:
        load = result["load"]
        print(
            f"| {result['kind']} | {result['peer']} | {load['items_per_cpu_second'] / 1000:,.0f} |"
            f" {result['bytes'] / 1e6 / load['cpu_seconds']:,.0f} | {load['cpu_seconds']:.2f} | {load['max_rss_kib'] / 1024:.0f} |"
        )
