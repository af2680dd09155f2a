//! A component that panics costs one batch, comes back after a while, and its health says so.

use component::{ComponentStatus, Status};

use super::*;

impl Running {
    fn status(&self, component: &str) -> ComponentStatus {
        let all = self.health.snapshot();
        all.into_iter().find(|(key, _)| key.to_string() == component).expect("a component").1
    }

    fn built(&self) -> usize {
        self.bench.processors_built.load(Ordering::Relaxed)
    }

    /// Lets time pass for those who look at the clock now and then.
    async fn pass(&self, millis: u64) {
        self.clock.advance_to(self.clock.now() + Duration::from_millis(millis));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const TALLY: &str = "processor:tally@logs";
const SOURCE: &str = "receiver:source";

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_batch_and_the_processor_comes_back_later_each_time() {
    let running = start("[tally]", "[sink/a]").await;
    let built = running.built();
    for (n, wait) in [1000, 2000, 4000].into_iter().enumerate() {
        running.send(logs(1)).await.unwrap();
        assert!(running.send(logs(13)).await.unwrap_err().is_permanent());
        let status = running.status(TALLY);
        assert_eq!((status.status, status.restarts), (Status::Recovering, n as u64));
        assert_eq!(status.message.as_deref(), Some("panicked: unlucky"));
        assert!(!running.health.is_ok());
        running.pass(wait - 1).await;
        assert!(!running.send(logs(1)).await.unwrap_err().is_permanent());
        running.pass(1).await;
        assert_eq!(running.built(), built + n + 1);
        assert!(running.health.is_ok(), "{:?}", running.status(TALLY));
    }
    running.pass(600_000).await;
    assert!(running.send(logs(13)).await.is_err());
    running.pass(1000).await;
    running.send(logs(1)).await.expect("after long good work the wait is short again");
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_processor_comes_back_with_what_it_had_learned() {
    let running = start("[tally]", "[sink/a]").await;
    running.send(logs(5)).await.unwrap();
    running.engine.save_state().await;
    assert!(running.send(logs(13)).await.is_err());
    running.pass(1000).await;
    running.send(logs(1)).await.unwrap();
    assert_eq!(running.exported("a"), [5, 6]);
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_what_was_learned_costs_only_that() {
    let running = start("[tally]", "[sink/a]").await;
    running.send(logs(26)).await.unwrap();
    running.engine.save_state().await;
    assert!(running.send(logs(13)).await.is_err());
    running.pass(1000).await;
    running.send(logs(1)).await.unwrap();
    assert_eq!(running.exported("a"), [26, 1]);
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_cannot_be_built_again_is_tried_again() {
    let running = start("[tally]", "[sink/a]").await;
    assert!(running.send(logs(13)).await.is_err());
    running.bench.unbuildable.store(true, Ordering::Relaxed);
    running.pass(1000).await;
    let status = running.status(TALLY);
    assert_eq!(status.status, Status::Failed);
    assert_eq!(status.message.as_deref(), Some("cannot be built again: panicked: unbuildable"));
    running.bench.unbuildable.store(false, Ordering::Relaxed);
    running.pass(60_000).await;
    running.send(logs(1)).await.unwrap();
    assert!(running.health.is_ok());
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_panics_comes_back_later_each_time() {
    let running = start("[]", "[sink/a]").await;
    for (n, wait) in [1000, 2000, 4000].into_iter().enumerate() {
        drop(running.begin(logs(14)).await);
        tokio::time::sleep(Duration::from_millis(wait - 1)).await;
        let status = running.status(SOURCE);
        assert_eq!((status.status, status.restarts), (Status::Recovering, n as u64));
        assert_eq!(status.message.as_deref(), Some("panicked: unlucky"));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(running.status(SOURCE).status, Status::Ok);
        running.send(logs(1)).await.unwrap();
    }
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_whose_building_panics_is_tried_again() {
    let running = start("[]", "[sink/a]").await;
    running.bench.unbuildable.store(true, Ordering::Relaxed);
    drop(running.begin(logs(14)).await);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let message = running.status(SOURCE).message.unwrap_or_default();
    assert!(message.contains("cannot start again: panicked: unbuildable"), "{message}");
    running.bench.unbuildable.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    running.send(logs(1)).await.unwrap();
    assert!(running.health.is_ok());
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_panics_costs_one_batch() {
    let running = start("[]", "[sink/fragile]").await;
    running.send(logs(1)).await.unwrap();
    assert!(running.send(logs(15)).await.unwrap_err().is_permanent());
    let status = running.status("exporter:sink/fragile");
    assert_eq!((status.status, status.restarts), (Status::Recovering, 1));
    assert_eq!(status.message.as_deref(), Some("panicked: unlucky"));
    running.send(logs(1)).await.unwrap();
    assert!(running.health.is_ok());
    running.engine.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_reload_builds_leaves_the_old_configuration_running() {
    let mut running = start("[tally]", "[sink/a]").await;
    running.bench.unbuildable.store(true, Ordering::Relaxed);
    let error = running.engine.reload(&load("[tally/new]", "[sink/a]")).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start processor:tally/new@logs: panicked: unbuildable");
    running.send(logs(4)).await.unwrap();
    assert_eq!(running.exported("a"), [4]);
    running.engine.shut_down().await;
}
