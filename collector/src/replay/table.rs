//! Tables of numbers as metrics: one service a table, one metric a column, one batch a row.
//!
//! The first line names the columns. The first column is the time, one named `label` says whether the row is known to be
//! out of the ordinary (1), known to be ordinary (0) or neither (empty); every other one is a gauge. An empty cell or
//! `NaN` is no point.

use std::path::Path;

use pdata::proto::common::{AnyValue, KeyValue, any_value};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    number_data_point::Value,
};
use pdata::proto::resource::Resource;
use pdata::{Batch, Metrics, Timestamp};

use super::labels::{Label, Labels};
use super::moment::moment;
use super::names;
use super::options::Options;
use super::source::Record;

/// What a column of labels is named.
const LABEL: &str = "label";
/// How much of a cell an error repeats.
const QUOTED: usize = 40;

/// Why a line of a table cannot be read, and in which of its characters, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub(super) struct TableError {
    /// Where the cell begins.
    pub(super) column: usize,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error(
        "the first line must name the columns: the time, at least one metric, and `label` if there are labels"
    )]
    NoHeader,
    #[error("the column `{0}` is there twice")]
    Twice(String),
    #[error("`{0}` is no time: write ISO 8601 or Unix time")]
    Time(String),
    #[error("`{0}` is no number")]
    Number(String),
    #[error("`{0}` is no label: write 0, 1 or nothing")]
    Label(String),
    #[error("{found} cells where the first line names {named} columns")]
    Width { found: usize, named: usize },
    #[error("the quote is not closed")]
    Quote,
    #[error("longer than {} MiB", super::text::LONGEST_LINE >> 20)]
    Long,
    #[error("not UTF-8")]
    Encoding,
}

impl TableError {
    /// For a line that is longer than any that is read.
    pub(super) const fn too_long() -> Self {
        Self { column: super::text::LONGEST_LINE, problem: Problem::Long }
    }
}

/// Reads a table, line by line.
pub(super) struct Table {
    service: String,
    unit: String,
    labels: Labels,
    /// Empty until the first line was read; `None` stands for the labels.
    columns: Vec<Option<String>>,
}

impl Table {
    /// For the file at `path`.
    pub(super) fn new(path: &Path, options: &Options) -> Self {
        let service = options.service.clone().unwrap_or_else(|| names::service(path));
        Self { service, unit: options.unit.clone(), labels: options.labels.clone(), columns: Vec::new() }
    }

    /// Whether the first line, which says what all others mean, was read.
    pub(super) const fn has_header(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Reads a line; the first one gives no record.
    ///
    /// # Errors
    /// If it is no row of the table.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Option<Record>, TableError> {
        let line = std::str::from_utf8(line.trim_ascii_end())
            .map_err(|error| TableError { column: error.valid_up_to() + 1, problem: Problem::Encoding })?;
        let cells = cells(line)?;
        if self.has_header() {
            return self.row(&cells).map(Some);
        }
        self.columns = header(&cells)?;
        Ok(None)
    }

    fn row(&self, cells: &[Cell]) -> Result<Record, TableError> {
        let mut rest = cells.iter();
        let (Some(first), true) = (rest.next(), cells.len() == self.columns.len() + 1) else {
            let column = cells.last().map_or(1, |cell| cell.column);
            let problem = Problem::Width { found: cells.len(), named: self.columns.len() + 1 };
            return Err(TableError { column, problem });
        };
        let time = moment(&first.text).ok_or_else(|| first.wrong(Problem::Time))?;
        let mut metrics = Vec::with_capacity(self.columns.len());
        let mut label = Label::Unknown;
        for (cell, column) in rest.zip(&self.columns) {
            match column {
                None => label = cell.label()?,
                Some(name) => metrics.extend(cell.number()?.map(|value| self.gauge(name, time, value))),
            }
        }
        self.labels.add(&self.service, time, label);
        Ok(Record { time, until: time, batches: vec![self.batch(metrics)] })
    }

