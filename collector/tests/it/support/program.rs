//! Another program that runs beside the collector, in a folder of its own.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take, on a machine with much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. It is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    folder: TempDir,
}

impl Program {
    /// Starts `program` in a new folder with these files.
    pub(crate) fn start(program: &Path, arguments: &[&str], files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Self::start_in(folder, program, arguments)
    }

    /// Starts another one in the folder of this one, which has ended.
    pub(crate) fn again(self, program: &Path, arguments: &[&str]) -> Self {
        Self::start_in(self.folder, program, arguments)
    }

    fn start_in(folder: TempDir, program: &Path, arguments: &[&str]) -> Self {
        let log = File::create(folder.path().join("log")).expect("a file");
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        Self { child, folder }
    }

    /// The folder that it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to standard output and standard error.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log")).expect("a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until it has written this.
    pub(crate) async fn says(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            let ended = self.child.try_wait().expect("the process can be asked");
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "it did not say {text:?} ({ended:?}):\n{}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once, as a crash or the kernel would.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("the process ends");
    }

    /// Asks it to end, as an init system would, and waits until it has.
    pub(crate) async fn end(&mut self) {
        let pid = self.child.id().expect("it runs");
        let status = Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status().await;
        assert!(status.expect("a shell").success(), "cannot send a signal");
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("it did not end:\n{}", self.log()))
            .expect("the process can be asked");
    }
}

/// Asks again and again until the answer is as it should be.
pub(crate) async fn until<T: std::fmt::Debug>(
    what: &str,
    ask: impl AsyncFn() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    until_or(what, ask, is_so, String::new).await
}

/// The same, with something to look at if it never is.
pub(crate) async fn until_or<T: std::fmt::Debug>(
    what: &str,
    ask: impl AsyncFn() -> T,
    is_so: impl Fn(&T) -> bool,
    log: impl Fn() -> String,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = ask().await;
        if is_so(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "not so: {what}: {found:?}\n{}", log());
        sleep(Duration::from_millis(50)).await;
    }
}
