//! From text to OTLP, and from a served text to a delivered batch.

mod conversion;
mod scraping;
