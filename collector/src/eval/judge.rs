//! What came out, held against what is known.

use std::time::Duration;

use pdata::Timestamp;

use super::collect::{Episode, Service};
use super::labels::Window;
use super::measures::{event_f1, quantile, stretches, vus_pr};
use crate::replay::Label;

const DAY: f64 = 86_400.0;

/// What is known about a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The rows of its table, if it came from one.
    pub(super) rows: Option<&'a [(Timestamp, Label)]>,
    /// Its windows, if the file of labels names it.
    pub(super) windows: Option<&'a [Window]>,
}

/// How good detection was on one service.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// The service.
    pub(super) service: String,
    /// Points in time that were looked at: all, or those with a label.
    pub(super) points: usize,
    /// Series that were scored.
    pub(super) series: usize,
    /// Reports: stretches of a series that were reported.
    pub(super) reports: usize,
    /// How long what was looked at lasted, in days.
    pub(super) days: f64,
    /// What is known to be odd.
    pub(super) windows: Vec<Window>,
    /// What only labels can tell; nothing without labels.
    pub(super) labelled: Option<Labelled>,
}

/// How good detection was, by labels.
#[derive(Clone, Debug)]
pub(super) struct Labelled {
    /// Labelled stretches.
    pub(super) windows: usize,
    /// What needs at least one labelled stretch.
    pub(super) scores: Option<Scores>,
    /// The share of reports that overlap a labelled stretch; nothing without reports.
    pub(super) precision: Option<f64>,
    /// The share of labelled stretches that were reported before they ended; nothing without any.
    pub(super) recall: Option<f64>,
    /// Reports that overlap no labelled stretch.
    pub(super) wrong: usize,
    /// The median time from the beginning of a labelled stretch to its report; nothing if none was reported.
    pub(super) delay: Option<Duration>,
}

/// How good the scores are, whatever is reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores {
    /// The share of odd points: what a random score gets as AUC-PR.
    pub(super) random: f64,
    /// See [`super::measures::auc_pr`].
    pub(super) auc_pr: f64,
    /// See [`vus_pr`].
    pub(super) vus_pr: f64,
    /// See [`event_f1`].
    pub(super) event_f1: f64,
}

/// Judges a service. `tolerance` is how far from a label a score still counts for VUS-PR, in points.
pub(super) fn judge(name: &str, service: &Service, known: Known<'_>, tolerance: usize) -> Verdict {
    let timeline = Timeline::new(service, known);
    let extent = timeline.extent();
    let episodes: Vec<_> =
        service.episodes.iter().filter(|episode| extent.contains(episode.reported)).collect();
    let labels = timeline.labels.as_ref();
    let windows = labels.map(|labels| timeline.windows(labels, known.windows)).unwrap_or_default();
    Verdict {
        service: name.to_owned(),
        points: timeline.times.len(),
        series: service.series(),
        reports: episodes.len(),
        days: extent.end.since(extent.begin).as_secs_f64() / DAY,
        labelled: labels.map(|labels| {
            let scores = labels.contains(&true).then(|| Scores {
                random: labels.iter().filter(|odd| **odd).count() as f64 / labels.len() as f64,
                auc_pr: vus_pr(labels, &timeline.scores, 0),
                vus_pr: vus_pr(labels, &timeline.scores, tolerance),
                event_f1: event_f1(labels, &timeline.scores),
            });
            Labelled { scores, ..by_reports(&windows, &episodes) }
        }),
        windows,
    }
}

fn by_reports(windows: &[Window], episodes: &[&Episode]) -> Labelled {
    let is_right = |episode: &&&Episode| windows.iter().any(|window| window.overlaps(&episode.window));
    let right = episodes.iter().filter(is_right).count();
    let delay = |window: &Window| {
        let of_it = episodes.iter().filter(|episode| window.overlaps(&episode.window));
        let first = of_it.map(|episode| episode.reported).min()?;
        (first <= window.end).then(|| first.since(window.begin))
    };
    let mut delays: Vec<f64> = windows.iter().filter_map(delay).map(|delay| delay.as_secs_f64()).collect();
    delays.sort_by(f64::total_cmp);
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    Labelled {
        windows: windows.len(),
        scores: None,
        precision: share(right, episodes.len()),
        recall: share(delays.len(), windows.len()),
        wrong: episodes.len() - right,
        delay: (!delays.is_empty()).then(|| Duration::from_secs_f64(quantile(&delays, 0.5))),
    }
}

/// The moments of a service that count, each with its score.
struct Timeline {
    times: Vec<Timestamp>,
    scores: Vec<f64>,
    labels: Option<Vec<bool>>,
}

