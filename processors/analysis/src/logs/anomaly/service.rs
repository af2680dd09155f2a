//! What is known about the log records of one service: its templates, classes and severities, each with its counts.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::classify::{Class, ClassSet};
use super::super::template::{Template as Canonical, TemplateId};
use super::clock::{Clock, Place};
use super::merge;
use super::novelty::{ERROR, Novelty, WARNING};
use super::track::Track;
use super::{Record, Settings};

/// What is kept of a template's text and of an exemplar, in bytes.
pub(super) const MOST_TEXT: usize = 512;
const MOST_EXEMPLAR: usize = 256;
/// Ids of templates that became part of another are remembered, up to so many for each.
const MOST_ALIASES: usize = 16;
/// So many new templates of a bucket are compared with those that are known.
const MOST_COMPARED: u32 = 50;
/// So many new templates of a bucket are looked into; more are as good as these.
const MOST_NEW: usize = 64;
/// Among so many the rarest makes room.
const SAMPLE: usize = 8;

/// A template of a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) id: TemplateId,
    /// Templates that became part of this one.
    aliases: Vec<TemplateId>,
    pub(super) text: Arc<str>,
    /// The worst severity number seen.
    pub(super) severity: i32,
    pub(super) classes: ClassSet,
    pub(super) exemplar: String,
    /// The bucket that the exemplar is of.
    exemplar_of: u64,
    pub(super) track: Track,
    /// Under which name an open episode was reported.
    pub(super) reported: Option<(TemplateId, Arc<str>)>,
    /// Whether it was reported as new.
    pub(super) was_new: bool,
}

/// What was reported about new templates and is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct News {
    pub(super) onset: Timestamp,
    pub(super) last: Timestamp,
    pub(super) id: TemplateId,
    pub(super) text: Arc<str>,
    pub(super) severity: pdata::event::Severity,
    pub(super) severity_number: i32,
}

/// A service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Service {
    pub(super) name: Arc<str>,
    pub(super) clock: Clock,
    /// How many buckets were closed.
    pub(super) serial: u64,
    /// The first of them that is connected with now.
    resumed: u64,
    /// In how many of them there was a record.
    spoken: u64,
    pub(super) all: Track,
    pub(super) errors: Track,
    pub(super) warnings: Track,
    pub(super) classes: Vec<(ClassSet, Track)>,
    pub(super) templates: Vec<Template>,
    #[serde(skip)]
    index: HashMap<TemplateId, u32, FixedState>,
    pub(super) novelty: Novelty,
    /// Templates that have come since the last bucket was closed.
    pub(super) new: Vec<TemplateId>,
    pub(super) news: Option<News>,
    compared: u32,
    hand: u32,
    evicted: u64,
}

