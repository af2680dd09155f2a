//! Tests of the words of a message.

use proptest::prelude::*;

use super::*;

fn text(message: &str) -> String {
    Words::of(message).text().trim().to_owned()
}

#[test]
fn technical_spelling_is_spelt_out() {
    assert_eq!(text("OOMKilled"), "out of memory killed");
    assert_eq!(text("connect ECONNREFUSED 10.0.0.1:80"), "connect connection refused #");
    assert_eq!(text("java.net.SocketTimeoutException"), "java network socket timeout exception");
    assert_eq!(text("can't open cfg_file"), "cannot open config file");
    assert_eq!(text("CPUs MySQL HTTPServer"), "cpus mysql http server");
}

#[test]
fn variable_parts_are_alike_and_zeros_are_told_apart() {
    assert_eq!(text("took <DURATION> at <*>"), "took # at #");
    assert_eq!(text("failed=0 passed=12"), "failed 0 passed #");
    assert_eq!(text("0.00% loss, 0ms, 10ms, 0x0"), "0 loss 0 #");
    assert_eq!(text("pod cart-7d9c5f81 id 9f8e11ab22"), "pod cart # id #");
    assert_eq!(text("err=<nil> <b>"), "error nil b");
}

#[test]
fn the_values_of_numbers_are_kept() {
    let words = Words::of("\"GET / HTTP/1.1\" 503 190 exit code 137");
    let values: Vec<_> = words.numbers().iter().map(|number| number.value).collect();
    assert_eq!(values, [503, 190, 137]);
    assert!(words.numbers().iter().all(|number| words.text()[number.at..].starts_with('#')));
}

proptest! {
    #[test]
    fn any_text_becomes_words_with_one_blank_around_each(message in any::<String>()) {
        let words = Words::of(&message);
        prop_assert!(words.text().starts_with(' ') && words.text().ends_with(' '));
        prop_assert!(!words.text().contains("  "));
        prop_assert!(words.numbers().iter().all(|number| words.text().is_char_boundary(number.at)));
    }

    #[test]
    fn long_messages_cost_no_more_than_their_head(message in "[a-zA-Z0-9 ]{0,9000}") {
        prop_assert!(Words::of(&message).iter().count() <= MAX_WORDS * 6);
    }
}
