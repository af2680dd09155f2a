//! What an operator is told: one sentence, what was seen and what would have been normal.

use std::collections::BTreeMap;

use pdata::Timestamp;
use pdata::event::{Anomaly, Contribution, Expected, LogDetail, LogKind, Phase, Severity, Source};
use serde_json::{Map, Value};

use super::super::attributes::{TEMPLATE, TEMPLATE_ID};
use super::super::classify::ClassSet;
use super::super::template::TemplateId;
use super::clock::BUCKET;
use super::novelty::{self, ERROR, WARNING};
use super::service::{News, Service, Template, class, head};
use super::stretch::{Report, Side, Suspicion};
use super::suspects::Target;
use crate::detect::series::{Settings as Scale, score};

/// What is quoted of a text in a sentence, in bytes.
const QUOTED: usize = 120;

/// A count that is out of the ordinary, or no longer.
pub(super) fn count(
    service: &mut Service,
    target: Target,
    side: Side,
    suspicion: Option<Suspicion>,
    report: &Report,
    now: Timestamp,
) -> Anomaly {
    let track = service.track(target);
    let suspicion = suspicion.unwrap_or_else(|| track.look(side, track.window(side)));
    if let Target::Template(slot) = target {
        let template = &mut service.templates[slot];
        template.reported.get_or_insert_with(|| (template.id, std::sync::Arc::clone(&template.text)));
    }
    let about = About::of(service, target, side, report.is_silence, &suspicion);
    let (low, high) = suspicion.band();
    let threshold = Scale::default().threshold;
    let score = score(report.surprise, threshold);
    let severity = if about.is_grave { report.severity } else { report.severity.min(Severity::Warning) };
    Anomaly {
        time: now,
        service: service.name.to_string(),
        signal: Source::Log,
        name: about.name.clone(),
        attributes: about.attributes(),
        phase: Some(report.phase),
        onset: Some(report.onset),
        score,
        severity,
        observed: suspicion.observed,
        expected: Expected { low, mid: suspicion.expected, high },
        detectors: BTreeMap::from([("count".to_owned(), score)]),
        why: about.why(report.phase),
        message: about.sentence(service, &suspicion, report.phase),
        log: Some(Box::new(about.detail(&suspicion))),
    }
}

/// A new template.
pub(super) fn new(
    service: &Service,
    slot: usize,
    p: f64,
    how_many: usize,
    phase: Phase,
    news: &News,
    now: Timestamp,
) -> Anomaly {
    let template = &service.templates[slot];
    let threshold = Scale::default().threshold;
    let others = match how_many {
        0 | 1 => String::new(),
        2 => " (and one more)".to_owned(),
        n => format!(" (and {} more)", n - 1),
    };
    let what = match template.severity {
        ERROR.. => "a new error",
        WARNING.. => "a new warning",
        _ => "a new message",
    };
    let message = format!("{}: {what}: {}{others}", service.name, quote(&template.text));
    Anomaly {
        score: score(2.0 * threshold * (p.ln() / 1e-3f64.ln()).clamp(0.5, 5.0), threshold),
        observed: template.track.observed(0),
        message,
        log: Some(Box::new(LogDetail {
            p_value: p,
            exemplar: exemplar(template),
            class: template.classes.iter().next().map(|class| class.name().to_owned()),
            ..detail_of_new(news)
        })),
        ..about_new(service, news, phase, now)
    }
}

/// No more new templates came for a while.
pub(super) fn no_more_new(service: &Service, news: &News, now: Timestamp) -> Anomaly {
    Anomaly {
        message: format!("{}: nothing new any more after {}", service.name, quote(&news.text)),
        ..about_new(service, news, Phase::End, now)
    }
}

/// How bad a new template is.
pub(super) const fn severity_of_new(severity: i32, classes: ClassSet) -> Severity {
    if novelty::is_grave(severity, classes) { Severity::Error } else { Severity::Warning }
}

fn about_new(service: &Service, news: &News, phase: Phase, now: Timestamp) -> Anomaly {
    let score = score(0.0, 1.0);
    Anomaly {
        time: now,
        service: service.name.to_string(),
        signal: Source::Log,
        name: "log.templates:new".to_owned(),
        attributes: Map::new(),
        phase: Some(phase),
        onset: Some(news.onset),
        score,
        severity: news.severity,
        observed: 0.0,
        expected: Expected { low: 0.0, mid: 0.0, high: 0.0 },
        detectors: BTreeMap::from([("novelty".to_owned(), score)]),
        why: Vec::new(),
        message: String::new(),
        log: Some(Box::new(detail_of_new(news))),
    }
}

