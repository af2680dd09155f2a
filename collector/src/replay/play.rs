//! Inputs through a configuration.
//!
//! Reading and decoding run on a thread of their own, a bounded distance ahead of the pipelines.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use component::Registry;
use config::Config;
use engine::{Environment, Recorded, Replayed};
use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::{InputError, Inputs, Tally};
use crate::cli::Failure;
use crate::run::failure;

/// What is decoded ahead, in chunks: handing over one batch at a time would cost more than decoding it.
const CHUNKS_AHEAD: usize = 3;
const CHUNK_BATCHES: usize = 64;
const CHUNK_BYTES: usize = 512 << 10;

/// How to play.
pub(crate) struct Play<'a> {
    /// The pipelines.
    pub(crate) config: &'a Config,
    /// The components there are.
    pub(crate) registry: &'a Registry,
    /// What components share.
    pub(crate) environment: Environment,
    /// At a multiple of the speed at which it was recorded; as fast as it goes if not said.
    pub(crate) speed: Option<f64>,
}

/// What came of it.
pub(crate) struct Played {
    /// What was read.
    pub(crate) tally: Tally,
    /// What the engine did.
    pub(crate) replayed: Replayed,
    /// Whether everything was read.
    pub(crate) read: Result<(), InputError>,
}

/// What the reader hands over: batches, what was read so far, and how it ended if it has.
struct Chunk {
    batches: Vec<Recorded>,
    tally: Tally,
    end: Option<Result<(), InputError>>,
}

/// What is known of the reading so far: what was read, and how it ended if it has.
type Reading = Arc<Mutex<(Tally, Option<Result<(), InputError>>)>>;

/// Plays the inputs to their end.
///
/// # Errors
/// If the configuration is wrong, a component cannot start, or an exporter does not take what it is given. An input
/// that cannot be read to its end is no error here.
pub(crate) fn play(inputs: Inputs, play: Play<'_>) -> Result<Played, Failure> {
    let Play { config, registry, environment, speed } = play;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    // Nobody waits for the reader in the end: if the pipelines have failed, it may be waiting for its input.
    std::thread::Builder::new()
        .name("replay-reader".to_owned())
        .spawn(move || read(inputs, &sender))
        .context("cannot start a thread")?;
    let reading = Reading::default();
    let input = batches(receiver, Arc::clone(&reading));
    let replayed =
        runtime.block_on(engine::replay(config, registry, environment, input, speed)).map_err(failure);
    runtime.shutdown_background();
    let replayed = replayed?;
    let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
    let (tally, read) = std::mem::take(&mut *reading);
    // Whoever reads says when it is done.
    let read = read.context("the reader of the inputs panicked")?;
    Ok(Played { tally, replayed, read })
}

/// Reads until the inputs end, one of them fails, or nobody listens any more.
fn read(mut inputs: Inputs, sender: &mpsc::Sender<Chunk>) {
    loop {
        let (mut batches, mut bytes) = (Vec::with_capacity(CHUNK_BATCHES), 0);
        let end = loop {
            if batches.len() == CHUNK_BATCHES || bytes >= CHUNK_BYTES {
                break None;
            }
            match inputs.next() {
                Some(Ok(recorded)) => {
                    bytes += recorded.batch.encoded_len();
                    batches.push(recorded);
                }
                Some(Err(error)) => break Some(Err(error)),
                None => break Some(Ok(())),
            }
        };
        let is_last = end.is_some();
        let listened = sender.blocking_send(Chunk { batches, tally: inputs.tally(), end }).is_ok();
        if is_last || !listened {
            return;
        }
    }
}

fn batches(mut receiver: mpsc::Receiver<Chunk>, reading: Reading) -> impl Stream<Item = Recorded> {
    let chunks = stream::poll_fn(move |context| receiver.poll_recv(context));
    chunks.flat_map(move |Chunk { batches, tally, end }| {
        let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
        *reading = (tally, end);
        stream::iter(batches)
    })
}
