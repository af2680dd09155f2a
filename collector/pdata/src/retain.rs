//! Leaving items out of a batch without decoding the others.

use crate::view::{Item, LogRecordView, MetricView, ResourceView, ScopeView, SpanView, View};
use crate::{Logs, Metrics, Traces};

impl Traces {
    /// A batch of the spans that `keep` wants, copied as they are; empty scopes and resources go too.
    #[must_use]
    pub fn retain(&self, keep: impl FnMut(ResourceView<'_>, ScopeView<'_>, SpanView<'_>) -> bool) -> Self {
        let (bytes, items) = retained(self.view(), SpanView::bytes, |_| 1, keep);
        Self::from_scanned(bytes.into(), items, self.may_hold_events())
    }
}

impl Logs {
    /// A batch of the log records that `keep` wants, copied as they are; empty scopes and resources go too.
    #[must_use]
    pub fn retain(
        &self,
        keep: impl FnMut(ResourceView<'_>, ScopeView<'_>, LogRecordView<'_>) -> bool,
    ) -> Self {
        let (bytes, items) = retained(self.view(), LogRecordView::bytes, |_| 1, keep);
        Self::from_scanned(bytes.into(), items, self.may_hold_events())
    }
}

impl Metrics {
    /// A batch of the metrics that `keep` wants, copied as they are; empty scopes and resources go too.
    #[must_use]
    pub fn retain(&self, keep: impl FnMut(ResourceView<'_>, ScopeView<'_>, MetricView<'_>) -> bool) -> Self {
        let (bytes, items) = retained(self.view(), MetricView::bytes, MetricView::points, keep);
        Self::from_scanned(bytes.into(), items, self.may_hold_events())
    }
}

fn retained<'a, I: Item<'a>>(
    view: View<'a, I>,
    bytes_of: impl Fn(I) -> &'a [u8],
    count: impl Fn(I) -> usize,
    mut keep: impl FnMut(ResourceView<'a>, ScopeView<'a>, I) -> bool,
) -> (Vec<u8>, usize) {
    let (mut batch, mut group_bytes, mut scope_bytes) = (Vec::new(), Vec::new(), Vec::new());
    let mut kept = 0;
    for group in view.resources() {
        group_bytes.clear();
        let resource = group.resource();
        if group.has_resource() {
            put(&mut group_bytes, 1, resource.bytes());
        }
        let without_scopes = group_bytes.len();
        for scopes in group.scopes() {
            scope_bytes.clear();
            let scope = scopes.scope();
            if scopes.has_scope() {
                put(&mut scope_bytes, 1, scope.bytes());
            }
            let without_items = scope_bytes.len();
            for item in scopes.items() {
                if keep(resource, scope, item) {
                    kept += count(item);
                    put(&mut scope_bytes, 2, bytes_of(item));
                }
            }
            if scope_bytes.len() > without_items {
                put_text(&mut scope_bytes, 3, scopes.schema_url());
                put(&mut group_bytes, 2, &scope_bytes);
            }
        }
        if group_bytes.len() > without_scopes {
            put_text(&mut group_bytes, 3, group.schema_url());
            put(&mut batch, 1, &group_bytes);
        }
    }
    (batch, kept)
}

fn put_text(out: &mut Vec<u8>, tag: u8, text: &str) {
    if !text.is_empty() {
        put(out, tag, text.as_bytes());
    }
}

/// A length-delimited field with a tag below 16.
fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag << 3 | 2);
    let mut length = bytes.len() as u64;
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
    use crate::proto::resource::Resource;

    fn batch() -> LogsData {
        let scope = |numbers: &[i32]| ScopeLogs {
            schema_url: "s".repeat(200),
            log_records: numbers
                .iter()
                .map(|&severity_number| LogRecord { severity_number, ..LogRecord::default() })
                .collect(),
            ..ScopeLogs::default()
        };
        let named = Some(Resource { dropped_attributes_count: 7, ..Resource::default() });
        LogsData {
            resource_logs: vec![
                ResourceLogs {
                    resource: named,
                    scope_logs: vec![scope(&[1, 2]), scope(&[3])],
                    ..ResourceLogs::default()
                },
                ResourceLogs { scope_logs: vec![scope(&[3])], ..ResourceLogs::default() },
            ],
        }
    }

    #[test]
    fn keeping_everything_changes_nothing() {
        let logs = Logs::from_message(batch());
        let all = logs.retain(|_, _, _| true);
        assert_eq!(*all.message().as_ref(), batch());
        assert_eq!(all.items(), 4);
    }

    #[test]
    fn what_is_left_out_takes_its_empty_scope_and_resource_along() {
        let some = Logs::from_message(batch()).retain(|_, _, record| record.severity_number() != 3);
        let mut expected = batch();
        expected.resource_logs.truncate(1);
        expected.resource_logs[0].scope_logs.truncate(1);
        assert_eq!(*some.message().as_ref(), expected);
        assert_eq!(some.items(), 2);
        assert_eq!(Logs::from_message(batch()).retain(|_, _, _| false), Logs::empty());
    }
}
