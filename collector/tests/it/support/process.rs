//! A running `watchfire`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long a start or an end may take, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// The binary under test: another one, such as a release build, if `WATCHFIRE_BINARY` names it.
fn binary() -> OsString {
    std::env::var_os("WATCHFIRE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_watchfire").into())
}

/// A `watchfire` process. It is killed when this is dropped.
pub(crate) struct Collector {
    child: Child,
    folder: TempDir,
}

impl Collector {
    /// Starts one with this configuration and waits until everything runs.
    pub(crate) async fn start(config: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self::start_in(folder, config).await
    }

    async fn start_in(folder: TempDir, config: &str) -> Self {
        let write = |name: &str| std::fs::File::create(folder.path().join(name)).expect("a file");
        std::fs::write(folder.path().join("config.yaml"), config).expect("a configuration");
        let child = Command::new(binary())
            .args([
                "run",
                "--config",
                "config.yaml",
                "--set",
                "service.telemetry.metrics.address=127.0.0.1:0",
            ])
            .current_dir(folder.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(write("stdout"))
            .stderr(write("stderr"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let mut collector = Self { child, folder };
        let deadline = Instant::now() + PATIENCE;
        while !collector.log().contains("everything is running") {
            let ended = collector.child.try_wait().expect("the process can be asked");
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "it did not start ({ended:?}):\n{}", collector.log());
            sleep(Duration::from_millis(20)).await;
        }
        collector
    }

    /// Starts another one in the same folder, after this one has ended.
    pub(crate) async fn restart(self, config: &str) -> Self {
        let Self { mut child, folder } = self;
        child.kill().await.expect("the process ends");
        Self::start_in(folder, config).await
    }

    /// Puts another configuration into the place of the first, at once, and asks for it to be read.
    pub(crate) async fn reload(&self, config: &str) {
        let folder = self.folder.path();
        std::fs::write(folder.join("next.yaml"), config).expect("a configuration");
        std::fs::rename(folder.join("next.yaml"), folder.join("config.yaml")).expect("a configuration");
        self.signal("HUP").await;
    }

    /// Ends it at once, as a crash or the kernel would.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("the process ends");
    }

    /// Asks it to end, as an init system would.
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Waits for the end that somebody asked for.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it did not end:\n{}", self.log())).expect("the process can be asked")
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let pid = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line about memory");
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
        kilobytes * 1024
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).expect("a log")
    }

    /// The `host:port` at which it serves its own metrics.
    pub(crate) fn own_metrics(&self) -> String {
        let log = self.log();
        let address =
            log.split("http://").filter_map(|rest| rest.split_once("/metrics")).map(|(address, _)| address);
        address.last().unwrap_or_else(|| panic!("it does not say where its metrics are:\n{log}")).to_owned()
    }

    /// The folder that it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs");
        let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status().await;
        assert!(status.expect("a shell").success(), "cannot send {name}");
    }
}
