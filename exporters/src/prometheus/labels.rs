//! The labels of a series as text, which is also what tells series of a metric apart.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pdata::view::{Attributes, ResourceView, ScopeView};

use super::config::ResourceToTelemetry;
use super::names::label_name;

/// Attributes of a resource that `job` and `instance` are made of.
const SERVICE: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];
/// What the labels that describe a scope begin with.
const SCOPE_PREFIX: &str = "otel_scope_";

/// What every series of a resource or a scope has.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    /// Sorted by name.
    labels: Vec<Label>,
}

#[derive(Clone, Debug)]
struct Label {
    name: String,
    value: String,
    /// Whether an attribute of a point must not take its place.
    is_fixed: bool,
}

/// A label in the making: its name, the key it was made from, its value.
type Draft<'a> = (Cow<'a, str>, &'a str, Cow<'a, str>);

/// What a resource is to Prometheus.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// `job` and `instance`, as far as they are known.
    pub(super) identity: Common,
    /// The labels of `target_info`; none if there is nothing to tell.
    pub(super) info: Option<String>,
}

impl Target {
    /// The target that a resource describes.
    pub(super) fn of(resource: ResourceView<'_>) -> Self {
        let text = |key| resource.attribute(key).map(|value| value.to_text()).unwrap_or_default();
        let (name, namespace, instance) = (text(SERVICE[0]), text(SERVICE[1]), text(SERVICE[2]));
        let job = if namespace.is_empty() || name.is_empty() {
            name.into_owned()
        } else {
            format!("{namespace}/{name}")
        };
        let mut identity = Common::default();
        identity.add("job", &job, true);
        identity.add("instance", &instance, true);
        let mut info = None;
        if !identity.labels.is_empty() {
            let others = drafts(resource.attributes(), |key| !SERVICE.contains(&key), &identity, "");
            if !others.is_empty() {
                let mut text = String::new();
                identity.write_with(&mut text, others);
                info = Some(text);
            }
        }
        Self { identity, info }
    }
}

impl Common {
    /// Adds the attributes of the resource, as far as the settings want them.
    pub(super) fn add_resource(&mut self, resource: ResourceView<'_>, settings: &ResourceToTelemetry) {
        if !settings.enabled {
            return;
        }
        let wanted = |key: &str| !(settings.exclude_service_attributes && SERVICE.contains(&key));
        for (name, _, value) in merged(drafts(resource.attributes(), wanted, self, "")) {
            self.add(&name, &value, false);
        }
    }

    /// Adds what describes a scope.
    pub(super) fn add_scope(&mut self, scope: ScopeView<'_>, schema_url: &str) {
        let own = [("name", scope.name()), ("version", scope.version()), ("schema_url", schema_url)];
        for (name, value) in own {
            self.add(&format!("{SCOPE_PREFIX}{name}"), value, true);
        }
        for (name, _, value) in merged(drafts(scope.attributes(), |_| true, &Self::default(), "")) {
            self.add(&format!("{SCOPE_PREFIX}{name}"), &value, true);
        }
    }

    /// Adds labels from the configuration.
    pub(super) fn add_constant(&mut self, labels: &BTreeMap<String, String>) {
        for (name, value) in labels {
            self.add(&label_name(name), value, false);
        }
    }

    /// Adds a label unless it is there already. An empty one is none.
    pub(super) fn add(&mut self, name: &str, value: &str, is_fixed: bool) {
        if value.is_empty() {
            return;
        }
        if let Err(at) = self.labels.binary_search_by(|label| label.name.as_str().cmp(name)) {
            self.labels.insert(at, Label { name: name.to_owned(), value: value.to_owned(), is_fixed });
        }
    }

    /// Whether an attribute must not have this name.
    fn is_fixed(&self, name: &str) -> bool {
        self.labels.iter().any(|label| label.is_fixed && label.name == name)
    }

    /// Writes the labels of a point to `out`. `own_label` is one that the metric's type needs for itself.
    pub(super) fn write(&self, out: &mut String, attributes: Attributes<'_>, own_label: &str) {
        out.clear();
        self.write_with(out, drafts(attributes, |_| true, self, own_label));
    }

    /// Writes these labels alone to `out`.
    pub(super) fn write_alone(&self, out: &mut String) {
        out.clear();
        self.write_with(out, Vec::new());
    }

    fn write_with(&self, out: &mut String, drafts: Vec<Draft<'_>>) {
        let mut common = self.labels.iter().peekable();
        for (name, _, value) in merged(drafts) {
            while let Some(label) = common.next_if(|label| *label.name < *name) {
                write_label(out, &label.name, &label.value);
            }
            // What says more of the point wins.
            common.next_if(|label| *label.name == *name);
            write_label(out, &name, &value);
        }
        common.for_each(|label| write_label(out, &label.name, &label.value));
    }
}

/// Attributes as labels, sorted by name. One whose name is taken becomes `exported_...`, as when Prometheus scrapes.
fn drafts<'a>(
    attributes: Attributes<'a>,
    wanted: impl Fn(&str) -> bool,
    common: &Common,
    own_label: &str,
) -> Vec<Draft<'a>> {
    let mut drafts: Vec<Draft<'a>> = attributes
        .filter(|(key, _)| wanted(key))
        .map(|(key, value)| (label_name(key), key, value.to_text()))
        .filter(|(_, _, value)| !value.is_empty())
        .collect();
    for (name, ..) in &mut drafts {
        while **name == *own_label || common.is_fixed(name) {
            *name = Cow::Owned(format!("exported_{name}"));
        }
    }
    drafts.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    drafts
}

/// Joins the values of labels whose names have become the same, in the order of their keys.
fn merged<'a>(drafts: Vec<Draft<'a>>) -> impl Iterator<Item = Draft<'a>> {
    let mut drafts = drafts.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut draft = drafts.next()?;
        while let Some(same) = drafts.next_if(|next| next.0 == draft.0) {
            // An attribute that occurs twice is no attribute of another key: the last one counts.
            draft.2 = if same.1 == draft.1 { same.2 } else { Cow::Owned(format!("{};{}", draft.2, same.2)) };
            draft.1 = same.1;
        }
        Some(draft)
    })
}

/// Appends `name="value"`, with a comma in front if it is not the first.
pub(super) fn write_label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    write_escaped(out, value, true);
    out.push('"');
}

/// Appends a text in which backslashes, line feeds and, if `quotes`, quotes are escaped.
pub(super) fn write_escaped(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}
