//! Known streams: the figures are those of river 0.26.1 (`river.drift.ADWIN()` and `PageHinkley(delta=0.005)`) on the same values.

use super::*;

/// SplitMix64: the same numbers in any language.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A coin of 0.2 that becomes one of 0.5 after 2,000 tosses.
fn coin() -> Vec<f64> {
    let mut random = Random(1);
    let toss = |n| f64::from(u8::from(random.next() < if n < 2000 { 0.2 } else { 0.5 }));
    (0..4000).map(toss).collect()
}

/// Noise that steps up a little after 3,000 values and down after 6,000.
fn step() -> Vec<f64> {
    let mut random = Random(2);
    let level = |n| match n {
        0..3000 => 0.2,
        3000..6000 => 0.3,
        _ => 0.15,
    };
    (0..9000).map(|n| 0.3 * random.next() + level(n)).collect()
}

/// Noise that rises from 2,000 to 4,000.
fn slope() -> Vec<f64> {
    let mut random = Random(3);
    let rise = |n: u32| ((f64::from(n) - 2000.0) / 2000.0).clamp(0.0, 1.0);
    (0..6000).map(|n| 0.4 * random.next() + 0.5 * rise(n)).collect()
}

/// Nothing changes.
fn same() -> Vec<f64> {
    let mut random = Random(4);
    (0..20_000).map(|_| random.next()).collect()
}

/// Where a detector sees changes.
fn changes(values: &[f64], mut observe: impl FnMut(f64) -> bool) -> Vec<usize> {
    values.iter().enumerate().filter(|(_, value)| observe(**value)).map(|(n, _)| n).collect()
}

#[test]
fn adwin_cuts_where_the_reference_does_and_keeps_the_same_window() {
    for (values, expected, len, mean) in [
        (coin(), &[2079][..], 1920, 0.516_145_833_333),
        (step(), &[3103, 6079], 2920, 0.300_022_592_458),
        (slope(), &[2367, 3007, 3647, 4799], 1200, 0.695_862_593_85),
        (same(), &[], 20_000, 0.499_873_157_809),
    ] {
        let mut adwin = Adwin::default();
        let mut has_changed = false;
        let observe = |value| {
            // The reference begins with an empty window after each change; this one keeps what came since.
            if has_changed {
                adwin = Adwin::default();
            }
            has_changed = adwin.observe(value);
            has_changed
        };
        assert_eq!(changes(&values, observe), expected);
        assert_eq!(adwin.len(), len);
        assert!((adwin.mean() - mean).abs() < 1e-9, "{}", adwin.mean());
    }
}

#[test]
fn adwin_keeps_what_came_since_the_change() {
    let mut adwin = Adwin::default();
    let found = changes(&step(), |value| adwin.observe(value));
    assert!(found.iter().all(|at| (3000..3500).contains(at) || (6000..6500).contains(at)), "{found:?}");
    assert!((2900..3100).contains(&adwin.len()) && (adwin.mean() - 0.3).abs() < 0.01, "{}", adwin.len());
}

#[test]
fn page_hinkley_finds_what_the_reference_finds() {
    for (values, high, low) in [
        (coin(), &[2141][..], &[1216, 1864, 2022, 2165, 2234, 2531, 2939, 3351, 3513, 3948][..]),
        (step(), &[3556, 6383], &[3095, 6069]),
        (slope(), &[2651, 3577], &[2230, 2630, 3035, 3554, 4111]),
        (
            same(),
            &[],
            &[
                1374, 2281, 3028, 3943, 4594, 4885, 8305, 9651, 12027, 13283, 13580, 13749, 14589, 15140,
                16068, 17289, 17962,
            ],
        ),
    ] {
        for (threshold, expected) in [(50.0, high), (10.0, low)] {
            let mut test = PageHinkley::new(0.005, threshold);
            assert_eq!(changes(&values, |value| test.observe(value).is_some()), expected);
        }
    }
}

#[test]
fn page_hinkley_says_in_which_direction() {
    let mut test = PageHinkley::new(0.5, 50.0);
    let found: Vec<_> = step().into_iter().filter_map(|value| test.observe(12.0 * value)).collect();
    assert_eq!(found, [Change::Up, Change::Down]);
}

#[test]
fn the_window_of_adwin_is_bounded_whatever_comes() {
    let mut adwin = Adwin::new(0.002);
    for n in 0..300_000_u32 {
        adwin.observe(f64::from(n % 2));
    }
    assert_eq!(adwin.len(), 300_000);
    for value in [f64::NAN, f64::INFINITY, -1e300] {
        adwin.observe(value);
    }
    assert!(adwin.mean() > 0.49 && adwin.mean() < 0.51);
    for n in 0..1_500_000_u32 {
        adwin.observe(f64::from(n % 2));
    }
    assert!((300_000..700_000).contains(&adwin.len()), "{}", adwin.len());
}

#[test]
fn what_was_learned_survives_a_restart() {
    let values = step();
    let (mut adwin, mut test) = (Adwin::default(), PageHinkley::new(0.005, 50.0));
    let mut whole = Vec::new();
    let mut parts = Vec::new();
    for value in &values {
        whole.push((adwin.observe(*value), test.observe(*value)));
    }
    let mut kept = (Adwin::default(), PageHinkley::new(0.005, 50.0));
    for (n, value) in values.iter().enumerate() {
        if n % 1111 == 0 {
            let bytes = postcard::to_allocvec(&kept).expect("a snapshot");
            kept = postcard::from_bytes(&bytes).expect("what was saved");
        }
        parts.push((kept.0.observe(*value), kept.1.observe(*value)));
    }
    assert_eq!(whole, parts);
}