impl Service {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            clock: Clock::default(),
            serial: 0,
            resumed: 0,
            spoken: 0,
            all: Track::new(0, 0),
            errors: Track::new(0, 0),
            warnings: Track::new(0, 0),
            classes: Vec::new(),
            templates: Vec::new(),
            index: HashMap::with_hasher(FixedState::with_seed(0)),
            novelty: Novelty::default(),
            new: Vec::new(),
            news: None,
            compared: 0,
            hand: 0,
            evicted: 0,
        }
    }

    /// How many templates had to make room, or found none.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Where a record of this time belongs.
    pub(super) fn place(&mut self, time: Timestamp, now: Timestamp) -> Place {
        self.clock.place(time, now)
    }

    /// Counts a record in an open bucket. `room` is how many more templates there may be.
    pub(super) fn count<E: AsRef<str>>(
        &mut self,
        bucket: u64,
        record: &Record<'_>,
        exemplar: impl FnOnce() -> E,
        settings: &Settings,
        room: usize,
    ) {
        self.all.count(bucket);
        match record.severity {
            ERROR.. => self.errors.count(bucket),
            WARNING.. => self.warnings.count(bucket),
            _ => {}
        }
        self.count_classes(bucket, record.classes);
        let Some((id, text)) = record.template else { return };
        let slot = match self.index.get(&id) {
            Some(slot) => *slot as usize,
            None => match self.insert(id, text, settings, room) {
                Some(slot) => slot,
                None => return,
            },
        };
        let template = &mut self.templates[slot];
        template.track.count(bucket);
        template.severity = template.severity.max(record.severity);
        template.classes = template.classes.or(record.classes);
        if template.exemplar_of != bucket {
            template.exemplar_of = bucket;
            template.exemplar.clear();
            template.exemplar.push_str(head(exemplar().as_ref(), MOST_EXEMPLAR));
        }
    }

    fn count_classes(&mut self, bucket: u64, classes: ClassSet) {
        if classes.is_empty() {
            return;
        }
        for class in classes.iter().filter(|class| class.is_problem()) {
            let class: ClassSet = [class].into_iter().collect();
            let known = self.classes.iter().position(|(known, _)| *known == class);
            let at = known.unwrap_or_else(|| {
                self.classes.push((class, Track::new(0, self.serial)));
                self.classes.len() - 1
            });
            self.classes[at].1.count(bucket);
        }
    }

    /// Makes room for a template. `None` if there is none.
    fn insert(&mut self, id: TemplateId, text: &str, settings: &Settings, room: usize) -> Option<usize> {
        let text: Arc<str> = head(Canonical::new(head(text, 4 * MOST_TEXT)).canonical(), MOST_TEXT).into();
        if let Some(slot) = self.general(id, &text) {
            return Some(slot);
        }
        let template = Template {
            id,
            aliases: Vec::new(),
            text,
            severity: 0,
            classes: ClassSet::EMPTY,
            exemplar: String::new(),
            exemplar_of: 0,
            track: Track::new(self.serial, self.serial),
            reported: None,
            was_new: false,
        };
        let slot = if room > 0 && self.templates.len() < settings.max_templates_per_service {
            self.templates.push(template);
            self.templates.len() - 1
        } else {
            self.evicted = self.evicted.saturating_add(1);
            let slot = self.rarest()?;
            let old = std::mem::replace(&mut self.templates[slot], template);
            self.forget(&old);
            slot
        };
        self.index.insert(id, slot as u32);
        if self.new.len() < MOST_NEW {
            self.new.push(id);
        }
        Some(slot)
    }

    /// If the new template is a known one with more wildcards, it takes the known one's place.
    fn general(&mut self, id: TemplateId, text: &Arc<str>) -> Option<usize> {
        if self.compared >= MOST_COMPARED {
            return None;
        }
        self.compared += 1;
        let is_special = |template: &Template| merge::generalises(text, &template.text);
        let mut special: Vec<TemplateId> = self
            .templates
            .iter()
            .filter(|template| is_special(template))
            .map(|template| template.id)
            .collect();
        // The one that came most often knows best.
        special
            .sort_by_key(|id| std::cmp::Reverse(self.slot(*id).map(|slot| self.templates[slot].track.total)));
        let (first, others) = special.split_first()?;
        let slot = self.slot(*first)?;
        self.rename(slot, id, Arc::clone(text));
        for old in others {
            self.fold(*old, id);
        }
        self.slot(id)
    }

    /// The records of template `old` are of `new` from now on.
    pub(super) fn merge(&mut self, old: TemplateId, new: TemplateId, text: &str) {
        let Some(slot) = self.slot(old) else { return };
        match self.slot(new) {
            Some(into) if into == slot => {}
            Some(_) => self.fold(old, new),
            None => self.rename(slot, new, head(Canonical::new(text).canonical(), MOST_TEXT).into()),
        }
    }

    fn rename(&mut self, slot: usize, id: TemplateId, text: Arc<str>) {
        let template = &mut self.templates[slot];
        let old = std::mem::replace(&mut template.id, id);
        template.text = text;
        if template.aliases.len() < MOST_ALIASES {
            template.aliases.push(old);
        } else {
            self.index.remove(&old);
        }
        self.index.insert(id, slot as u32);
    }

    fn fold(&mut self, old: TemplateId, new: TemplateId) {
        let Some(from) = self.slot(old) else { return };
        if self.slot(new).is_none_or(|into| into == from) {
            return;
        }
        let old = self.templates.swap_remove(from);
        self.forget(&old);
        if let Some(moved) = self.templates.get(from) {
            for id in std::iter::once(&moved.id).chain(&moved.aliases) {
                self.index.insert(*id, from as u32);
            }
        }
        let Some(into) = self.slot(new) else { return };
        let template = &mut self.templates[into];
        template.track.fold(&old.track);
        template.severity = template.severity.max(old.severity);
        template.classes = template.classes.or(old.classes);
        for id in std::iter::once(old.id).chain(old.aliases) {
            if template.aliases.len() < MOST_ALIASES {
                template.aliases.push(id);
                self.index.insert(id, into as u32);
            }
        }
    }

    pub(super) fn slot(&self, id: TemplateId) -> Option<usize> {
        self.index.get(&id).map(|slot| *slot as usize)
    }

    fn forget(&mut self, template: &Template) {
        self.index.remove(&template.id);
        template.aliases.iter().for_each(|id| {
            self.index.remove(id);
        });
    }

    /// Of the next few templates the one that came least often, but none of which something was reported.
    fn rarest(&mut self) -> Option<usize> {
        let n = self.templates.len();
        if n == 0 {
            return None;
        }
        let first = self.hand as usize % n;
        self.hand = ((first + SAMPLE) % n) as u32;
        (0..SAMPLE.min(n))
            .map(|step| (first + step) % n)
            .filter(|slot| self.templates[*slot].reported.is_none())
            .min_by_key(|slot| self.templates[*slot].track.total)
    }

    /// Closes the next bucket.
    pub(super) fn close(&mut self) {
        let (bucket, serial, resumed) = (self.clock.next(), self.serial, self.resumed);
        self.all.close(bucket, serial, resumed, serial);
        if self.all.observed(0) > 0.0 {
            self.spoken += 1;
        }
        let spoken = self.spoken;
        self.parts_mut().for_each(|track| track.close(bucket, serial, resumed, spoken));
        self.compared = 0;
    }

    /// The bucket that was closed has been judged.
    pub(super) const fn advance(&mut self) {
        self.clock.advance();
        self.serial += 1;
    }

    /// Starts counting anew with this bucket.
    pub(super) fn start(&mut self, bucket: u64) {
        self.clock.start(bucket);
        let serial = self.serial;
        self.resumed = serial;
        self.all.interrupt(serial);
        self.parts_mut().for_each(|track| track.interrupt(serial));
    }

    /// Everything but the whole.
    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Track> {
        [&mut self.errors, &mut self.warnings]
            .into_iter()
            .chain(self.classes.iter_mut().map(|(_, track)| track))
            .chain(self.templates.iter_mut().map(|template| &mut template.track))
    }

    /// After it was read from a snapshot. The limits are the reader's.
    pub(super) fn restored(&mut self, settings: &Settings) {
        self.templates.truncate(settings.max_templates_per_service);
        self.index = HashMap::with_hasher(FixedState::with_seed(0));
        for (template, slot) in self.templates.iter().zip(0..) {
            for id in std::iter::once(&template.id).chain(&template.aliases) {
                self.index.insert(*id, slot);
            }
        }
    }
}

impl Template {
    /// Whether it is an error or of a class of problems.
    pub(super) fn is_grave(&self) -> bool {
        self.severity >= ERROR || self.classes.iter().any(Class::is_problem)
    }

    /// The same or a warning: then it is good news if it comes less often.
    pub(super) fn is_problem(&self) -> bool {
        self.severity >= WARNING || self.is_grave()
    }
}

/// The classes' names.
pub(super) fn class(set: ClassSet) -> &'static str {
    set.iter().next().map_or("", Class::name)
}

/// The beginning of a text, at most so many bytes.
pub(super) fn head(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
