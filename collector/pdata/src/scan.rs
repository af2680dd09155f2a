//! Checking and counting encoded OTLP without building structs.

use crate::proto::{
    logs::LogsData,
    metrics::{MetricsData, metric::Data},
    trace::TracesData,
};
use crate::{DecodeError, Payload, Signal};

fn scan<T: Payload>(bytes: &[u8]) -> Result<usize, DecodeError> {
    T::decode(bytes).map(|message| message.count()).map_err(|_| DecodeError::Malformed {
        signal: T::SIGNAL,
        reason: "not protobuf",
        offset: 0,
    })
}

impl Payload for TracesData {
    const SIGNAL: Signal = Signal::Traces;

    fn scan(bytes: &[u8]) -> Result<usize, DecodeError> {
        scan::<Self>(bytes)
    }

    fn count(&self) -> usize {
        self.resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .map(|scope| scope.spans.len())
            .sum()
    }
}

impl Payload for LogsData {
    const SIGNAL: Signal = Signal::Logs;

    fn scan(bytes: &[u8]) -> Result<usize, DecodeError> {
        scan::<Self>(bytes)
    }

    fn count(&self) -> usize {
        self.resource_logs
            .iter()
            .flat_map(|resource| &resource.scope_logs)
            .map(|scope| scope.log_records.len())
            .sum()
    }
}

impl Payload for MetricsData {
    const SIGNAL: Signal = Signal::Metrics;

    fn scan(bytes: &[u8]) -> Result<usize, DecodeError> {
        scan::<Self>(bytes)
    }

    fn count(&self) -> usize {
        let metrics = self.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        metrics
            .flat_map(|scope| &scope.metrics)
            .map(|metric| match &metric.data {
                Some(Data::Gauge(gauge)) => gauge.data_points.len(),
                Some(Data::Sum(sum)) => sum.data_points.len(),
                Some(Data::Histogram(histogram)) => histogram.data_points.len(),
                Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
                Some(Data::Summary(summary)) => summary.data_points.len(),
                None => 0,
            })
            .sum()
    }
}
