//! Exchanges what differs, downstream first, and drains what goes.
//!
//! In: a plan and what was built for it. From here on failures are reported, not undone: what was there is gone already.

use std::collections::HashMap;
use std::sync::Arc;

use component::{Context, Exporter, Ingress, Receiver, RunError, ShutdownTrigger};
use config::ComponentId;
use pdata::SignalSet;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{error, info};

use super::build::{Built, Fresh};
use super::{Engine, EngineError, RunningBranch, RunningLane, RunningReceiver, stop_receivers};
use crate::branch::Branch;
use crate::intake::Routes;
use crate::lane::{Ends, LaneInput, RunningStage, prepare};
use crate::plan::{ExporterPlan, LanePlan, Plan, ReceiverPlan};
use crate::stage::{Slot, Stage};
use crate::supervise::{self, Blueprint, describe};

impl Engine {
    /// Exchanges what differs. From here on failures are reported, not undone: what was there is gone already.
    pub(super) async fn commit(&mut self, plan: &mut Plan, mut fresh: Fresh) -> Result<(), EngineError> {
        let deadline = Instant::now() + self.shutdown_timeout;
        let replaced_exporters = self.start_branches(plan, &mut fresh).await;
        for (name, lane) in &plan.lanes {
            if !self.lanes.contains_key(name) {
                let input = Arc::new(LaneInput::new(name.clone(), lane.signals));
                self.lanes.insert(
                    name.clone(),
                    RunningLane { fingerprint: Value::Null, input, stages: Vec::new() },
                );
            }
        }
        // Receivers that go, and those that change, stop before their lanes do.
        self.stop_old_receivers(plan, &fresh, deadline).await;
        for (name, lane) in plan.lanes.iter().rev() {
            if let Some(built) = fresh.processors.remove(name) {
                self.exchange_lane(lane, built).await;
            }
        }
        for (_, lane) in
            self.lanes.extract_if(.., |name, _| !plan.lanes.contains_key(name)).collect::<Vec<_>>()
        {
            lane.drain().await;
        }
        let gone = self
            .branches
            .extract_if(.., |id, _| !plan.exporters.contains_key(id))
            .map(|(_, running)| running);
        let gone: Vec<_> = gone.chain(replaced_exporters).collect();
        for running in gone {
            running.branch.shut_down(running.runner, deadline).await;
        }
        let order: HashMap<_, _> = plan.lanes.keys().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        self.lanes.sort_by(|a, _, b, _| order.get(a).cmp(&order.get(b)));
        self.start_receivers(plan, fresh).await;
        Ok(())
    }

    /// Starts new and changed branches; returns those that were replaced, still running.
    async fn start_branches(&mut self, plan: &Plan, fresh: &mut Fresh) -> Vec<RunningBranch> {
        let mut replaced = Vec::new();
        for (id, exporter) in &plan.exporters {
            let Some((built, context)) = fresh.exporters.remove(id) else { continue };
            // Marks the lanes that use it as changed; see `lane_changes`, which has run already.
            if self.branches.contains_key(id)
                && let Err(error) = built.start().await
            {
                error!(exporter = %id, error = describe(&error), "a changed exporter cannot start");
                context.health.failed(describe(&error));
            }
            match run_branch(exporter, built, context.clone()) {
                Ok(running) => replaced.extend(self.branches.insert(id.clone(), running)),
                Err(error) => {
                    error!(exporter = %id, error = describe(&error), "its queue cannot be opened");
                    context.health.failed(describe(&error));
                }
            }
        }
        for running in self.branches.values() {
            if let Some(dead_letter) =
                running.branch.settings().dead_letter.as_ref().and_then(|id| self.branches.get(id))
            {
                running.branch.set_dead_letter(Arc::clone(&dead_letter.branch));
            }
        }
        replaced
    }

    async fn stop_old_receivers(&mut self, plan: &Plan, fresh: &Fresh, deadline: Instant) {
        let ends = |id: &ComponentId| !plan.receivers.contains_key(id) || fresh.receivers.contains_key(id);
        let old: Vec<_> =
            self.receivers.extract_if(.., |id, _| ends(id)).map(|(_, receiver)| receiver).collect();
        stop_receivers(old, deadline).await;
    }

