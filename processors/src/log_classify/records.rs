//! What a log record tells the classifier.
//!
//! In: a record. Out: its message, its template if an earlier stage found it, and codes among its attributes.

use std::borrow::Cow;

use analysis::logs::TemplateId;
use analysis::logs::attributes::{CLASS, CLUSTER_ID, TEMPLATE, TEMPLATE_ID};
use analysis::logs::classify::{Line, Parameters, Severity};
use pdata::view::{AnyValueView, LogRecordView};

/// Where the message is in a body that is a map.
const MESSAGE_KEYS: [&str; 5] = ["message", "msg", "log", "body", "error"];

/// The attributes that say something, read in one pass.
#[derive(Default)]
struct Known<'a> {
    template: Option<&'a str>,
    id: Option<&'a str>,
    exception_type: Option<&'a str>,
    exception_message: Option<&'a str>,
    parameters: Parameters,
    is_classified: bool,
}

impl<'a> Known<'a> {
    fn of(record: LogRecordView<'a>) -> Self {
        let mut known = Self::default();
        for (key, value) in record.attributes() {
            let Parameters { http_status, grpc_status, exit_code, errno } = &mut known.parameters;
            match key {
                TEMPLATE => known.template = value.as_str().filter(|text| !text.is_empty()),
                TEMPLATE_ID => known.id = value.as_str(),
                CLASS | CLUSTER_ID => known.is_classified = true,
                "exception.type" => known.exception_type = value.as_str(),
                "exception.message" => known.exception_message = value.as_str(),
                "http.response.status_code" | "http.status_code" => *http_status = number(value),
                "rpc.grpc.status_code" => *grpc_status = number(value),
                "process.exit.code" | "exit_code" => *exit_code = number(value),
                "errno" => *errno = number(value),
                _ => {}
            }
        }
        known
    }
}

/// A record, as the classifier reads it.
pub(super) struct Message<'a> {
    template: Option<(TemplateId, &'a str)>,
    body: Cow<'a, str>,
    severity: Severity,
    parameters: Parameters,
}

impl<'a> Message<'a> {
    /// The record's message, `None` if it has neither text nor template; and whether the record was classified before.
    pub(super) fn of(record: LogRecordView<'a>) -> (Option<Self>, bool) {
        let known = Known::of(record);
        (Self::read(record, &known), known.is_classified)
    }

    fn read(record: LogRecordView<'a>, known: &Known<'a>) -> Option<Self> {
        let body = text_of(record.body()).unwrap_or_default();
        let id = known.id.and_then(|id| id.parse::<TemplateId>().ok());
        let template = match (id, known.template) {
            (Some(id), text) => Some((id, text.unwrap_or(body))),
            (None, Some(text)) => Some((TemplateId::of(text), text)),
            (None, None) => None,
        };
        // An exception that came as attributes says more than most messages.
        let body = known.exception_type.map_or(Cow::Borrowed(body), |exception| {
            Cow::Owned(format!("{body} {exception} {}", known.exception_message.unwrap_or_default()))
        });
        if body.trim().is_empty() && template.is_none_or(|(_, text)| text.trim().is_empty()) {
            return None;
        }
        let severity = Severity::of(record.severity_number(), record.severity_text(), &body);
        Some(Self { template, body, severity, parameters: known.parameters })
    }

    /// For the classifier.
    pub(super) fn line(&self) -> Line<'_> {
        Line {
            template: self.template,
            body: &self.body,
            severity: self.severity,
            parameters: self.parameters,
        }
    }

    /// For the embedder.
    pub(super) fn text(&self) -> &str {
        self.template.map_or(&self.body, |(_, text)| text)
    }
}

fn text_of(body: AnyValueView<'_>) -> Option<&str> {
    match body {
        AnyValueView::Str(text) => Some(text),
        AnyValueView::KvList(map) => {
            MESSAGE_KEYS.iter().find_map(|key| map.get(key).and_then(AnyValueView::as_str))
        }
        _ => None,
    }
}

fn number(value: AnyValueView<'_>) -> Option<u32> {
    match value {
        AnyValueView::Int(number) => u32::try_from(number).ok(),
        AnyValueView::Str(text) => text.parse().ok(),
        _ => None,
    }
}
