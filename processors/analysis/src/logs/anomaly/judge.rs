//! From the closed bucket of a service to what there is to report: each thing once, under the name that says most.
//!
//! What single templates explain is not reported again about their class, their severity or the service; what many of them do at once is
//! reported about what they have in common.

use pdata::Timestamp;
use pdata::event::{Anomaly, Phase};

use super::super::classify::ClassSet;
use super::Settings;
use super::novelty::{self, ERROR, WARNING};
use super::report;
use super::service::{News, Service, Template};
use super::stretch::{DOUBTFUL, Report, Side, Suspicion};
use super::suspects::{Suspects, Target};
use super::tail;
use super::track::Track;

/// What explains this share of it need not be reported twice.
const EXPLAINED: f64 = 0.5;
/// What is no problem in itself must be so many times as much as its band, or as little.
const MARGIN: f64 = 1.5;
/// So many templates at once are one thing.
const MANY: usize = 3;
/// What leaves no doubt, in thresholds.
const SURE: f64 = 2.0;
/// This share of them must have something in common.
const IN_COMMON: f64 = 0.8;

impl Service {
    /// Judges the bucket: `threshold` and `new_threshold` are the largest p-values that are out of the ordinary, `strict` if nothing else
    /// was.
    pub(super) fn judge(
        &mut self,
        suspects: &Suspects,
        (threshold, strict): (f64, f64),
        new_threshold: f64,
        settings: &Settings,
        out: &mut Vec<Anomaly>,
    ) {
        let now = self.clock.end();
        let mut found = Vec::new();
        self.judge_new(suspects, new_threshold, now, settings, out);
        self.judge_templates(suspects, threshold, now, settings, &mut found);
        let together = self.together(&mut found);
        // Sums of what was found are no further evidence: no false discovery rate applies to them.
        let threshold = threshold.min(strict);
        self.part_of_more(&mut found);
        self.judge_groups(suspects, &together, threshold, now, settings, &mut found);
        for (target, side, report) in &found {
            let suspicion = suspects.of(*target, *side).copied();
            out.push(report::count(self, *target, *side, suspicion, report, now));
        }
        self.learn(suspects, settings);
    }

    fn judge_templates(
        &mut self,
        suspects: &Suspects,
        threshold: f64,
        now: Timestamp,
        settings: &Settings,
        found: &mut Vec<(Target, Side, Report)>,
    ) {
        let serial = self.serial;
        for (slot, template) in self.templates.iter_mut().enumerate() {
            let target = Target::Template(slot);
            for side in [Side::Up, Side::Down] {
                let suspicion = suspects.of(target, side);
                if suspicion.is_none() && template.track.is_calm(side) {
                    continue;
                }
                let margin = if template.is_problem() { 1.0 } else { MARGIN };
                let surprise = surprise(&mut template.track, suspicion, margin, threshold, serial);
                let report =
                    template.track.judged(suspicion, side, surprise, now, serial, &settings.episodes());
                found.extend(report.map(|report| (target, side, report)));
            }
        }
    }

    /// If many templates begin at once they are muted, and what they have in common is returned.
    fn together(&mut self, found: &mut Vec<(Target, Side, Report)>) -> Vec<(Target, Side)> {
        let mut together = Vec::new();
        for side in [Side::Up, Side::Down] {
            let slots: Vec<usize> = found
                .iter()
                .filter(|(_, of, report)| *of == side && report.phase == Phase::Begin)
                .filter_map(|(target, ..)| match target {
                    Target::Template(slot) => Some(*slot),
                    _ => None,
                })
                .collect();
            let earlier = self.templates.iter().enumerate().filter(|(slot, template)| {
                !slots.contains(slot) && template.track.has_begun(side, self.serial)
            });
            if slots.is_empty() || slots.len() + earlier.count() < MANY {
                continue;
            }
            slots.iter().for_each(|slot| self.templates[*slot].track.mute(side));
            found.retain(|(target, of, _)| {
                *of != side || !slots.iter().any(|slot| *target == Target::Template(*slot))
            });
            together.push((self.in_common(&slots, side), side));
        }
        together
    }

    /// Templates of a class or severity about which something is reported already are muted.
    fn part_of_more(&mut self, found: &mut Vec<(Target, Side, Report)>) {
        let (groups, serial) = (self.groups(), self.serial);
        found.retain(|(target, side, report)| {
            let Target::Template(slot) = target else { return true };
            let template = &self.templates[*slot];
            let is_part = groups.iter().any(|group| {
                *group != Target::All
                    && self.is_member(*group, template.severity, template.classes)
                    && self.track(*group).is_reported(*side, 0, serial)
            });
            if is_part && report.phase == Phase::Begin {
                self.templates[*slot].track.mute(*side);
                return false;
            }
            true
        });
    }

