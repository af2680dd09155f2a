//! Which episodes are worth telling: what a series does not do by itself every day, and of that so much as a service's budget allows.

use std::time::Duration;

use pdata::Timestamp;
use pdata::event::Phase;
use serde::{Deserialize, Serialize};

use super::excursions::{Excursions, days};
use super::findings::Named;
use super::series::{Scored, Settings};
use crate::identity::Identity;
use crate::table::{Saved, Table};

/// How long a service that has an open episode stays with it after the last point of it.
const COMPANY: Duration = Duration::from_secs(120);
/// What a series does by itself more often than once in so many days is never told.
const HABIT: f64 = 0.5;
/// By which factor an alert raises the bar; time lowers it by the same factor for each alert of the budget.
const STEP: f64 = 2.0;
/// How far from what the number of series calls for the bar may go: what is rarer than the upper end is told whatever came before.
const CORRECTION: (f64, f64) = (0.25, 512.0);

/// What one service may tell.
///
/// An alert is a stretch of time in which it has told episodes that are open: a fault shows in many series, and all but the first cost
/// nothing. Of `n` series that each have as rare an excursion once in `n / b` days by themselves, `b` alerts a day come. That is where the
/// bar begins. Each alert raises it, time lowers it, so that in the long run there are as many alerts as the budget has though the
/// model is wrong, and they are the rarest (a quantile by stochastic approximation, Robbins and Monro 1951).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Service {
    series: u32,
    /// The logarithm of the factor by which the bar is higher than the number of series calls for.
    correction: f32,
    at: Timestamp,
    /// When a told episode was last seen open.
    open: Timestamp,
}

impl Service {
    /// A told episode goes on.
    fn goes_on(&mut self, now: Timestamp) {
        self.open = self.open.max(now);
    }

    /// Whether somebody is to be told of an excursion as there is one in so many days. `a_day` is the budget.
    fn admits(&mut self, now: Timestamp, days_between: f64, a_day: Option<f64>) -> bool {
        if days_between < HABIT {
            return false;
        }
        let Some(a_day) = a_day else { return true };
        if !self.at.is_unknown() {
            self.correct(-a_day * days(now, self.at));
        }
        self.at = self.at.max(now);
        if !self.open.is_unknown() && now.since(self.open) <= COMPANY {
            return true;
        }
        let bar = f64::from(self.series.max(1)) / a_day * f64::from(self.correction).exp();
        let is_told = days_between >= bar;
        if is_told {
            self.correct(1.0);
        }
        is_told
    }

    fn correct(&mut self, steps: f64) {
        let corrected = f64::from(self.correction) + steps * STEP.ln();
        self.correction = corrected.clamp(CORRECTION.0.ln(), CORRECTION.1.ln()) as f32;
    }
}

/// The services, and what each may tell.
#[derive(Clone, Debug, Serialize)]
pub struct Budget {
    services: Table<Service>,
    withheld: u64,
}

/// What a snapshot holds of a [`Budget`].
#[derive(Deserialize)]
pub struct SavedBudget {
    services: Saved<Service>,
    withheld: u64,
}

impl SavedBudget {
    /// The budget, as far as it fits.
    pub fn into_budget(self, services: usize) -> Budget {
        Budget { services: self.services.into_table(services), withheld: self.withheld }
    }
}

impl Budget {
    /// Room for so many services.
    pub fn new(services: usize) -> Self {
        Self { services: Table::new(services), withheld: 0 }
    }

    /// How many episodes ended that nobody was told of.
    pub const fn withheld(&self) -> u64 {
        self.withheld
    }

    /// A service has one series more.
    pub fn joins(&mut self, service: &str) {
        let service = self.services.entry(key(service), Service::default).0;
        service.series = service.series.saturating_add(1);
    }

    /// A service has one series less.
    pub fn leaves(&mut self, service: &str) {
        if let Some(service) = self.services.get_mut(key(service)) {
            service.series = service.series.saturating_sub(1);
        }
    }

    /// What there is to tell of a point that its series has looked at. `was_open` says whether an episode was open before.
    pub fn told(
        &mut self,
        named: &mut Named,
        now: Timestamp,
        scored: &Scored,
        was_open: bool,
        settings: &Settings,
    ) -> Option<Phase> {
        if !was_open && scored.phase.is_none() {
            return None;
        }
        let since = named.series.first_seen();
        let excursions = named.excursions.get_or_insert_with(|| Box::new(Excursions::new(since)));
        if scored.phase == Some(Phase::Begin) {
            excursions.begin(now);
        }
        excursions.add(scored.surprise / settings.threshold, named.series.interval());
        if scored.phase == Some(Phase::End) {
            self.withheld += u64::from(!excursions.is_told);
            return excursions.is_told.then_some(Phase::End);
        }
        let service = self.services.entry(key(&named.label.service), Service::default).0;
        if excursions.is_told {
            service.goes_on(now);
            return scored.phase;
        }
        excursions.is_told = service.admits(now, excursions.days_between(now), settings.alert_budget);
        excursions.is_told.then(|| {
            service.goes_on(now);
            Phase::Begin
        })
    }

    /// An episode has ended because its series has. Gives whether somebody was told of it.
    pub fn ended(&mut self, excursions: Option<&Excursions>) -> bool {
        let is_told = excursions.is_some_and(|excursions| excursions.is_told);
        self.withheld += u64::from(!is_told);
        is_told
    }
}

fn key(service: &str) -> u64 {
    Identity::new().text(service).finish()
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
