//! From the closed bucket of a service to what there is to report: each thing once, under the name that says most.
//!
//! A template's count is held against its own usual count times how much more or less than usual the service's other templates
//! come: so twice the traffic is no news about any template. What single templates explain is not reported again about their
//! class, their severity or the service; what many of them do at once is reported about what they have in common.

use pdata::Timestamp;
use pdata::event::{Anomaly, Phase};

use super::super::classify::ClassSet;
use super::Settings;
use super::baseline::WINDOWS;
use super::novelty::{self, ERROR, WARNING};
use super::report;
use super::service::{News, Service, Template};
use super::tail;
use super::track::{DOUBTFUL, Report, Side, Suspicion, Track};

/// So many windows are looked at for each stream and side.
const LOOKS: f64 = 3.0;
/// How much others came more often counts the less the fewer of them there are, in records.
const FEW: f64 = 10.0;
/// What explains this share of it need not be reported twice.
const EXPLAINED: f64 = 0.5;
/// So many templates at once are one thing.
const MANY: usize = 4;
/// What leaves no doubt, in thresholds.
const SURE: f64 = 2.0;
/// This share of them must have something in common.
const IN_COMMON: f64 = 0.8;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Template(usize),
    Class(usize),
    Errors,
    Warnings,
    All,
}

/// What looks out of the ordinary in a closed bucket.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    counts: Vec<(Target, Suspicion)>,
    /// New templates that matter, with their weighted p-values, smallest first.
    new: Vec<(usize, f64)>,
    /// How many streams were looked at.
    pub(super) looked_at: usize,
}

impl Suspects {
    pub(super) fn p_values(&self) -> impl Iterator<Item = f64> {
        self.counts.iter().map(|(_, suspicion)| suspicion.p)
    }

    /// The smallest p-value of new templates: they are one question to each service.
    pub(super) fn new_p_value(&self) -> Option<f64> {
        self.new.first().map(|(_, p)| *p)
    }

    fn of(&self, target: Target, side: Side) -> Option<&Suspicion> {
        let mut of = self.counts.iter().filter(|(of, suspicion)| *of == target && suspicion.side == side);
        of.next().map(|(_, suspicion)| suspicion)
    }
}

/// By how much the templates of a service come more often than usual, as a weighted median.
struct Shared {
    ratios: Vec<(f64, f64, usize)>,
    total: f64,
}

impl Shared {
    fn of(service: &Service, window: usize, warm_up: u64) -> Self {
        let mut ratios: Vec<(f64, f64, usize)> = Vec::new();
        for (slot, template) in service.templates.iter().enumerate() {
            let expected = template.track.expected(window);
            if expected >= 1.0 && template.track.is_ready(warm_up) {
                ratios.push((template.track.observed(window) / expected, expected, slot));
            }
        }
        ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = ratios.iter().map(|(_, weight, _)| weight).sum();
        Self { ratios, total }
    }

    /// For all but one template.
    fn except(&self, slot: Option<usize>) -> Option<f64> {
        let is_other = |at: usize| Some(at) != slot;
        let own: f64 =
            self.ratios.iter().filter(|(_, _, at)| !is_other(*at)).map(|(_, weight, _)| weight).sum();
        let rest = self.total - own;
        let mut passed = 0.0;
        let others = self.ratios.iter().filter(|(_, _, at)| is_other(*at));
        let median = others.into_iter().find(|(_, weight, _)| {
            passed += weight;
            passed >= rest / 2.0
        })?;
        Some((rest * median.0 + FEW) / (rest + FEW))
    }
}

impl Service {
    /// What looks out of the ordinary in the bucket that was closed last.
    pub(super) fn suspects(&self, settings: &Settings) -> Suspects {
        let warm_up = settings.warm_up_buckets();
        let mut suspects = Suspects::default();
        let mut shared: [Option<Shared>; 3] = [None, None, None];
        let mut factor = |target: Target, window: usize, track: &Track| -> f64 {
            let except = match target {
                Target::All => return 1.0,
                Target::Template(slot) => Some(slot),
                Target::Class(_) | Target::Errors | Target::Warnings => None,
            };
            let shared = shared[window].get_or_insert_with(|| Shared::of(self, window, warm_up));
            shared.except(except).unwrap_or_else(|| self.rest(track, window))
        };
        for (target, track) in self.targets() {
            let is_template = matches!(target, Target::Template(_));
            if !track.is_ready(warm_up) || (is_template && !track.is_usual()) {
                continue;
            }
            suspects.looked_at += 1;
            if track.is_plain() {
                continue;
            }
            let up = best(WINDOWS.iter().enumerate().filter_map(|(window, _)| {
                track.suspicion(window, self.serial, Side::Up, 1.0)?;
                track.suspicion(window, self.serial, Side::Up, factor(target, window, track))
            }));
            suspects.counts.extend(up.map(|up| (target, up)));
            if !self.is_missed(target) {
                continue;
            }
            let silence = track
                .silence_window()
                .map(|window| track.silence(window, self.serial, factor(target, window, track)));
            let down =
                best(silence.into_iter().chain(WINDOWS.iter().enumerate().filter_map(|(window, _)| {
                    track.suspicion(window, self.serial, Side::Down, 1.0)?;
                    track.suspicion(window, self.serial, Side::Down, factor(target, window, track))
                })));
            suspects.counts.extend(down.map(|down| (target, down)));
        }
        self.look_at_new(&mut suspects, settings);
        suspects
    }

