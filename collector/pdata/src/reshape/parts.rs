//! Messages made of parts of other messages.
//!
//! [`walk`] takes a batch apart into items, each with the containers that it lies in; [`Output`] puts items and
//! their containers together again. Items are never looked into, and each byte is copied once.

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};
use smallvec::SmallVec;

use crate::wire::{self, Fields, Value};

/// Which fields lead from a container to what it contains.
#[derive(Clone, Copy, Debug)]
pub struct Level(&'static [u32]);

impl Level {
    fn leads_down(self, tag: u32) -> bool {
        self.0.contains(&tag)
    }
}

/// The levels of a batch of spans or log records: resources, scopes, items.
pub(crate) const RECORDS: &[Level] = &[Level(&[1]), Level(&[2]), Level(&[2])];

/// The levels of a batch of metrics: resources, scopes, metrics, their data, points.
pub(crate) const POINTS: &[Level] =
    &[Level(&[1]), Level(&[2]), Level(&[2]), Level(&[5, 7, 9, 10, 11]), Level(&[1])];

/// How deep any walk goes.
const MAX_LEVELS: usize = 5;

/// What a container says about itself: all its fields but those that lead down.
type Header<'a> = SmallVec<[&'a [u8]; 3]>;

/// A message that holds others: its tag in the one that holds it, and its header.
#[derive(Debug)]
struct Container<'a> {
    tag: u32,
    header: Header<'a>,
    header_len: usize,
}

/// The containers that were met on a walk; a container is known by its index.
#[derive(Debug, Default)]
pub(super) struct Containers<'a>(Vec<Container<'a>>);

impl<'a> Containers<'a> {
    /// The encoded resource (level 0) or scope (level 1) of a path.
    pub(super) fn subject(&self, path: &Path, level: usize) -> &'a [u8] {
        let group = path.get(level).and_then(|index| self.0.get(*index));
        let mut fields = group.into_iter().flat_map(|group| group.header.iter().rev());
        fields.find_map(|field| wire::Repeated::within(field).slices(1).next()).unwrap_or_default()
    }
}

/// Indices of containers, from the outermost in.
pub(super) type Path = SmallVec<[usize; MAX_LEVELS]>;

/// What a walk ends at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    /// The whole field: key, length and message.
    pub(super) field: &'a [u8],
    /// The message alone; for fields that no level knows, nothing.
    pub(super) message: &'a [u8],
    /// Whether it lies at the last level; parts that do not are containers with nothing in them and fields of the
    /// batch itself that this release of OTLP does not have.
    pub(super) is_item: bool,
}

/// Calls `visit` for each part of `bytes`.
pub(super) fn walk<'a>(
    levels: &[Level],
    bytes: &'a [u8],
    containers: &mut Containers<'a>,
    visit: &mut impl FnMut(&Containers<'a>, &Path, Part<'a>),
) {
    let mut path = Path::new();
    for (tag, field, message) in fields(bytes) {
        match (levels.split_first(), message) {
            (Some((level, below)), Some(message)) if level.leads_down(tag) => {
                descend(below, tag, field, message, containers, &mut path, visit);
            }
            _ => visit(containers, &path, Part { field, message: &[], is_item: false }),
        }
    }
}

fn descend<'a>(
    levels: &[Level],
    tag: u32,
    field: &'a [u8],
    message: &'a [u8],
    containers: &mut Containers<'a>,
    path: &mut Path,
    visit: &mut impl FnMut(&Containers<'a>, &Path, Part<'a>),
) {
    let Some((level, below)) = levels.split_first() else {
        visit(containers, path, Part { field, message, is_item: true });
        return;
    };
    let is_child = |tag: u32, message: Option<_>| level.leads_down(tag) && message.is_some();
    if !fields(message).any(|(tag, _, message)| is_child(tag, message)) {
        visit(containers, path, Part { field, message, is_item: false });
        return;
    }
    let mut header = Header::new();
    for (tag, field, message) in fields(message) {
        if !is_child(tag, message) {
            header.push(field);
        }
    }
    let header_len = header.iter().map(|field| field.len()).sum();
    path.push(containers.0.len());
    containers.0.push(Container { tag, header, header_len });
    for (tag, field, message) in fields(message) {
        if let Some(message) = message
            && level.leads_down(tag)
        {
            descend(below, tag, field, message, containers, path, visit);
        }
    }
    path.pop();
}

/// The fields of a message: tag, the whole field and, if that is what it holds, the message in it.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8], Option<&[u8]>)> {
    let mut fields = Fields::of(bytes);
    std::iter::from_fn(move || {
        let start = bytes.len() - fields.remaining();
        let (tag, value) = fields.next()?;
        let end = bytes.len() - fields.remaining();
        let message = if let Value::Bytes(message) = value { Some(message) } else { None };
        Some((tag, bytes.get(start..end).unwrap_or_default(), message))
    })
}