    fn gauge(&self, name: &str, time: Timestamp, value: f64) -> Metric {
        let point = NumberDataPoint {
            time_unix_nano: time.as_nanos(),
            value: Some(Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
        Metric { name: name.to_owned(), unit: self.unit.clone(), data, ..Metric::default() }
    }

    fn batch(&self, metrics: Vec<Metric>) -> Batch {
        let service = any_value::Value::StringValue(self.service.clone());
        let service = KeyValue {
            key: "service.name".to_owned(),
            value: Some(AnyValue { value: Some(service) }),
            ..KeyValue::default()
        };
        let group = ResourceMetrics {
            resource: Some(Resource { attributes: vec![service], ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        };
        Batch::Metrics(Metrics::from_message(MetricsData { resource_metrics: vec![group] }))
    }
}

/// The names of all columns but the first.
fn header(cells: &[Cell]) -> Result<Vec<Option<String>>, TableError> {
    let none = |column| TableError { column, problem: Problem::NoHeader };
    let mut columns = Vec::with_capacity(cells.len());
    for (n, cell) in cells.iter().enumerate() {
        let name = cell.text.trim();
        if name.is_empty() || name.parse::<f64>().is_ok() {
            return Err(none(cell.column));
        }
        if cells.iter().take(n).any(|other| other.text.trim() == name) {
            return Err(cell.wrong(Problem::Twice));
        }
        columns.push((name != LABEL).then(|| name.to_owned()));
    }
    if columns.iter().skip(1).flatten().next().is_none() {
        return Err(none(1));
    }
    columns.remove(0);
    Ok(columns)
}

struct Cell {
    text: String,
    /// The character at which it begins, counted from 1.
    column: usize,
}

impl Cell {
    fn wrong(&self, problem: impl FnOnce(String) -> Problem) -> TableError {
        let mut text: String = self.text.chars().take(QUOTED).collect();
        if text.len() < self.text.len() {
            text.push('…');
        }
        TableError { column: self.column, problem: problem(text) }
    }

    fn number(&self) -> Result<Option<f64>, TableError> {
        let text = self.text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let number: f64 = text.parse().map_err(|_| self.wrong(Problem::Number))?;
        Ok((!number.is_nan()).then_some(number))
    }

    fn label(&self) -> Result<Label, TableError> {
        match self.text.trim() {
            "" => Ok(Label::Unknown),
            "0" | "0.0" => Ok(Label::Ordinary),
            "1" | "1.0" => Ok(Label::Odd),
            _ => Err(self.wrong(Problem::Label)),
        }
    }
}

/// The cells of a line (RFC 4180, but for ends of lines within quotes).
fn cells(line: &str) -> Result<Vec<Cell>, TableError> {
    let mut cells = Vec::new();
    let mut cell = Cell { text: String::new(), column: 1 };
    let mut quoted = None;
    let mut chars = line.chars().enumerate().peekable();
    while let Some((n, char)) = chars.next() {
        match (char, quoted) {
            ('"', Some(_)) if chars.next_if(|(_, next)| *next == '"').is_some() => cell.text.push('"'),
            ('"', Some(_)) => quoted = None,
            ('"', None) if cell.text.is_empty() => quoted = Some(n + 1),
            (',', None) => {
                let next = Cell { text: String::new(), column: n + 2 };
                cells.push(std::mem::replace(&mut cell, next));
            }
            (char, _) => cell.text.push(char),
        }
    }
    if let Some(column) = quoted {
        return Err(TableError { column, problem: Problem::Quote });
    }
    cells.push(cell);
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(labels: &Labels) -> Table {
        let options = Options { labels: labels.clone(), ..Options::default() };
        Table::new(Path::new("dir/cart.csv.gz"), &options)
    }

    fn read(lines: &[&str]) -> Vec<Result<Option<Record>, String>> {
        let mut table = table(&Labels::default());
        let say = |error: TableError| format!("{}: {error}", error.column);
        lines.iter().map(|line| table.line(line.as_bytes()).map_err(say)).collect()
    }

    #[test]
    fn a_row_is_a_batch_of_gauges_and_says_its_label_aside() {
        let labels = Labels::wanted();
        let mut table = table(&labels);
        assert!(table.line(b"time,a,\"b,c\",label\r\n").unwrap().is_none());
        let record = table.line(b"1700000000,1.5,\"-2\",1\r\n").unwrap().unwrap();
        assert_eq!((record.time, record.until), (Timestamp::from_secs(1_700_000_000), record.time));
        let Batch::Metrics(metrics) = &record.batches[0] else { panic!("{record:?}") };
        let read: Vec<_> = metrics
            .view()
            .items()
            .map(|(resource, _, metric)| {
                let service = resource.attribute("service.name").unwrap().as_str().unwrap().to_owned();
                let point = metric.number_points().next().unwrap();
                (service, metric.name().to_owned(), point.value().unwrap().as_f64())
            })
            .collect();
        assert_eq!(read, [("cart".into(), "a".into(), 1.5), ("cart".into(), "b,c".into(), -2.0)]);
        table.line(b"1700000060,,NaN,").unwrap().unwrap();
        let expected = [(record.time, Label::Odd), (Timestamp::from_secs(1_700_000_060), Label::Unknown)];
        assert_eq!(labels.take()["cart"], expected);
    }

    #[test]
    fn what_is_no_table_is_told_with_its_place() {
        let say = |lines: &[&str]| read(lines).pop().unwrap().unwrap_err();
        assert!(say(&["1700000000,1.5"]).starts_with("1: the first line must name the columns"));
        assert!(say(&["time,label"]).starts_with("1: the first line must name the columns"));
        assert_eq!(say(&["time,a,a"]), "8: the column `a` is there twice");
        assert_eq!(say(&["time,a", "soon,1"]), "1: `soon` is no time: write ISO 8601 or Unix time");
        assert_eq!(say(&["time,é,b", "1700000000,é,2"]), "12: `é` is no number");
        assert_eq!(say(&["time,a,label", "1700000000,1,2"]), "14: `2` is no label: write 0, 1 or nothing");
        assert_eq!(say(&["time,a", "1700000000,1,2"]), "14: 3 cells where the first line names 2 columns");
        assert_eq!(say(&["time,a", "1700000000,\"1"]), "12: the quote is not closed");
    }
}
