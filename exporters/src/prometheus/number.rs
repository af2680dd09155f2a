//! Numbers as Prometheus's own libraries write them: what a label such as `le` says is part of a series' identity.

use std::fmt::Write;

/// Numbers with these powers of ten are written without an exponent.
const PLAIN_EXPONENTS: std::ops::Range<i32> = -4..6;

/// The shortest text that reads back as the same number, as Go's format `g` has it.
pub(super) fn write_float(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str("NaN");
        return;
    }
    if number.is_infinite() {
        out.push_str(if number > 0.0 { "+Inf" } else { "-Inf" });
        return;
    }
    // `-d.ddde-x`: digits and exponent of the shortest text.
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if PLAIN_EXPONENTS.contains(&exponent) {
        put(out, format_args!("{number}"));
        return;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    put(out, format_args!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()));
}

/// The same for OpenMetrics, where whole numbers end with `.0`.
pub(super) fn write_open_metrics(out: &mut String, number: f64) {
    let start = out.len();
    write_float(out, number);
    if number.is_finite() && !out[start..].contains(['.', 'e']) {
        out.push_str(".0");
    }
}

/// Writing to a string cannot fail.
pub(super) fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: fn(&mut String, f64), number: f64) -> String {
        let mut out = String::new();
        write(&mut out, number);
        out
    }

    #[test]
    fn floats_are_written_as_go_does() {
        for (number, expected) in [
            (0.0, "0"),
            (0.005, "0.005"),
            (2.5, "2.5"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (-1e300, "-1e+300"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(write_float, number), expected);
        }
        assert_eq!(text(write_open_metrics, 1.0), "1.0");
        assert_eq!(text(write_open_metrics, 1e6), "1e+06");
        assert_eq!(text(write_open_metrics, f64::INFINITY), "+Inf");
    }
}
