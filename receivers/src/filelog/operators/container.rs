//! The log formats of container runtimes: Docker's JSON, and the one of CRI-O and containerd.

use std::sync::Arc;
use std::time::Duration;

use super::combine::{Combiner, MOST_TOTAL, Role, Rules};
use super::config::{self, ContainerFormat, Overwrite};
use super::entry::{Entry, Map, Text, Value};
use super::field::Field;
use super::parse::SeverityFrom;
use super::{Flow, OperatorError};

/// A part of a line that is followed by nothing is sent on after this long.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a container's log.
#[derive(Clone, Debug)]
pub(super) struct Container {
    format: ContainerFormat,
    with_metadata: bool,
    parse_from: Field,
    parse_to: Field,
    severity: Option<SeverityFrom>,
    pub(super) combiner: Combiner,
    /// What the last path says.
    metadata: Option<(Arc<str>, Map)>,
    /// The last resource without that, and with it.
    resources: Option<(Arc<Map>, Arc<Map>)>,
}

/// A line as the runtime wrote it.
struct Line {
    time: u64,
    stream: Text,
    is_partial: bool,
    body: Text,
    rest: Rest,
}

/// What else the runtime wrote.
enum Rest {
    /// The tag of a line that is not JSON.
    Tag(Text),
    /// Fields of JSON.
    Fields(Map),
}

impl Rest {
    fn into_map(self) -> Map {
        match self {
            Self::Tag(tag) => Map::from_iter([(TAG.into(), Value::String(tag))]),
            Self::Fields(map) => map,
        }
    }
}

const TAG: &str = "logtag";

impl Container {
    /// From its configuration.
    pub(super) fn new(config: &config::Container) -> Result<Self, OperatorError> {
        let rules = Rules {
            field: Field::body(),
            with: String::new(),
            max_entries: usize::MAX,
            max_unmatched: 0,
            overwrite: Overwrite::Newest,
            timeout: TIMEOUT,
            max_groups: 10_000,
            max_total: MOST_TOTAL,
            max_bytes: config.max_log_size.map_or(1 << 20, ::config::ByteSize::as_usize),
        };
        Ok(Self {
            format: config.format,
            with_metadata: config.add_metadata_from_filepath.unwrap_or(true),
            parse_from: config.parse_from.clone().unwrap_or_else(Field::body),
            parse_to: config.parse_to.clone().unwrap_or_else(Field::attributes),
            severity: config.severity.as_ref().map(SeverityFrom::new).transpose()?,
            combiner: Combiner::new(rules),
            metadata: None,
            resources: None,
        })
    }

    /// Reads an entry, which goes on if it is complete in itself. Otherwise it is taken, and `out` gets those that are
    /// complete with it.
    pub(super) fn push(
        &mut self,
        entry: &mut Entry,
        now: u64,
        out: &mut Vec<Entry>,
    ) -> Result<Flow, OperatorError> {
        let text = self.parse_from.get(entry).and_then(Value::as_str);
        let text = text.ok_or_else(|| OperatorError::NotText(self.parse_from.to_string()))?;
        let line = self.line(text)?;
        entry.time = Some(line.time);
        match line.rest {
            Rest::Tag(tag) if self.parse_to.is_attributes() => {
                entry.attributes.insert(TAG.into(), Value::String(tag));
            }
            rest => self.parse_to.set(entry, Value::Map(rest.into_map())),
        }
        let key = (line.is_partial || !self.combiner.is_empty()).then(|| line.stream.clone());
        entry.attributes.insert("log.iostream".into(), Value::String(line.stream));
        entry.body = Value::String(line.body);
        if self.with_metadata {
            self.add_metadata(entry);
        }
        if let Some(severity) = &self.severity {
            severity.apply(entry)?;
        }
        let Some(key) = key else { return Ok(Flow::Next) };
        let role = if line.is_partial { Role::Middle } else { Role::Last };
        if role == Role::Last && !self.combiner.is_open(entry.origin.file, &key) {
            return Ok(Flow::Next);
        }
        self.combiner.push(std::mem::take(entry), &key, role, now, out);
        Ok(Flow::Gone)
    }

