//! What varies, in lines as programs write them.

use proptest::prelude::*;

use super::*;

fn masked(line: &str) -> String {
    Masker::default().mask(line).masked()
}

#[test]
fn what_varies_is_masked_by_what_it_is() {
    let cases = [
        ("retry 3 of 10 in -2.5 steps", "retry <NUM> of <NUM> in <NUM> steps"),
        ("took 1.5ms, then 1h30m and 350 ms", "took <DURATION>, then <DURATION> and <NUM> ms"),
        ("lifetime <1 sec or 04:12", "lifetime <DURATION> or <TIME>"),
        ("used 87% of 4.5 GB (free 12MiB)", "used <PERCENT> of <SIZE> (free <SIZE>)"),
        ("sent 4733 bytes (4.62 KB) to peer", "sent <NUM> bytes <SIZE> to peer"),
        ("from 10.1.2.3:8080 via fe80::1%eth0", "from <IP>:<PORT> via <IP>%eth0"),
        ("src: /10.1.2.3:8080 in 10.0.0.0/8.", "src: /<IP>:<PORT> in <IP>."),
        ("mac 00:1a:2b:3c:4d:5e up", "mac <MAC> up"),
        ("id 6f1c8a4e-3b1d-4f7a-9c55-0a1b2c3d4e5f!", "id <UUID>!"),
        ("req-6f1c8a4e-3b1d-4f7a-9c55-0a1b2c3d4e5f done", "req-<UUID> done"),
        ("at 0x7ffe12 object@9f4ef63 mask ffffffff", "at <HEX> object@<HEX> mask <HEX>"),
        ("2024-05-01T10:11:12.123Z begin", "<TIME> begin"),
        ("since 2024-05-01 10:11:12,123 and 01/02/2024", "since <TIME> and <TIME>"),
        ("on Thu Jun 09 06:07:04 2005 and Jun 9 06:07:04", "on <TIME> and <TIME>"),
        ("open /var/lib/app/data.db failed", "open <PATH> failed"),
        ("load C:\\Windows\\x.dll and src/main.rs", "load <PATH> and <PATH>"),
        ("GET https://shop.example.com/a?b=c ok", "GET <URL> ok"),
        ("read hdfs://name:9000/a/b.", "read hdfs://<URL>."),
        ("to db-1.prod.example.com:5432 or www.example.org", "to <HOST>:<PORT> or <HOST>"),
        ("mail from ada.l@example.com!", "mail from <EMAIL>!"),
        ("blk_-4394112 attempt_2015_0001_m_000_0", "blk_<NUM> attempt_<ID>"),
        ("worker-17 core.5692 part-00081.log KB2928120", "worker-<NUM> core.<NUM> part-<NUM>.log KB<NUM>"),
        ("7163Calories total", "<NUM>Calories total"),
        ("enable......0 ok", "enable......<NUM> ok"),
    ];
    for (line, expected) in cases {
        assert_eq!(masked(line), expected, "{line}");
    }
}

#[test]
fn words_that_only_look_like_values_stay() {
    for line in [
        "ssh2 over ipv4 with L3 and SOCKS5",
        "java.lang.IllegalStateException in com.example.shop.Cart",
        "Input/output error on tree/torus",
        "state NEW -> ASSIGNED (auth:SIMPLE)",
        "N/A. e.g. and/or",
        "naïve café übermäßig",
        "-- *** ==",
    ] {
        assert_eq!(masked(line), line);
    }
}

#[test]
fn parameters_have_their_places_in_the_redacted_line() {
    let mut masker = Masker::default();
    let masked = masker.mask("password=hunter22 from 10.0.0.1 took 5ms");
    assert_eq!(masked.text, "password=<SECRET> from 10.0.0.1 took 5ms");
    let parameters: Vec<_> = masked.parameters().collect();
    assert_eq!(parameters, [(Kind::Secret, "<SECRET>"), (Kind::Ip, "10.0.0.1"), (Kind::Duration, "5ms")]);
}

#[test]
fn the_end_of_a_long_line_is_not_looked_at_but_redacted() {
    let settings = Settings { head: 40, ..Settings::default() };
    let line = format!("{}password=hunter22 x", "word ".repeat(20));
    let mut masker = Masker::new(settings);
    let masked = masker.mask(&line);
    assert!(masked.is_cut && masked.parts.len() < 12);
    assert!(masked.text.ends_with("password=<SECRET> x"));
}

proptest! {
    #[test]
    fn any_text_is_taken_apart_in_order(line in "\\PC{0,200}") {
        let mut masker = Masker::default();
        let masked = masker.mask(&line);
        let mut end = 0;
        for part in masked.parts {
            prop_assert!(part.start >= end && part.end > part.start, "{:?}", masked.parts);
            prop_assert!(masked.text.get(part.start as usize..part.end as usize).is_some());
            end = part.end;
        }
        prop_assert!(end as usize <= masked.text.len());
    }

    #[test]
    fn lines_made_of_what_scanners_look_for_do_no_harm(
        line in proptest::collection::vec(
            "[0-9]{1,4}|[a-f]{1,4}|[:./@=%<>_~+-]|://|\\\\|\"|'| |password|token|Bearer|-----BEGIN PRIVATE KEY|<SECRET>|ab|AKIA|µs|1h",
            0..40,
        ),
    ) {
        let line = line.concat();
        let mut masker = Masker::default();
        let once = masker.redact(&line).into_owned();
        prop_assert_eq!(masker.redact(&once), once.as_str());
    }
}
