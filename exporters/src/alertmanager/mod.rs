#![doc = include_str!("README.md")]

mod alert;
mod board;
mod cluster;
mod config;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ::config::{ComponentId, Section};
use async_trait::async_trait;
use bytes::Bytes;
use component::{
    BuildError, Clock, ConfigSpec, Context, Counter, ExportError, Exporter, ExporterFactory, Gauge, RunError,
    Stability, StorageClient,
};
use pdata::{Batch, Signal, SignalSet};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use transport::describe;

use self::alert::Alert;
use self::board::{Board, Reading};
use self::cluster::Cluster;
pub use self::config::{BasicAuth, Config};
use crate::webhook;

/// So many alerts go into one request.
const MOST_IN_REQUEST: usize = 256;
/// How long a repetition may take; new alerts wait meanwhile.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// The entry in the storage.
const STORED: &str = "alerts";

/// Builds `alertmanager` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "alertmanager",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Events]),
    config: ConfigSpec::of::<Config>(),
    delivery: webhook::in_order,
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    Ok(Box::new(Alertmanager {
        shared: Arc::new(Shared::new(section.parse()?, context)?),
        task: Mutex::default(),
    }))
}

/// Tells Alertmanagers of incidents, and keeps telling them.
struct Alertmanager {
    shared: Arc<Shared>,
    task: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
}

/// What export and keep-alive share.
struct Shared {
    config: Config,
    cluster: Cluster,
    clock: Clock,
    room: Arc<Room>,
    storage: Option<Arc<dyn StorageClient>>,
    firing: Gauge,
    forgotten: Counter,
}

/// The board and who may post from it.
#[derive(Default)]
struct Room {
    board: Mutex<Board>,
    /// Held from reading the board until the answer: requests overtake each other otherwise.
    posting: tokio::sync::Mutex<()>,
}

/// The boards of all exporters of this type, so that one that is built anew by a reload goes on where the old one was.
#[derive(Default)]
struct Rooms(Mutex<HashMap<ComponentId, Weak<Room>>>);

impl Rooms {
    fn of(&self, id: &ComponentId) -> Arc<Room> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, room| room.strong_count() > 0);
        if let Some(room) = rooms.get(id).and_then(Weak::upgrade) {
            return room;
        }
        let room = Arc::default();
        rooms.insert(id.clone(), Arc::downgrade(&room));
        room
    }
}