impl Timeline {
    /// Of a table those rows count that have a label, if any has one. A moment that was not scored has the score 0.
    fn new(service: &Service, known: Known<'_>) -> Self {
        let scores = service.scores();
        let in_window =
            |time: Timestamp| known.windows.map(|windows| windows.iter().any(|window| window.contains(time)));
        let Some(rows) = known.rows else {
            let (times, scores): (Vec<_>, Vec<_>) = scores.into_iter().unzip();
            let labels = times.iter().map(|time| in_window(*time)).collect();
            return Self { times, scores, labels };
        };
        let label = |(time, label): &(Timestamp, Label)| {
            in_window(*time).or(match label {
                Label::Unknown => None,
                Label::Ordinary => Some(false),
                Label::Odd => Some(true),
            })
        };
        let has_labels = rows.iter().any(|row| label(row).is_some());
        let rows = rows.iter().filter(|row| !has_labels || label(row).is_some());
        let score = |time: Timestamp| {
            let found = scores.binary_search_by_key(&time, |(time, _)| *time);
            found.ok().and_then(|at| scores.get(at)).map_or(0.0, |(_, score)| *score)
        };
        Self {
            times: rows.clone().map(|(time, _)| *time).collect(),
            scores: rows.clone().map(|(time, _)| score(*time)).collect(),
            labels: rows.map(label).collect(),
        }
    }

    fn extent(&self) -> Window {
        let begin = self.times.iter().min().copied().unwrap_or_default();
        let end = self.times.iter().max().copied().unwrap_or_default();
        Window { begin, end }
    }

    /// The labelled stretches of time.
    fn windows(&self, labels: &[bool], named: Option<&[Window]>) -> Vec<Window> {
        if let Some(named) = named {
            let extent = self.extent();
            return named.iter().filter(|window| window.overlaps(&extent)).copied().collect();
        }
        let time = |at: usize| self.times.get(at).copied().unwrap_or_default();
        let stretch = |(begin, end): (usize, usize)| Window { begin: time(begin), end: time(end - 1) };
        stretches(labels).into_iter().map(stretch).collect()
    }
}

/// The means over services, of what each has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    /// Services with labelled stretches.
    pub(super) services: usize,
    /// See [`Scores`].
    pub(super) scores: Option<Scores>,
    /// See [`Labelled`].
    pub(super) precision: Option<f64>,
    /// See [`Labelled`].
    pub(super) recall: Option<f64>,
    /// Wrong reports for each series and day, of all services together.
    pub(super) wrong_per_day: Option<f64>,
    /// Reports for each series and day, of all services together.
    pub(super) reports_per_day: Option<f64>,
    /// The median over services.
    pub(super) delay: Option<Duration>,
}

impl Mean {
    /// Over these.
    pub(super) fn of(verdicts: &[Verdict]) -> Self {
        let labelled = || verdicts.iter().filter_map(|verdict| verdict.labelled.as_ref());
        let scores: Vec<_> = labelled().filter_map(|labelled| labelled.scores).collect();
        let over_scores = |get: fn(&Scores) -> f64| mean(scores.iter().map(get)).unwrap_or(f64::NAN);
        let mut delays: Vec<f64> =
            labelled().filter_map(|labelled| labelled.delay).map(|delay| delay.as_secs_f64()).collect();
        delays.sort_by(f64::total_cmp);
        let rate = |wanted: &dyn Fn(&Verdict) -> Option<usize>| {
            let (mut n, mut series_days) = (0, 0.0);
            for verdict in verdicts {
                if let Some(found) = wanted(verdict) {
                    n += found;
                    series_days += verdict.series_days();
                }
            }
            (series_days > 0.0).then(|| n as f64 / series_days)
        };
        Self {
            services: scores.len(),
            scores: (!scores.is_empty()).then(|| Scores {
                random: over_scores(|scores| scores.random),
                auc_pr: over_scores(|scores| scores.auc_pr),
                vus_pr: over_scores(|scores| scores.vus_pr),
                event_f1: over_scores(|scores| scores.event_f1),
            }),
            precision: mean(labelled().filter_map(|labelled| labelled.precision)),
            recall: mean(labelled().filter_map(|labelled| labelled.recall)),
            wrong_per_day: rate(&|verdict| Some(verdict.labelled.as_ref()?.wrong)),
            reports_per_day: rate(&|verdict| Some(verdict.reports)),
            delay: (!delays.is_empty()).then(|| Duration::from_secs_f64(quantile(&delays, 0.5))),
        }
    }
}

impl Verdict {
    /// How many days of a series were looked at.
    fn series_days(&self) -> f64 {
        self.series as f64 * self.days
    }

    /// Wrong reports for each series and day.
    pub(super) fn wrong_per_day(&self) -> Option<f64> {
        let wrong = self.labelled.as_ref()?.wrong;
        (self.series_days() > 0.0).then(|| wrong as f64 / self.series_days())
    }

    /// Reports for each series and day.
    pub(super) fn reports_per_day(&self) -> Option<f64> {
        (self.series_days() > 0.0).then(|| self.reports as f64 / self.series_days())
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.fold((0_u32, 0.0), |(n, sum), value| (n + 1, sum + value));
    (n > 0).then(|| sum / f64::from(n))
}
