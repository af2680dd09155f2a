//! `config/examples/quickstart.yaml` as a newcomer meets it: the OpenTelemetry SDK for Python reports a shop, something breaks, and
//! the incident shows in the terminal, in the file and in a real Alertmanager; then it is mended, and the incident is over
//! everywhere.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use transport::http::ClientSettings;

use crate::support::{PATIENCE, free_address, peer, until_or};
use crate::workspace::root;

const TEST: &str = "a_fault_is_seen_in_the_terminal_the_file_and_alertmanager_and_clears";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_is_seen_in_the_terminal_the_file_and_alertmanager_and_clears() {
    let (Some(python), Some(alertmanager)) = (peer("python-otlp", TEST), peer("alertmanager", TEST)) else {
        return;
    };
    let setup = Setup::start(&alertmanager).await;
    let shop = |from: u64, to: u64, state: &'static str| setup.shop(&python, from, to, state);
    shop(900, 360, "healthy").await;
    assert_eq!(
        setup.incidents(),
        Vec::<Json>::new(),
        "a healthy shop has no incident:\n{}",
        setup.terminal()
    );

    shop(360, 240, "broken").await;
    let firing =
        setup.until("an alert fires", async || setup.alerts().await, |alerts| !alerts.is_empty()).await;
    let labels = &firing[0]["labels"];
    assert_eq!(labels["alertname"], "WatchfireIncident", "{firing:?}");
    assert_eq!((&labels["service"], &labels["severity"]), (&"cart".into(), &"critical".into()), "{firing:?}");
    let incident = setup.incidents().remove(0);
    assert_eq!(incident["id"], labels["incident_id"]);
    assert_eq!(incident["state"], "open");
    assert_eq!(incident["root_causes"][0]["service"], "cart", "{incident}");
    let title = incident["title"].as_str().expect("an incident has a title");
    // The cart is both; either comes first by right.
    assert!(["cart is slow", "cart fails requests"].iter().any(|fault| title.starts_with(fault)), "{title}");
    let terminal = setup.terminal();
    assert!(terminal.contains(&format!("INCIDENT  critical {title}")), "{terminal}");

    shop(240, 0, "healthy").await;
    setup.until("every alert clears", async || setup.alerts().await, Vec::is_empty).await;
    let last = setup.incidents().pop().expect("the incident is in the file");
    assert_eq!((&last["id"], &last["state"]), (&incident["id"], &"resolved".into()), "{last}");
    let title = last["title"].as_str().expect("an incident has a title");
    assert!(setup.terminal().contains(&format!("RESOLVED critical {title}")), "{}", setup.terminal());
}

/// The collector and Alertmanager, running.
struct Setup {
    folder: TempDir,
    otlp: String,
    alerts_url: String,
    /// The moment that the shop's times are counted back from, in seconds.
    now: u64,
    client: reqwest::Client,
    _processes: [Child; 2],
}

impl Setup {
    async fn start(alertmanager: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (otlp, alerts) = (free_address(), free_address());
        let alertmanager = start_alertmanager(alertmanager, folder.path(), &alerts);
        let log = folder.path().join("app.log");
        std::fs::write(&log, "").expect("a file");
        let variables = [
            ("WATCHFIRE_HEALTH", free_address()),
            ("WATCHFIRE_OTLP_GRPC", otlp.clone()),
            ("WATCHFIRE_OTLP_HTTP", free_address()),
            ("WATCHFIRE_METRICS", free_address()),
            ("WATCHFIRE_INCIDENTS", folder.path().join("incidents.jsonl").display().to_string()),
            ("WATCHFIRE_LOGS", log.display().to_string()),
            ("ALERTMANAGER_URL", format!("http://{alerts}")),
        ];
        let watchfire = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["--config", "config/examples/quickstart.yaml"])
            .current_dir(root())
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("terminal")).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let since_epoch = clock().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        let setup = Self {
            folder,
            otlp,
            alerts_url: format!("http://{alerts}/api/v2/alerts"),
            // At a full minute, so that windows of time cut the shop's requests alike whenever the test runs.
            now: since_epoch.as_secs() / 60 * 60,
            client: transport::http::client(&ClientSettings::default()).expect("the settings are usable"),
            _processes: [alertmanager, watchfire],
        };
        let is_running = |terminal: &String| terminal.contains("everything is running");
        setup.until("it runs", async || setup.terminal(), is_running).await;
        setup.until("Alertmanager answers", async || setup.try_alerts().await, Option::is_some).await;
        setup
    }

    /// Lets the shop report what happened so many seconds before now.
    async fn shop(&self, python: &Path, from: u64, to: u64, state: &str) {
        let mut command = Command::new(python.join("venv/bin/python"));
        command
            .arg(root().join("collector/tests/peers/python-otlp/shop.py"))
            .arg(format!("http://{}", self.otlp))
            .args([(self.now - from).to_string(), (self.now - to).to_string(), state.to_owned()])
            // Whatever the machine's own settings for OTLP are, they are not meant here.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.expect("the script ends");
        let output = output.expect("the script starts");
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.terminal());
    }

    /// What the collector wrote to the terminal.
    fn terminal(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("terminal")).expect("the terminal is a file")
    }

    /// The incidents about the shop in the file. The machine that the test runs on may have some of its own.
    fn incidents(&self) -> Vec<Json> {
        let text =
            std::fs::read_to_string(self.folder.path().join("incidents.jsonl")).expect("the file is there");
        let events = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
        let is_ours =
            |event: &Json| event["type"] == "incident" && is_about_shop(&event["services"].to_string());
        events.filter(is_ours).collect()
    }

    /// The alerts about the shop that fire.
    async fn alerts(&self) -> Vec<Json> {
        self.try_alerts().await.expect("Alertmanager answers")
    }

    async fn try_alerts(&self) -> Option<Vec<Json>> {
        let answer = self.client.get(&self.alerts_url).send().await.ok()?;
        let alerts: Vec<Json> = serde_json::from_str(&answer.text().await.ok()?).expect("alerts are JSON");
        let is_ours = |alert: &Json| is_about_shop(&alert["annotations"]["services"].to_string());
        Some(alerts.into_iter().filter(is_ours).collect())
    }

    /// Asks until the answer is as it should be.
    async fn until<T: std::fmt::Debug>(
        &self,
        what: &str,
        ask: impl AsyncFn() -> T,
        is_so: impl Fn(&T) -> bool,
    ) -> T {
        until_or(what, ask, is_so, || self.terminal()).await
    }
}

fn is_about_shop(services: &str) -> bool {
    ["cart", "frontend"].iter().any(|service| services.contains(service))
}

fn start_alertmanager(installed: &Path, folder: &Path, address: &str) -> Child {
    let config = "{route: {receiver: nobody, group_by: [incident_id]}, receivers: [{name: nobody}]}";
    std::fs::write(folder.join("alertmanager.yml"), config).expect("a file");
    Command::new(installed.join("alertmanager"))
        .args(["--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address="])
        .arg(format!("--web.listen-address={address}"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("alertmanager.log")).expect("a file"))
        .kill_on_drop(true)
        .spawn()
        .expect("Alertmanager starts")
}

#[expect(clippy::disallowed_methods, reason = "Alertmanager and the collector go by the real time")]
fn clock() -> SystemTime {
    SystemTime::now()
}
