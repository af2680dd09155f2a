//! Times as logs write them.

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_767_322_800_000_000_000; // 2026-01-02T03:00:00Z

#[track_caller]
fn reads(layout: &Layout, text: &str, expected: &str) {
    let nanos = layout.parse(text, NOW).unwrap_or_else(|| panic!("`{text}` is not read by {layout:?}"));
    let stamp = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap();
    assert_eq!(stamp.to_string(), expected, "{text}");
}

#[test]
fn strptime_layouts_read_times() {
    for (layout, text, expected) in [
        ("%Y-%m-%d %H:%M:%S", "2024-02-29 23:59:58", "2024-02-29T23:59:58Z"),
        ("%Y-%m-%dT%H:%M:%S.%L%z", "2024-01-02T03:04:05.678+01:00", "2024-01-02T02:04:05.678Z"),
        ("%Y-%m-%dT%H:%M:%S.%fZ", "2024-01-02T03:04:05.678901Z", "2024-01-02T03:04:05.678901Z"),
        ("%d/%b/%Y:%H:%M:%S %z", "10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36Z"),
        ("%a %b %e %I:%M:%S %p %Y", "Mon Jan  2 03:04:05 PM 2006", "2006-01-02T15:04:05Z"),
        ("%b %d %H:%M:%S", "Jan  2 02:59:59", "2026-01-02T02:59:59Z"),
        ("%b %d %H:%M:%S", "Dec 31 23:00:00", "2025-12-31T23:00:00Z"),
        ("%y%m%d %T", "081109 203615", ""),
        ("%Y.%j", "2024.060", "2024-02-29T00:00:00Z"),
    ] {
        let layout = Layout::strptime(layout, "").unwrap();
        if expected.is_empty() {
            assert_eq!(layout.parse(text, NOW), None);
        } else {
            reads(&layout, text, expected);
        }
    }
    assert!(Layout::strptime("%Q", "").is_err());
    assert!(Layout::strptime("%", "").is_err());
}

#[test]
fn go_layouts_read_times() {
    for (layout, text, expected) in [
        ("2006-01-02T15:04:05.999999999Z07:00", "2024-01-02T03:04:05.5Z", "2024-01-02T03:04:05.5Z"),
        ("2006-01-02T15:04:05Z07:00", "2024-01-02T03:04:05.123-02:00", "2024-01-02T05:04:05.123Z"),
        ("Jan _2, 2006 3:04PM", "Feb  3, 2024 12:05AM", "2024-02-03T00:05:00Z"),
        ("02/01/06 15:04:05,000", "03/02/24 01:02:03,040", "2024-02-03T01:02:03.04Z"),
        ("Mon, 02 Jan 2006 15:04:05 MST", "Tue, 02 Jan 2024 03:04:05 GMT", "2024-01-02T03:04:05Z"),
    ] {
        reads(&Layout::gotime(layout, "").unwrap(), text, expected);
    }
}

#[test]
fn epochs_keep_their_fraction() {
    for (layout, text, expected) in [
        ("s", "1700000000", "2023-11-14T22:13:20Z"),
        ("ms", "1700000000123", "2023-11-14T22:13:20.123Z"),
        ("s.us", "1700000000.000123", "2023-11-14T22:13:20.000123Z"),
        ("s.ns", "1700000000", "2023-11-14T22:13:20Z"),
    ] {
        reads(&Layout::epoch(layout).unwrap(), text, expected);
    }
    assert_eq!(Layout::epoch("s").unwrap().parse("12x", NOW), None);
    assert_eq!(Layout::epoch("s").unwrap().parse("99999999999999", NOW), None);
    assert!(Layout::epoch("minutes").is_err());
}

#[test]
fn a_zone_is_needed_only_where_the_text_has_none() {
    assert!(matches!(Layout::strptime("%Y", "Mars/Olympus"), Err(LayoutError::Zone(_))));
    if let Ok(layout) = Layout::strptime("%Y-%m-%d %H:%M:%S", "Europe/Berlin") {
        reads(&layout, "2024-07-01 12:00:00", "2024-07-01T10:00:00Z");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(layout in "[%A-Za-z0-9 :.,/+-]{0,20}", text in "\\PC{0,30}", now in any::<u64>()) {
        for layout in [Layout::strptime(&layout, ""), Layout::gotime(&layout, ""), Layout::epoch(&layout)].into_iter().flatten() {
            layout.parse(&text, now);
        }
    }
}
