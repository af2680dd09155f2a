//! Log records of the processor's own: they say that templates turned out to be one.

use analysis::logs::attributes::{MERGED, OLD_TEMPLATE_ID, TEMPLATE_ID};
use analysis::logs::miner::Merge;
use component::Output;
use pdata::proto::common::InstrumentationScope;
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Logs, Timestamp};

use super::Drain;
use crate::values;

impl Drain {
    /// Counts what turned out to be one since the last call, and says so if that is wanted.
    pub(super) fn publish_merges(&mut self, now: Timestamp, output: &mut Output) {
        let merges = self.miner.take_merges();
        self.counters.merges.add(merges.len() as u64);
        if self.config.emit_merges && !merges.is_empty() {
            let records = merges.iter().map(|merge| self.merge_record(merge, now)).collect();
            output.emit(Logs::from_message(own_records(records)));
        }
    }

    fn merge_record(&self, merge: &Merge, now: Timestamp) -> LogRecord {
        let text = self
            .miner
            .resolve(merge.new)
            .map_or_else(String::new, |template| template.canonical().to_owned());
        let mut attributes = Vec::new();
        values::set(&mut attributes, TEMPLATE_ID, values::string(merge.new.to_string()));
        values::set(&mut attributes, OLD_TEMPLATE_ID, values::string(merge.old.to_string()));
        LogRecord {
            time_unix_nano: now.as_nanos(),
            observed_time_unix_nano: now.as_nanos(),
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            event_name: MERGED.to_owned(),
            body: Some(values::string(text)),
            attributes,
            ..LogRecord::default()
        }
    }
}

/// Records of the processor itself.
fn own_records(log_records: Vec<LogRecord>) -> LogsData {
    let scope =
        InstrumentationScope { name: "watchfire.drain".to_owned(), ..InstrumentationScope::default() };
    let scope = ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() };
    LogsData { resource_logs: vec![ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() }] }
}