    /// By how much everything but this comes more often than usual.
    fn rest(&self, track: &Track, window: usize) -> f64 {
        let observed = (self.all.observed(window) - track.observed(window)).max(0.0);
        let expected = (self.all.expected(window) - track.expected(window)).max(0.0);
        (observed + FEW) / (expected + FEW)
    }

    fn targets(&self) -> impl Iterator<Item = (Target, &Track)> {
        let classes = self.classes.iter().enumerate().map(|(at, (_, track))| (Target::Class(at), track));
        let templates = self.templates.iter().enumerate();
        let templates = templates.map(|(slot, template)| (Target::Template(slot), &template.track));
        [(Target::All, &self.all), (Target::Errors, &self.errors), (Target::Warnings, &self.warnings)]
            .into_iter()
            .chain(classes)
            .chain(templates)
    }

    /// Whether fewer of it than usual are a reason to worry.
    fn is_missed(&self, target: Target) -> bool {
        match target {
            Target::Template(slot) => !self.templates[slot].is_error(),
            Target::All => true,
            Target::Class(_) | Target::Errors | Target::Warnings => false,
        }
    }

    fn look_at_new(&self, suspects: &mut Suspects, settings: &Settings) {
        let is_warm = self.serial >= settings.warm_up_buckets();
        for slot in self.new.iter().filter_map(|id| self.slot(*id)).filter(|_| is_warm) {
            let template = &self.templates[slot];
            if !template.track.gaps.has_come() {
                continue;
            }
            let is_grave = novelty::is_grave(template.severity, template.classes);
            let alike = self.templates.iter().filter(|other| {
                other.track.total == 1
                    && other.id != template.id
                    && (!is_grave || novelty::is_grave(other.severity, other.classes))
            });
            let p = self.novelty.p_value(is_grave, alike.count(), self.all.observed(0));
            suspects.new.push((slot, p.powf(novelty::weight(template.severity, template.classes))));
        }
        suspects.new.sort_by(|a, b| a.1.total_cmp(&b.1));
    }

    /// Judges the bucket: `threshold` and `new_threshold` are the largest p-values that are out of the ordinary.
    pub(super) fn judge(
        &mut self,
        suspects: &Suspects,
        threshold: f64,
        new_threshold: f64,
        settings: &Settings,
        out: &mut Vec<Anomaly>,
    ) {
        let now = self.clock.end();
        let mut found = Vec::new();
        self.judge_new(suspects, new_threshold, now, settings, out);
        self.judge_templates(suspects, threshold, now, settings, &mut found);
        let together = self.together(&mut found);
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
                let surprise = surprise(&mut template.track, suspicion, threshold, serial);
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
            if slots.len() < MANY {
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
                let mut surprise = surprise(track, suspicion, threshold, serial);
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
                && template.track.is_usual_count(window, side, threshold)
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

/// The most unlikely one, for having looked several times.
fn best(suspicions: impl Iterator<Item = Suspicion>) -> Option<Suspicion> {
    let least = suspicions.min_by(|a, b| a.p.total_cmp(&b.p))?;
    Some(Suspicion { p: (least.p * LOOKS).min(1.0), ..least })
}

/// How surprising a suspicion is: 1 at the threshold.
fn surprise(track: &mut Track, suspicion: Option<&Suspicion>, threshold: f64, serial: u64) -> f64 {
    match suspicion {
        Some(suspicion) if !track.is_nothing_new(suspicion, serial) => {
            suspicion.p.max(tail::LEAST).ln() / threshold.clamp(tail::LEAST, 0.5).ln()
        }
        _ => 0.0,
    }
}