    fn line(&self, text: &str) -> Result<Line, OperatorError> {
        let is_docker = match self.format {
            ContainerFormat::Any => text.trim_start().starts_with('{'),
            ContainerFormat::Docker => true,
            ContainerFormat::Crio | ContainerFormat::Containerd => false,
        };
        if is_docker { docker(text) } else { cri(text).ok_or(OperatorError::NotContainer) }
    }

    fn add_metadata(&mut self, entry: &mut Entry) {
        let path = &entry.origin.path;
        if self.metadata.as_ref().is_none_or(|(known, _)| known != path) {
            self.metadata = Some((Arc::clone(path), metadata(path)));
            self.resources = None;
        }
        if let Some((_, metadata)) = &self.metadata {
            if metadata.is_empty() {
                return;
            }
            // Records of one file have the same resource, unless an operator before this one says otherwise.
            let is_known =
                self.resources.as_ref().is_some_and(|(before, _)| Arc::ptr_eq(before, &entry.resource));
            if !is_known {
                let mut merged = entry.resource.as_ref().clone();
                merged.extend(metadata.iter().map(|(key, value)| (key.clone(), value.clone())));
                self.resources = Some((Arc::clone(&entry.resource), Arc::new(merged)));
            }
            if let Some((_, merged)) = &self.resources {
                entry.resource = Arc::clone(merged);
            }
        }
    }
}

/// `2026-01-02T03:04:05.678901234Z stdout F text`. The tag is `P` if the line goes on, and may have more tags behind it.
fn cri(text: &str) -> Option<Line> {
    let (time, rest) = text.split_once(' ')?;
    let (stream, rest) = rest.split_once(' ')?;
    let (tag, body) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_stream = matches!(stream, "stdout" | "stderr");
    let kind = tag.split(':').next().filter(|kind| is_stream && matches!(*kind, "F" | "P"))?;
    Some(Line {
        time: nanos(time)?,
        stream: stream.into(),
        is_partial: kind == "P",
        body: body.into(),
        rest: Rest::Tag(tag.into()),
    })
}

/// `{"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}`. The line goes on if it has no line feed.
fn docker(text: &str) -> Result<Line, OperatorError> {
    let Ok(Value::Map(mut rest)) = Value::parse_json(text) else { return Err(OperatorError::NotContainer) };
    let mut take = |key: &str| match rest.remove(key) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(OperatorError::NotContainer),
    };
    let (mut body, stream, time) = (take("log")?, take("stream")?, take("time")?);
    let is_partial = !body.ends_with('\n');
    body.truncate(body.trim_end_matches(['\n', '\r']).len());
    Ok(Line {
        time: nanos(&time).ok_or(OperatorError::NotContainer)?,
        stream,
        is_partial,
        body,
        rest: Rest::Fields(rest),
    })
}

/// RFC 3339 as nanoseconds since the epoch.
fn nanos(time: &str) -> Option<u64> {
    time.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_nanosecond()).ok())
}

/// What a path such as `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log` says; nothing if it is none such.
fn metadata(path: &str) -> Map {
    let mut names = path.rsplit('/');
    let parts = (|| {
        let (file, container, pod) = (names.next()?, names.next()?, names.next()?);
        let (restarts, rotation) = file.split_once('.')?;
        let is_log = rotation == "log" || rotation.starts_with("log.");
        let is_count = !restarts.is_empty() && restarts.bytes().all(|byte| byte.is_ascii_digit());
        let (namespace, rest) = pod.split_once('_')?;
        let (pod, uid) = rest.split_once('_')?;
        let is_uid = !uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        (is_log && is_count && is_uid).then_some([
            ("k8s.container.name", container),
            ("k8s.container.restart_count", restarts),
            ("k8s.namespace.name", namespace),
            ("k8s.pod.name", pod),
            ("k8s.pod.uid", uid),
        ])
    })();
    parts.into_iter().flatten().map(|(key, value)| (key.into(), value.into())).collect()
}