fn detail_of_new(news: &News) -> LogDetail {
    LogDetail {
        kind: LogKind::NewTemplate,
        template_id: Some(news.id.to_string()),
        template: Some(news.text.to_string()),
        class: None,
        severity_number: news.severity_number,
        p_value: 1.0,
        window_seconds: BUCKET.as_secs_f64(),
        exemplar: None,
    }
}

/// What an anomaly is about.
struct About {
    kind: LogKind,
    name: String,
    /// The template that it is about, or that contributed most, and how much.
    template: Option<(TemplateId, String, f64)>,
    is_of_template: bool,
    class: Option<&'static str>,
    severity_number: i32,
    exemplar: Option<String>,
    is_grave: bool,
}

impl About {
    fn of(service: &Service, target: Target, side: Side, is_silence: bool, suspicion: &Suspicion) -> Self {
        let (slot, share) = match target {
            Target::Template(slot) => (Some(slot), 1.0),
            _ if side == Side::Down => (None, 0.0),
            _ => most(service, target, suspicion),
        };
        let template = slot.map(|slot| &service.templates[slot]);
        let kind = kind(target, side, is_silence);
        let (id, text) = match template {
            Some(Template { reported: Some((id, text)), .. }) if matches!(target, Target::Template(_)) => {
                (Some(*id), Some(text.to_string()))
            }
            template => {
                (template.map(|template| template.id), template.map(|template| template.text.to_string()))
            }
        };
        let class = match target {
            Target::Class(at) => Some(class(service.classes[at].0)),
            Target::Template(slot) => service.templates[slot].classes.iter().next().map(|class| class.name()),
            Target::Errors | Target::Warnings | Target::All => None,
        };
        let name = match target {
            Target::Template(_) => {
                format!("{}:{}", id.map(|id| id.to_string()).unwrap_or_default(), kind.name())
            }
            Target::Class(_) => format!("log.class.{}:count", class.unwrap_or_default()),
            Target::Errors => "log.error:count".to_owned(),
            Target::Warnings => "log.warning:count".to_owned(),
            Target::All => format!("log.records:{}", if is_silence { "silence" } else { "count" }),
        };
        let is_grave = match target {
            Target::Template(slot) => service.templates[slot].is_grave(),
            Target::Class(_) | Target::Errors => true,
            Target::Warnings | Target::All => false,
        };
        let severity_number = match target {
            Target::Errors => ERROR,
            Target::Warnings => WARNING,
            _ => template.map_or(0, |template| template.severity),
        };
        Self {
            kind,
            name,
            template: id.zip(text).map(|(id, text)| (id, text, share)),
            is_of_template: matches!(target, Target::Template(_)),
            class,
            severity_number,
            exemplar: template.and_then(exemplar),
            is_grave,
        }
    }

    fn attributes(&self) -> Map<String, Value> {
        let mut attributes = Map::new();
        if let (true, Some((id, text, _))) = (self.is_of_template, &self.template) {
            attributes.insert(TEMPLATE_ID.to_owned(), Value::String(id.to_string()));
            attributes.insert(TEMPLATE.to_owned(), Value::String(text.clone()));
        }
        attributes
    }

    fn why(&self, phase: Phase) -> Vec<Contribution> {
        let template = self.template.as_ref().filter(|_| phase != Phase::End);
        template
            .map(|(_, text, share)| Contribution { feature: text.clone(), share: *share })
            .into_iter()
            .collect()
    }

    fn detail(&self, suspicion: &Suspicion) -> LogDetail {
        LogDetail {
            kind: self.kind,
            template_id: self.template.as_ref().map(|(id, ..)| id.to_string()),
            template: self.template.as_ref().map(|(_, text, _)| text.clone()),
            class: self.class.map(str::to_owned),
            severity_number: self.severity_number,
            p_value: suspicion.p,
            window_seconds: suspicion.buckets as f64 * BUCKET.as_secs_f64(),
            exemplar: self.exemplar.clone(),
        }
    }

