//! What looks out of the ordinary in a closed bucket of a service, before it is judged beside that of all others.
//!
//! A template's count is held against its own usual count times how much more or less than usual the service's other templates
//! come: so twice the traffic is no news about any template.

use super::Settings;
use super::baseline::WINDOWS;
use super::novelty;
use super::service::Service;
use super::stretch::{Side, Suspicion};
use super::track::Track;

/// So many windows are looked at for each stream and side.
const LOOKS: f64 = 3.0;
/// How much others came more often counts the less the fewer of them there are, in records.
const FEW: f64 = 10.0;

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
    pub(super) counts: Vec<(Target, Suspicion)>,
    /// New templates that matter, with their weighted p-values, smallest first.
    pub(super) new: Vec<(usize, f64)>,
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

    pub(super) fn of(&self, target: Target, side: Side) -> Option<&Suspicion> {
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

    pub(super) fn targets(&self) -> impl Iterator<Item = (Target, &Track)> {
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
            Target::Template(slot) => !self.templates[slot].is_problem(),
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
}

/// The most unlikely one, for having looked several times.
fn best(suspicions: impl Iterator<Item = Suspicion>) -> Option<Suspicion> {
    let least = suspicions.min_by(|a, b| a.p.total_cmp(&b.p))?;
    Some(Suspicion { p: (least.p * LOOKS).min(1.0), ..least })
}
