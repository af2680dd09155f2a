//! Which time a batch covers.

use pdata::{Batch, Timestamp};

/// The earliest and the latest time of the batch's items; nothing if none has a time.
pub(super) fn extent(batch: &Batch) -> Option<(Timestamp, Timestamp)> {
    let mut extent = Extent(None);
    match batch {
        Batch::Traces(traces) => traces.view().items().for_each(|(_, _, span)| {
            extent.add(span.start());
            extent.add(span.end());
        }),
        Batch::Logs(logs) => {
            logs.view().items().for_each(|(_, _, record)| extent.add(record.time_or_observed()));
        }
        Batch::Metrics(metrics) => metrics.view().items().for_each(|(_, _, metric)| {
            metric.number_points().for_each(|point| extent.add(point.time()));
            metric.histogram_points().for_each(|point| extent.add(point.time()));
            metric.exponential_histogram_points().for_each(|point| extent.add(point.time()));
            metric.summary_points().for_each(|point| extent.add(point.time()));
        }),
        Batch::Events(events) => events.iter().for_each(|event| extent.add(event.time())),
    }
    extent.0
}

struct Extent(Option<(Timestamp, Timestamp)>);

impl Extent {
    fn add(&mut self, time: Timestamp) {
        if time.is_unknown() {
            return;
        }
        self.0 = Some(self.0.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
    }
}