    fn sentence(&self, service: &Service, suspicion: &Suspicion, phase: Phase) -> String {
        let name = &service.name;
        let text = self.template.as_ref().map(|(_, text, _)| quote(text)).unwrap_or_default();
        let what = match self.kind {
            LogKind::Burst | LogKind::Drop | LogKind::Silence | LogKind::NewTemplate => text.clone(),
            LogKind::ClassSurge => format!("records of class {}", self.class.unwrap_or_default()),
            LogKind::ErrorSurge => "error records".to_owned(),
            LogKind::WarningSurge => "warnings".to_owned(),
            LogKind::VolumeSurge | LogKind::VolumeDrop | LogKind::ServiceSilence => "log records".to_owned(),
        };
        if phase == Phase::End {
            return format!("{name}: {what}: back to normal");
        }
        let still = if phase == Phase::Continue { "still " } else { "" };
        let window = span(suspicion.buckets);
        if matches!(self.kind, LogKind::Silence | LogKind::ServiceSilence) {
            let usual = usually(suspicion);
            return format!("{name}: {what}: {still}none for {window}, usually {usual} in that time");
        }
        let most = match &self.template {
            Some((_, _, share)) if !self.is_of_template && *share >= 0.5 => format!("; most are {text}"),
            _ => String::new(),
        };
        let (observed, usual) = (whole(suspicion.observed), usually(suspicion));
        format!("{name}: {what}: {still}{observed} in {window}, usually {usual}{most}")
    }
}

const fn kind(target: Target, side: Side, is_silence: bool) -> LogKind {
    match (target, side) {
        (Target::Template(_), Side::Up) => LogKind::Burst,
        (Target::Template(_), Side::Down) if is_silence => LogKind::Silence,
        (Target::Template(_), Side::Down) => LogKind::Drop,
        (Target::Class(_), _) => LogKind::ClassSurge,
        (Target::Errors, _) => LogKind::ErrorSurge,
        (Target::Warnings, _) => LogKind::WarningSurge,
        (Target::All, Side::Up) => LogKind::VolumeSurge,
        (Target::All, Side::Down) if is_silence => LogKind::ServiceSilence,
        (Target::All, Side::Down) => LogKind::VolumeDrop,
    }
}

/// The template that contributed most to a group's surplus, and how much.
fn most(service: &Service, target: Target, suspicion: &Suspicion) -> (Option<usize>, f64) {
    let surplus = |template: &Template| {
        template.track.observed(suspicion.window) - template.track.expected(suspicion.window)
    };
    let members = service.templates.iter().enumerate().filter(|(_, template)| match target {
        Target::Class(at) => !service.classes[at].0.and(template.classes).is_empty(),
        Target::Errors => template.severity >= ERROR,
        Target::Warnings => (WARNING..ERROR).contains(&template.severity),
        Target::Template(_) | Target::All => true,
    });
    let largest = members.max_by(|(_, a), (_, b)| surplus(a).total_cmp(&surplus(b)));
    let share = |template: &Template| (surplus(template) / suspicion.effect().max(1.0)).clamp(0.0, 1.0);
    largest
        .filter(|(_, template)| surplus(template) > 0.0)
        .map_or((None, 0.0), |(slot, template)| (Some(slot), share(template)))
}

fn exemplar(template: &Template) -> Option<String> {
    (!template.exemplar.is_empty()).then(|| template.exemplar.clone())
}

fn quote(text: &str) -> String {
    let short = head(text, QUOTED);
    if short.len() == text.len() { format!("\"{text}\"") } else { format!("\"{short}...\"") }
}

fn usually(suspicion: &Suspicion) -> String {
    let (low, high) = suspicion.band();
    match (whole(low.ceil()), whole(high.floor().max(suspicion.expected.ceil()))) {
        (_, high) if high == "0" => "none".to_owned(),
        (low, high) if low == high => low,
        (low, high) => format!("{low}-{high}"),
    }
}

fn whole(count: f64) -> String {
    format!("{count:.0}")
}

fn span(buckets: u64) -> String {
    let seconds = buckets * BUCKET.as_secs();
    match seconds {
        7200.. => format!("{} h", (seconds + 1800) / 3600),
        120.. => format!("{} min", (seconds + 30) / 60),
        60 => "1 min".to_owned(),
        _ => format!("{seconds} s"),
    }
}