impl Shared {
    fn new(config: Config, context: &Context) -> Result<Self, BuildError> {
        let id = context.key.id.to_string();
        let labels: &[(&str, &str)] = &[("exporter", &id)];
        Ok(Self {
            cluster: Cluster::new(&config, context)?,
            clock: context.clock.clone(),
            room: context.handles.get_or_default::<Rooms>().of(&context.key.id),
            storage: storage(&config, context)?,
            firing: context.telemetry.gauge(
                "otelcol_exporter_alertmanager_firing_alerts",
                "Alerts that are kept alive.",
                labels,
            ),
            forgotten: context.telemetry.counter(
                "otelcol_exporter_alertmanager_forgotten_alerts",
                "Firing alerts that were no longer kept alive because there were too many.",
                labels,
            ),
            config,
        })
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.room.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the events in that alerts are made of; returns which alerts they are about.
    fn note(&self, batch: &Batch) -> BTreeSet<String> {
        let Batch::Events(events) = batch else { return BTreeSet::new() };
        let now = self.clock.now();
        let mut keys = BTreeSet::new();
        let mut board = self.board();
        for news in events.iter().filter_map(|event| alert::news(event, &self.config, now)) {
            keys.insert(news.key.clone());
            let forgotten = board.put(news, now, self.config.max_alerts);
            self.forgotten.add(forgotten as u64);
        }
        self.firing.set(board.firing(now) as f64);
        keys
    }

    /// Posts what `read` takes from the board.
    async fn post(&self, read: impl FnOnce(&Board) -> Reading) -> Result<(), ExportError> {
        let _posting = self.room.posting.lock().await;
        let reading = read(&self.board());
        if reading.alerts.is_empty() {
            return Ok(());
        }
        let bodies =
            self.bodies(&reading.alerts).map_err(|error| ExportError::permanent(describe(&error)))?;
        if self.cluster.post(&bodies).await? {
            self.board().known(&reading);
        }
        Ok(())
    }

    fn bodies(&self, alerts: &[Alert]) -> serde_json::Result<Vec<Bytes>> {
        let now = self.clock.now();
        let body = |chunk: &[Alert]| {
            alert::to_json(chunk, &self.config, now, self.config.resolve_timeout.get()).map(Bytes::from)
        };
        alerts.chunks(MOST_IN_REQUEST).map(body).collect()
    }

    /// Tells of everything that is firing, again and again, until `ended`.
    async fn keep_alive(self: Arc<Self>, ended: CancellationToken) {
        let mut ticks = tokio::time::interval(self.config.resend_interval.get());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = ended.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = self.clock.now();
            {
                let mut board = self.board();
                board.tidy(now, self.config.forget_after.get());
                self.firing.set(board.firing(now) as f64);
            }
            let round = tokio::time::timeout(KEEP_ALIVE_TIMEOUT, self.post(|board| board.read_due(now)));
            tokio::select! {
                () = ended.cancelled() => return,
                result = round => match result {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "no Alertmanager took the firing alerts again"),
                    Err(_) => tracing::warn!("no Alertmanager took the firing alerts again in time"),
                }
            }
            self.save().await;
        }
    }

    /// Takes over what an earlier process left, unless something newer is known.
    fn restore(&self) {
        let Some(storage) = &self.storage else { return };
        let stored = match storage.get(STORED) {
            Ok(Some(stored)) => stored,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(error = describe(&error), "cannot read the firing alerts of the last run");
                return;
            }
        };
        match serde_json::from_slice::<Board>(&stored) {
            Ok(stored) => self.board().adopt(stored),
            Err(error) => tracing::error!(%error, "the firing alerts of the last run are not readable"),
        }
    }

    /// Keeps the board for the next process.
    async fn save(&self) {
        let Some(storage) = self.storage.clone() else { return };
        let text = match serde_json::to_vec(&*self.board()) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(%error, "cannot write down the firing alerts");
                return;
            }
        };
        let saved = tokio::task::spawn_blocking(move || storage.set(STORED, &text)).await;
        match saved {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = describe(&error), "cannot save the firing alerts"),
            Err(error) => tracing::error!(%error, "cannot save the firing alerts"),
        }
    }
}

fn storage(config: &Config, context: &Context) -> Result<Option<Arc<dyn StorageClient>>, BuildError> {
    let Some(id) = &config.storage else { return Ok(None) };
    let storage =
        context.storages.get(id).ok_or_else(|| BuildError::other(format!("`{id}` is no storage")))?;
    let client = storage.client(&context.key, "").map_err(|error| BuildError::other(describe(&error)))?;
    Ok(Some(client))
}

#[async_trait]
impl Exporter for Alertmanager {
    async fn start(&self) -> Result<(), RunError> {
        self.shared.restore();
        let ended = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&self.shared).keep_alive(ended.clone()));
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some((ended, task));
        Ok(())
    }

    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let keys = self.shared.note(&batch);
        if keys.is_empty() {
            return Ok(());
        }
        let result = self.shared.post(|board| board.read(keys.iter().map(String::as_str))).await;
        self.shared.save().await;
        result
    }

    async fn shutdown(&self) -> Result<(), ExportError> {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((ended, task)) = task {
            ended.cancel();
            task.await.map_err(|error| ExportError::permanent(format!("keep-alive ended badly: {error}")))?;
        }
        self.shared.save().await;
        Ok(())
    }
}
