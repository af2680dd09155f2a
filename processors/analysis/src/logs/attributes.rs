//! What log records carry once their template and classes are known: names of attributes and of an event.

/// The template: what is always the same in messages of its kind.
pub const TEMPLATE: &str = "log.record.template";
/// The template's id, as text.
pub const TEMPLATE_ID: &str = "watchfire.log.template_id";
/// In the event that says so, the id of the template that became part of another.
pub const OLD_TEMPLATE_ID: &str = "watchfire.log.template_id.old";
/// The classes, a list.
pub const CLASS: &str = "watchfire.log.class";
/// The semantic cluster's id.
pub const CLUSTER_ID: &str = "watchfire.log.cluster_id";
/// The event that says that a template became part of another.
pub const MERGED: &str = "watchfire.log.template.merged";