    fn in_common(&self, slots: &[usize], side: Side) -> Target {
        if side == Side::Down {
            return Target::All;
        }
        let share = |is: &dyn Fn(usize) -> bool| {
            slots.iter().filter(|slot| is(**slot)).count() as f64 >= IN_COMMON * slots.len() as f64
        };
        let class = self
            .classes
            .iter()
            .position(|(class, _)| share(&|slot| !self.templates[slot].classes.and(*class).is_empty()));
        match class {
            Some(class) => Target::Class(class),
            None if share(&|slot| self.templates[slot].severity >= ERROR) => Target::Errors,
            None if share(&|slot| self.templates[slot].severity >= WARNING) => Target::Warnings,
            None => Target::All,
        }
    }

    fn judge_groups(
        &mut self,
        suspects: &Suspects,
        together: &[(Target, Side)],
        threshold: f64,
        now: Timestamp,
        settings: &Settings,
        found: &mut Vec<(Target, Side, Report)>,
    ) {
        let serial = self.serial;
        for target in self.groups() {
            for side in [Side::Up, Side::Down] {
                let suspicion = suspects.of(target, side);
                let is_explained =
                    suspicion.is_some_and(|suspicion| self.is_explained(target, suspicion, threshold));
                let is_common = together.contains(&(target, side));
                let Some(track) = self.track_mut(target) else { continue };
                let forced = is_common.then(|| track.look(side, 0));
                let margin = if target == Target::All { MARGIN } else { 1.0 };
                let mut surprise = surprise(track, suspicion, margin, threshold, serial);
                if is_explained && !track.is_open(side) {
                    surprise = 0.0;
                }
                surprise = if is_common { SURE } else { surprise.min(DOUBTFUL) };
                let suspicion = suspicion.or(forced.as_ref());
                let report =
                    track.judged_surely(suspicion, side, surprise, now, serial, &settings.episodes());
                found.extend(report.map(|report| (target, side, report)));
            }
        }
    }

    /// The groups, those that say most first.
    fn groups(&self) -> Vec<Target> {
        let mut classes: Vec<usize> = (0..self.classes.len()).collect();
        let effect = |at: &usize| self.classes[*at].1.look(Side::Up, 1).effect();
        classes.sort_by(|a, b| effect(b).total_cmp(&effect(a)));
        let classes = classes.into_iter().map(Target::Class);
        classes.chain([Target::Errors, Target::Warnings, Target::All]).collect()
    }

    /// Whether what is reported already explains it.
    fn is_explained(&self, target: Target, suspicion: &Suspicion, threshold: f64) -> bool {
        let (side, window, serial) = (suspicion.side, suspicion.window, self.serial);
        let effect = |track: &Track| {
            let effect = track.observed(window) - track.expected(window);
            if side == Side::Up { effect } else { -effect }
        };
        let members = self.templates.iter().filter(|template| {
            self.is_member(target, template.severity, template.classes)
                && (template.track.is_reported(side, window, serial)
                    || (template.was_new && side == Side::Up))
        });
        let by_templates: f64 = members.map(|template| effect(&template.track).max(0.0)).sum();
        let by_groups = self.targets().filter(|(group, track)| {
            *group < target
                && !matches!(group, Target::Template(_))
                && track.is_reported(side, window, serial)
                || matches!((group, target), (Target::Class(_), Target::Class(_)))
                    && track.is_reported(side, window, serial)
        });
        let by_groups = by_groups.map(|(_, track)| effect(track)).fold(0.0, f64::max);
        // One template may be a large part of it and come like this now and then.
        let is_usual = |template: &Template| {
            effect(&template.track) >= EXPLAINED * suspicion.effect()
                && self.is_member(target, template.severity, template.classes)
                && (template.track.is_known(side, window, serial)
                    || template.track.is_usual_count(window, side, threshold))
        };
        by_templates.max(by_groups) >= EXPLAINED * suspicion.effect() || self.templates.iter().any(is_usual)
    }

    fn is_member(&self, target: Target, severity: i32, classes: ClassSet) -> bool {
        match target {
            Target::Template(_) => false,
            Target::Class(at) => !self.classes[at].0.and(classes).is_empty(),
            Target::Errors => severity >= ERROR,
            Target::Warnings => (WARNING..ERROR).contains(&severity),
            Target::All => true,
        }
    }

    pub(super) fn track(&self, target: Target) -> &Track {
        match target {
            Target::Template(slot) => &self.templates[slot].track,
            Target::Class(at) => &self.classes[at].1,
            Target::Errors => &self.errors,
            Target::Warnings => &self.warnings,
            Target::All => &self.all,
        }
    }

