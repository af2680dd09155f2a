//! Numbers of the text formats: values as `f64`, timestamps as nanoseconds.

/// A sample's value: Go's decimal floating point, `NaN` and `Inf` in any case with an optional sign.
pub(super) fn value(token: &str) -> Option<f64> {
    // Most values are short whole numbers, which convert exactly without the general algorithm.
    const EXACT_DIGITS: usize = 15;
    if (1..=EXACT_DIGITS).contains(&token.len())
        && let Some(whole) = digits(token.as_bytes())
    {
        return Some(whole as f64);
    }
    token.parse().ok()
}

/// Classic timestamps are whole milliseconds. Saturates.
pub(super) fn milliseconds(token: &str) -> Option<i64> {
    token.parse::<i64>().ok().map(|millis| millis.saturating_mul(1_000_000))
}

/// OpenMetrics timestamps are seconds with a fraction. Plain decimals are exact to the nanosecond. Saturates.
pub(super) fn seconds(token: &str) -> Option<i64> {
    const NANO_DIGITS: usize = 9;
    let (whole, fraction) = token.split_once('.').unwrap_or((token, ""));
    let plain = whole.len() <= NANO_DIGITS * 2
        && !whole.is_empty()
        && fraction.len() <= NANO_DIGITS
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if plain && let Some(whole) = digits(whole.as_bytes()) {
        let nanos = format!("{fraction:0<NANO_DIGITS$}").parse::<i64>().ok()?;
        return Some(i64::try_from(whole).ok()?.saturating_mul(1_000_000_000).saturating_add(nanos));
    }
    let seconds: f64 = token.parse().ok()?;
    // `as` saturates.
    seconds.is_finite().then(|| (seconds * 1e9).round() as i64)
}

/// A whole number of at most 18 digits.
fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_go_floats() {
        assert_eq!(value("0"), Some(0.0));
        assert_eq!(value("123456789012345"), Some(123_456_789_012_345.0));
        assert_eq!(value("1.8446744073709552e+19"), Some(1.844_674_407_370_955_2e19));
        assert_eq!(value("+Inf"), Some(f64::INFINITY));
        assert_eq!(value("-inf"), Some(f64::NEG_INFINITY));
        assert!(value("NaN").is_some_and(f64::is_nan));
        for bad in ["", "+", "1_000", "0x1p3", "1,5", "e5", "ten"] {
            assert_eq!(value(bad), None, "{bad}");
        }
    }

    #[test]
    fn timestamps_keep_nanoseconds() {
        assert_eq!(seconds("1520879607.789"), Some(1_520_879_607_789_000_000));
        assert_eq!(seconds("1520879607.123456789"), Some(1_520_879_607_123_456_789));
        assert_eq!(seconds("1520430000"), Some(1_520_430_000_000_000_000));
        assert_eq!(seconds("1e3"), Some(1_000_000_000_000));
        assert_eq!(seconds("-1.5"), Some(-1_500_000_000));
        assert_eq!(seconds("99999999999999999999"), Some(i64::MAX));
        assert_eq!(seconds("NaN"), None);
        assert_eq!(milliseconds("-3982045"), Some(-3_982_045_000_000));
        assert_eq!(milliseconds("1.5"), None);
    }
}