    async fn exchange_lane(&mut self, lane: &LanePlan, built: Vec<Vec<Vec<Built>>>) {
        let ends = Ends {
            branches: lane
                .exporters
                .iter()
                .filter_map(|id| self.branches.get(id))
                .map(|r| Arc::clone(&r.branch))
                .collect(),
            lanes: lane
                .lanes
                .iter()
                .filter_map(|(name, signals)| Some((Arc::clone(&self.lanes.get(name)?.input), *signals)))
                .collect(),
        };
        let Some(running) = self.lanes.get_mut(&lane.name) else { return };
        let shapes: Vec<_> = lane.stages.iter().map(|stage| (stage.affinity, stage.shards)).collect();
        let (target, prepared) = prepare(&shapes, ends);
        // New data waits in the new queues while the old ones are drained.
        running.input.aim(Some(target));
        let mut old = Vec::new();
        for stage in std::mem::take(&mut running.stages) {
            old.extend(stage.join().await);
        }
        for (stage, shards) in prepared.into_iter().zip(built) {
            let shards = shards.into_iter().map(|slots| settle(slots, &mut old)).collect();
            running.stages.push(RunningStage::spawn(stage, shards, &self.environment.clock));
        }
        running.fingerprint = lane.fingerprint();
    }

    async fn start_receivers(&mut self, plan: &Plan, mut fresh: Fresh) {
        for (id, receiver) in &plan.receivers {
            let lanes: Vec<_> = receiver.lanes.iter().filter_map(|name| self.lanes.get(name)).collect();
            let lanes = lanes.into_iter().map(|lane| Arc::clone(&lane.input)).collect();
            if let Some(running) = self.receivers.get(id) {
                running.routes.set(lanes);
                continue;
            }
            let Some((built, context)) = fresh.receivers.remove(id) else { continue };
            let running = self.run_receiver(receiver, built, context, lanes).await;
            self.receivers.insert(id.clone(), running);
        }
    }

    async fn run_receiver(
        &self,
        plan: &ReceiverPlan,
        mut built: Box<dyn Receiver>,
        context: Context,
        lanes: Vec<Arc<LaneInput>>,
    ) -> RunningReceiver {
        // One that is new has started already; one that changed had to wait for its predecessor to let go of the port.
        let started = self.environment.health.snapshot().get(&context.key).map(|entry| entry.status);
        if started != Some(component::Status::Starting)
            && let Err(error) = built.start().await
        {
            error!(receiver = %context.key.id, error = describe(&error), "a changed receiver cannot start");
            context.health.recovering(describe(&error));
        }
        let routes = Arc::new(Routes::new(lanes));
        let name = context.key.id.to_string();
        let environment = &self.environment;
        let ingress = Ingress::new(
            &name,
            Arc::clone(&routes) as _,
            environment.admission.clone(),
            &environment.telemetry,
        );
        let trigger = ShutdownTrigger::default();
        let blueprint = Blueprint { section: plan.section.clone(), create: plan.factory.create, context };
        let task = tokio::spawn(supervise::run(built, blueprint, ingress, trigger.listener()));
        info!(receiver = name, "started");
        RunningReceiver { fingerprint: plan.section.node.to_json(), routes, trigger, task }
    }
}

/// Puts processors into their places: the old one where it fits, so that it keeps what it learned.
fn settle(slots: Vec<Built>, old: &mut Vec<Slot>) -> Stage {
    let settled = slots.into_iter().map(|Built { plan, context, processor }| {
        let kept = old.iter().position(|slot| slot.fits(&plan.section, context.shard, context.shards));
        let processor = kept.and_then(|i| old.swap_remove(i).into_processor()).unwrap_or(processor);
        Slot::new(plan.section, context, plan.signals, plan.create, processor)
    });
    Stage::new(settled.collect())
}

fn run_branch(
    plan: &ExporterPlan,
    exporter: Arc<dyn Exporter>,
    context: Context,
) -> Result<RunningBranch, RunError> {
    let waiting = Branch::waiting(&plan.delivery, &context)?;
    let signals: SignalSet = plan.factory.signals;
    let branch = Arc::new(Branch::new(exporter, signals, plan.delivery.clone(), context, waiting));
    let runner = tokio::spawn(Arc::clone(&branch).run());
    Ok(RunningBranch { fingerprint: plan.fingerprint.clone(), branch, runner })
}
