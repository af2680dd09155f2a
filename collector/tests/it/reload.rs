//! The real binary: own metrics, and a configuration that changes while it runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Long enough for a busy machine; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `watchfire`. Killed when dropped.
struct Process {
    child: Child,
    log: Receiver<String>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["run", "--config"])
            .arg(config)
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log }
    }

    /// Waits for a line of the log that contains `text`.
    fn wait_for(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no `{text}`: {error}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([name, &id]).status().expect("kill runs");
        assert!(status.success());
    }
}

/// What `GET /metrics` answers.
fn metrics(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("own metrics are served");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn configuration(exporters: &str) -> String {
    format!(
        "receivers: {{hostmetrics: {{collection_interval: 60s, scrapers: {{load: }}}}}}\n\
         exporters: {{debug/first: , debug/second: }}\n\
         service:\n  telemetry: {{metrics: {{address: 127.0.0.1:0}}}}\n  \
         pipelines: {{metrics: {{receivers: [hostmetrics], exporters: {exporters}}}}}\n"
    )
}

#[test]
fn a_changed_file_comes_into_force_and_a_wrong_one_leaves_the_old_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    // As Kubernetes mounts a ConfigMap: every version in a folder of its own, and a link that is swapped.
    let publish = |version: &str, text: &str| {
        std::fs::create_dir(path(version)).expect("a new version");
        std::fs::write(path(version).join("config.yaml"), text).expect("its file");
        symlink(version, path("..new")).expect("a link");
        std::fs::rename(path("..new"), path("..data")).expect("the swap");
    };
    publish("v1", &configuration("[debug/first]"));
    symlink("..data/config.yaml", path("config.yaml")).expect("a link");

    let mut process = Process::start(&path("config.yaml"));
    let line = process.wait_for("serving own metrics");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split("/metrics").next()).expect("a URL");
    process.wait_for("everything is running");
    let first = metrics(address);
    assert!(first.contains("exporter=\"debug/first\"") && !first.contains("debug/second"), "{first}");
    assert!(first.contains("otelcol_process_uptime "), "{first}");

    publish("v2", &configuration("[debug/second]"));
    process.wait_for("the new configuration is in force");
    assert!(metrics(address).contains("exporter=\"debug/second\""));

    publish("v3", &configuration("[debug/third]"));
    process.wait_for("the old one goes on");
    assert!(metrics(address).starts_with("HTTP/1.1 200"));
    publish("v4", &configuration("[debug/first, debug/second]"));
    process.wait_for("the new configuration is in force");

    process.signal("-HUP");
    process.wait_for("SIGHUP");
    process.wait_for("the new configuration is in force");
    process.signal("-TERM");
    process.wait_for("shutting down");
    assert!(process.child.wait().expect("it ends").success());
}

#[test]
fn a_taken_port_for_own_metrics_is_an_error_at_the_start_that_names_the_key() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, configuration("[debug/first]").replace("127.0.0.1:0", &address)).expect("a file");
    let mut process = Process::start(&file);
    let line = process.wait_for("service.telemetry.metrics");
    assert!(line.contains(&address), "{line}");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(1));
}
