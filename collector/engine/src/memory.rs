//! Watches the process's memory and sets the gate's pressure.
//!
//! Limits are those of a `memory_limiter` if there is one, or else a share of what the machine or the container has. Above
//! the soft limit receivers refuse with a retryable error, before they read a body.

use std::path::Path;
use std::time::Duration;

use component::memory::{MemoryLimiterConfig, MemoryLimiters, MemoryLimits, MemoryProbe, Scope, decide};
use component::{Admission, Handles, Limits, Telemetry};
use tokio::task::JoinHandle;

/// Where receivers begin to refuse, and where memory is given back as well, in percent of the memory there is; if no
/// `memory_limiter` says otherwise.
const PERCENT: (u64, u64) = (75, 90);
/// How often memory is measured then.
const INTERVAL: Duration = Duration::from_millis(250);
/// Requests under way may hold this part of the soft limit: each is held more than once while it is read and sent.
const IN_FLIGHT_SHARE: u64 = 3;
/// And never more than this. Where no `memory_limiter` gives the process its memory, the gate's default is less: then it is to
/// stay small whatever comes.
const IN_FLIGHT_MOST: usize = 64 << 20;

/// Starts the watch. It ends when the handle is aborted.
pub(crate) fn watch(admission: Admission, telemetry: &Telemetry, handles: Handles) -> JoinHandle<()> {
    let rss = telemetry.gauge("otelcol_process_memory_rss", "Resident memory, in bytes.", &[]);
    tokio::spawn(async move {
        let probe = match MemoryProbe::detect(Path::new("/")) {
            Ok(probe) => probe,
            Err(error) => {
                tracing::error!(%error, "memory cannot be measured and is not limited");
                return;
            }
        };
        let limiters = handles.get_or_default::<MemoryLimiters>();
        loop {
            // Looked up each time: a reload may bring other settings.
            let settings = limiters.current();
            let limits = limits(settings.as_deref(), probe.limit());
            let most = match settings {
                Some(_) => IN_FLIGHT_MOST,
                None => Limits::default().in_flight_bytes,
            };
            bound_in_flight(&admission, &limits, most);
            if let Ok(resident) = probe.resident() {
                rss.set(resident as f64);
            }
            match probe.usage(limits.scope) {
                Ok(used) => {
                    let before = admission.pressure();
                    let now = decide(used, &limits, before);
                    if now != before {
                        let MemoryLimits { soft, hard, .. } = limits;
                        tracing::warn!(?now, used, soft, hard, "memory pressure changed");
                        admission.set_pressure(now);
                    }
                }
                Err(error) => tracing::debug!(%error, "memory cannot be measured now"),
            }
            let interval = settings.map_or(INTERVAL, |settings| settings.check_interval.get());
            tokio::time::sleep(interval).await;
        }
    })
}

/// Keeps what is under way well below the soft limit: measuring comes too late for a burst, counting does not.
fn bound_in_flight(admission: &Admission, limits: &MemoryLimits, most: usize) {
    let room = usize::try_from(limits.soft / IN_FLIGHT_SHARE).unwrap_or(usize::MAX);
    let in_flight_bytes = most.min(room);
    let known = admission.limits();
    if known.in_flight_bytes != in_flight_bytes {
        admission.set_limits(Limits { in_flight_bytes, ..known });
    }
}

fn limits(settings: Option<&MemoryLimiterConfig>, available: u64) -> MemoryLimits {
    settings.map_or_else(
        || {
            let (soft, hard) = PERCENT;
            let share = |percent| available / 100 * percent;
            MemoryLimits { soft: share(soft), hard: share(hard), scope: Scope::Process }
        },
        |settings| settings.limits(available),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use component::Pressure;

    use super::*;

    #[test]
    fn a_memory_limiter_goes_before_the_defaults() {
        let settings = MemoryLimiterConfig { limit_mib: 1, ..MemoryLimiterConfig::default() };
        assert_eq!(limits(Some(&settings), 1 << 30).hard, 1 << 20);
        let default = limits(None, 1000);
        assert_eq!((default.soft, default.hard), (750, 900));
    }

    #[tokio::test(start_paused = true)]
    async fn pressure_follows_settings_that_come_and_change() {
        let (admission, telemetry, handles) =
            (Admission::default(), Telemetry::default(), Handles::default());
        let watch = watch(admission.clone(), &telemetry, handles.clone());
        let later = || tokio::time::sleep(Duration::from_secs(3));
        later().await;
        assert_eq!(admission.pressure(), Pressure::Normal);
        assert!(telemetry.total("otelcol_process_memory_rss") > 0.0);
        let limit = |limit_mib| Arc::new(MemoryLimiterConfig { limit_mib, ..MemoryLimiterConfig::default() });
        let (small, large) = (limit(1), limit(1 << 20));
        let limiters = handles.get_or_default::<MemoryLimiters>();
        limiters.add(&small);
        later().await;
        assert_eq!(admission.pressure(), Pressure::Hard, "every process is larger than 1 MiB");
        assert!(admission.limits().in_flight_bytes < 1 << 20);
        limiters.add(&large);
        later().await;
        assert_eq!(admission.pressure(), Pressure::Normal);
        assert_eq!(admission.limits().in_flight_bytes, IN_FLIGHT_MOST);
        drop(large);
        later().await;
        assert_eq!(admission.pressure(), Pressure::Hard, "the small one is still there");
        drop(small);
        later().await;
        assert_eq!(admission.pressure(), Pressure::Normal);
        assert_eq!(admission.limits(), Limits::default());
        watch.abort();
    }
}