/// How many items a message `levels` above them holds.
pub(super) fn count(levels: &[Level], message: &[u8]) -> usize {
    let Some((level, below)) = levels.split_first() else { return 1 };
    let mut items = 0;
    for (tag, value) in Fields::of(message) {
        if let Value::Bytes(inner) = value
            && level.leads_down(tag)
        {
            items += count(below, inner);
        }
    }
    items
}

/// A step of writing a message.
#[derive(Debug)]
enum Step<'a> {
    /// Begins a container. Its length is known once it has been closed.
    Open {
        container: usize,
        len: usize,
    },
    Copy(&'a [u8]),
    Close,
}

/// A batch in the making.
#[derive(Debug, Default)]
pub(super) struct Output<'a> {
    steps: Vec<Step<'a>>,
    /// The containers that are open.
    path: Path,
    /// How many items it holds.
    pub(super) items: usize,
    /// Never less than what its bytes will be.
    pub(super) size: usize,
}

impl<'a> Output<'a> {
    /// More than a container's key and length take.
    const FRAME: usize = 12;

    /// What [`Output::push`] would add to `size`.
    pub(super) fn cost(&self, containers: &Containers<'a>, path: &Path, part: Part<'a>) -> usize {
        let opened = path[self.common(path)..].iter().filter_map(|index| containers.0.get(*index));
        part.field.len() + opened.map(|container| container.header_len + Self::FRAME).sum::<usize>()
    }

    /// How many of its open containers `path` shares.
    fn common(&self, path: &Path) -> usize {
        self.path.iter().zip(path).take_while(|(ours, theirs)| ours == theirs).count()
    }

    /// Adds a part that holds `items` items, in the containers of `path`.
    pub(super) fn push(&mut self, containers: &Containers<'a>, path: &Path, part: Part<'a>, items: usize) {
        self.size += self.cost(containers, path, part);
        self.items += items;
        let common = self.common(path);
        for _ in common..self.path.len() {
            self.steps.push(Step::Close);
        }
        self.path.truncate(common);
        for container in &path[common..] {
            self.steps.push(Step::Open { container: *container, len: 0 });
            self.path.push(*container);
        }
        self.steps.push(Step::Copy(part.field));
    }

    /// Writes the batch.
    pub(super) fn finish(mut self, containers: &Containers<'a>) -> Bytes {
        self.steps.extend(self.path.drain(..).map(|_| Step::Close));
        let total = self.measure(containers);
        let mut out = BytesMut::with_capacity(total);
        for step in &self.steps {
            match step {
                Step::Open { container, len } => {
                    if let Some(container) = containers.0.get(*container) {
                        encode_varint(u64::from(message_key(container.tag)), &mut out);
                        encode_varint(*len as u64, &mut out);
                        container.header.iter().for_each(|field| out.put_slice(field));
                    }
                }
                Step::Copy(field) => out.put_slice(field),
                Step::Close => {}
            }
        }
        out.freeze()
    }

    /// Fills in the containers' lengths; returns the whole message's.
    fn measure(&mut self, containers: &Containers<'a>) -> usize {
        // For each open container: where it was opened, and its length so far. The first entry is the batch itself.
        let mut open: SmallVec<[(usize, usize); MAX_LEVELS + 1]> = SmallVec::from_slice(&[(0, 0)]);
        let mut total = 0;
        for i in 0..self.steps.len() {
            let added = match &self.steps[i] {
                Step::Open { container, .. } => {
                    let header = containers.0.get(*container).map_or(0, |container| container.header_len);
                    open.push((i, header));
                    continue;
                }
                Step::Copy(field) => field.len(),
                Step::Close => match open.pop() {
                    Some((opened, inner)) => self.set_len(containers, opened, inner),
                    None => 0,
                },
            };
            if let Some((_, len)) = open.last_mut() {
                *len += added;
                total = *len;
            }
        }
        total
    }

    /// Notes the length of the container that step `opened` opens; returns what it takes with key and length.
    fn set_len(&mut self, containers: &Containers<'a>, opened: usize, inner: usize) -> usize {
        let Some(Step::Open { container, len }) = self.steps.get_mut(opened) else { return 0 };
        *len = inner;
        let key = containers.0.get(*container).map_or(0, |container| message_key(container.tag));
        encoded_len_varint(u64::from(key)) + encoded_len_varint(inner as u64) + inner
    }
}

/// The key of a field that holds a message.
pub(super) const fn message_key(tag: u32) -> u32 {
    tag << 3 | 2
}

/// The last occurrence of a bytes field.
pub(super) fn bytes_field(message: &[u8], wanted: u32) -> &[u8] {
    wire::Repeated::within(message).slices(wanted).last().unwrap_or_default()
}