    fn track_mut(&mut self, target: Target) -> Option<&mut Track> {
        match target {
            Target::Template(slot) => self.templates.get_mut(slot).map(|template| &mut template.track),
            Target::Class(at) => self.classes.get_mut(at).map(|(_, track)| track),
            Target::Errors => Some(&mut self.errors),
            Target::Warnings => Some(&mut self.warnings),
            Target::All => Some(&mut self.all),
        }
    }

    /// New templates: one report a service until no more come.
    fn judge_new(
        &mut self,
        suspects: &Suspects,
        threshold: f64,
        now: Timestamp,
        settings: &Settings,
        out: &mut Vec<Anomaly>,
    ) {
        let unusual: Vec<(usize, f64)> =
            suspects.new.iter().copied().filter(|(_, p)| *p <= threshold).collect();
        if let Some((slot, p)) = unusual.first().copied() {
            unusual.iter().for_each(|(slot, _)| self.templates[*slot].was_new = true);
            let template = &self.templates[slot];
            let is_worse = self.news.as_ref().is_none_or(|news| template.severity > news.severity_number);
            let news = News {
                onset: self.news.as_ref().map_or(now, |news| news.onset),
                last: now,
                id: template.id,
                text: std::sync::Arc::clone(&template.text),
                severity: report::severity_of_new(template.severity, template.classes),
                severity_number: template.severity,
            };
            let phase = if self.news.is_some() { Phase::Continue } else { Phase::Begin };
            if is_worse {
                out.push(report::new(self, slot, p, unusual.len(), phase, &news, now));
            }
            match &mut self.news {
                Some(open) if !is_worse => open.last = now,
                _ => self.news = Some(news),
            }
        } else if let Some(news) = self.news.take_if(|news| now.since(news.last) > settings.cooldown) {
            out.push(report::no_more_new(self, &news, now));
        }
    }

    fn learn(&mut self, suspects: &Suspects, settings: &Settings) {
        let (serial, warm_up) = (self.serial, settings.warm_up_buckets());
        let mut p_values: Vec<(Target, f64)> =
            suspects.counts.iter().map(|(target, suspicion)| (*target, suspicion.p)).collect();
        p_values.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let p = |target: Target| {
            let at = p_values.partition_point(|(of, _)| *of < target);
            p_values.get(at).filter(|(of, _)| *of == target).map_or(1.0, |(_, p)| *p)
        };
        // What all of a service does says nothing about its parts.
        let (is_adopted, is_open) =
            (self.all.has_adopted(serial), self.all.is_open(Side::Up) || self.all.is_open(Side::Down));
        let learn = |track: &mut Track, p: f64| match (is_adopted, is_open) {
            (true, _) => track.adopt(serial),
            (false, true) => track.pass_over(serial),
            (false, false) => track.learn(p, serial),
        };
        learn(&mut self.errors, p(Target::Errors));
        learn(&mut self.warnings, p(Target::Warnings));
        for (at, (_, track)) in self.classes.iter_mut().enumerate() {
            learn(track, p(Target::Class(at)));
        }
        for (slot, template) in self.templates.iter_mut().enumerate() {
            learn(&mut template.track, p(Target::Template(slot)));
            template.was_new &= !template.track.is_ready(warm_up);
            if !template.track.is_open(Side::Up) && !template.track.is_open(Side::Down) {
                template.reported = None;
            }
        }
        self.all.learn(p(Target::All), serial);
        self.learn_new();
    }

    fn learn_new(&mut self) {
        let new = std::mem::take(&mut self.new);
        // A template whose first bucket is still open is looked at when that is closed.
        let (closed, open): (Vec<_>, Vec<_>) = new
            .into_iter()
            .partition(|id| self.slot(*id).is_none_or(|slot| self.templates[slot].track.gaps.has_come()));
        let slots: Vec<usize> = closed.iter().filter_map(|id| self.slot(*id)).collect();
        let is_grave = |slot: &&usize| {
            let template = &self.templates[**slot];
            novelty::is_grave(template.severity, template.classes)
        };
        let grave = slots.iter().filter(is_grave).count();
        self.novelty.learn(self.all.observed(0), grave, slots.len() - grave);
        self.new = open;
    }
}

/// How surprising a suspicion is: 1 at the threshold.
fn surprise(
    track: &mut Track,
    suspicion: Option<&Suspicion>,
    margin: f64,
    threshold: f64,
    serial: u64,
) -> f64 {
    match suspicion {
        Some(suspicion) if !track.is_nothing_new(suspicion, margin, serial) => {
            suspicion.p.max(tail::LEAST).ln() / threshold.clamp(tail::LEAST, 0.5).ln()
        }
        _ => 0.0,
    }
}
