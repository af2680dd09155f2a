//! Tests of what lines say about themselves: by example, format by format, and by property over any line.

use proptest::prelude::*;

use super::*;

/// 2024-06-15T12:00:00Z
const OBSERVED: Timestamp = Timestamp::from_secs(1_718_452_800);

/// What a line says, in one text: format, severity, time in milliseconds, message.
fn said(line: &str) -> String {
    tell(&Sniffer::default().lift(line, OBSERVED))
}

fn tell(lifted: &Lifted<'_>) -> String {
    let severity = lifted.severity.as_ref().map_or("-".to_owned(), |it| format!("{}:{}", it.number, it.text));
    let time = lifted.time.map_or("-".to_owned(), |time| (time.as_nanos() / 1_000_000).to_string());
    format!("{:?} {severity} {time} {}", lifted.format, lifted.message)
}

#[test]
fn json_of_many_libraries() {
    let lines = [
        // zap
        (
            r#"{"level":"warn","ts":1704207845.123,"logger":"a","caller":"x/y.go:3","msg":"slow","took":5}"#,
            "Json 13:warn 1704207845123 slow",
        ),
        // pino
        (
            r#"{"level":50,"time":1704207845123,"pid":1,"hostname":"h","msg":"no \"luck\""}"#,
            r#"Json 17:ERROR 1704207845123 no "luck""#,
        ),
        // logback, with ECS keys
        (
            r#"{"@timestamp":"2024-01-02T15:04:05.123Z","log.level":"INFO","message":"up"}"#,
            "Json 9:INFO 1704207845123 up",
        ),
        // nested ECS
        (r#"{"message":"up","log":{"level":"DEBUG","logger":"x"}}"#, "Json 5:DEBUG - up"),
        // tracing-subscriber
        (
            r#"{"timestamp":"2024-01-02T15:04:05.123456Z","level":"INFO","fields":{"message":"up","n":3},"target":"a"}"#,
            "Json 9:INFO 1704207845123 up",
        ),
        // structlog
        (
            r#"{"event": "signed in", "level": "info", "timestamp": "2024-01-02T15:04:05Z"}"#,
            "Json 9:info 1704207845000 signed in",
        ),
        // MongoDB
        (
            r#"{"t":{"$date":"2024-01-02T15:04:05.123+00:00"},"s":"I","c":"NETWORK","id":1,"ctx":"l","msg":"up"}"#,
            "Json 9:INFO 1704207845123 up",
        ),
        // Serilog
        (
            r#"{"@t":"2024-01-02T15:04:05.123Z","@mt":"Hello {Name}","@l":"Warning","Name":"x"}"#,
            "Json 13:Warning 1704207845123 Hello {Name}",
        ),
        // GELF
        (
            r#"{"version":"1.1","host":"h","short_message":"down","level":3,"timestamp":1704207845.5}"#,
            "Json 17:err 1704207845500 down",
        ),
        // Python's numbers
        (r#"{"levelno": 30, "message": "hm", "time": "1.704207845e9"}"#, "Json 13:WARN 1704207845000 hm"),
    ];
    for (line, expected) in lines {
        assert_eq!(said(line), expected);
    }
}

#[test]
fn docker_and_cri_are_unwrapped() {
    let docker = |log: &str| {
        let log = serde_json::to_string(log).unwrap();
        said(&format!(r#"{{"log":{log},"stream":"stderr","time":"2024-01-02T15:04:05.123456789Z"}}"#))
    };
    assert_eq!(docker("hello\n"), "Plain - 1704207845123 hello");
    assert_eq!(
        docker("{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\"}\n"),
        "Json 17:error 1704207845123 a \"b\""
    );
    assert_eq!(docker("level=warn msg=\"too slow\" n=1\n"), "Logfmt 13:warn 1704207845123 too slow");
    assert_eq!(docker("W0102 15:04:05.000001       1 a.go:12] gone\n"), "Klog 13:WARN 1704207845123 gone");
    let cri = |rest: &str| said(&format!("2024-01-02T15:04:05.123456789Z {rest}"));
    assert_eq!(cri("stdout F hello there"), "Plain - 1704207845123 hello there");
    assert_eq!(cri("stderr F [error] no"), "Plain 17:error 1704207845123 no");
    assert_eq!(cri(r#"stdout F {"msg":"up","level":"info"}"#), "Json 9:info 1704207845123 up");
    assert_eq!(cri("stdout P half"), "Plain - 1704207845123 half");
    assert_eq!(cri("stdout said F"), "Plain - 1704207845123 stdout said F");
}

#[test]
fn ids_of_traces_and_spans_are_lifted_if_they_are_hexadecimal_and_of_the_right_length() {
    let ids = |line: &str| {
        let lifted = Sniffer::default().lift(line, OBSERVED).into_owned();
        (lifted.trace_id.map(u128::from_be_bytes), lifted.span_id.map(u64::from_be_bytes))
    };
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let expected = (Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736), Some(0x00f0_67aa_0ba9_02b7));
    for (trace_key, span_key) in [
        ("trace_id", "span_id"),
        ("traceId", "spanId"),
        ("trace.id", "span.id"),
        ("otelTraceID", "otelSpanID"),
    ] {
        let line = format!(r#"{{"msg":"x","level":"info","{trace_key}":"{trace}","{span_key}":"{span}"}}"#);
        assert_eq!(ids(&line), expected);
    }
    let nested = format!(r#"{{"msg":"x","level":"info","mdc":{{"trace_id":"{trace}","span_id":"{span}"}}}}"#);
    assert_eq!(ids(&nested), expected);
    let google = format!(
        r#"{{"message":"x","severity":"INFO","logging.googleapis.com/trace":"projects/p/traces/{trace}","logging.googleapis.com/spanId":"{span}"}}"#
    );
    assert_eq!(ids(&google), expected);
    assert_eq!(ids(&format!("level=info msg=x trace_id={trace} span_id={span}")), expected);
    // Datadog's are decimal, and zero is no id.
    let datadog = r#"{"msg":"x","level":"info","dd.trace_id":"1234567890123456789","trace_id":"00000000000000000000000000000000"}"#;
    assert_eq!(ids(datadog), (None, None));
}

#[test]
fn what_only_looks_like_json_is_plain() {
    for line in [
        "{not json}",
        r#"{"a":1"#,
        r#"{"a":1} trailing"#,
        r#"{"a":}"#,
        r#"{"msg":"x","level":"info",}"#,
        r#"{"msg":"x" "level":"info"}"#,
        r#"{"msg":"x\"}"#,
        "{}}",
        "{",
    ] {
        assert_eq!(said(line), format!("Plain - - {line}"));
    }
    let deep = format!(r#"{{"msg":"x","level":"info","a":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert_eq!(Sniffer::default().lift(&deep, OBSERVED).format, Format::Plain);
}

#[test]
fn logfmt_is_pairs_from_the_first_word_on() {
    assert_eq!(
        said(r#"time="2024-01-02T15:04:05Z" level=warning msg="not \"found\"" id=3"#),
        r#"Logfmt 13:warning 1704207845000 not "found""#
    );
    assert_eq!(
        said("ts=1704207845.5 level=info component=tsdb msg=done"),
        "Logfmt 9:info 1704207845500 done"
    );
    assert_eq!(said("level=info msg=done a=1 b=2 cached"), "Logfmt 9:info - done");
    for sentence in [
        "started with level=info msg=done",
        "retry a=b and then more words",
        "level=info is the default",
        "x=1 level=info and so on and on",
        "url=\"a\"b level=info",
        "msg=\"never closed level=info",
    ] {
        assert_eq!(said(sentence), format!("Plain - - {sentence}"));
    }
}

#[test]
fn klog() {
    assert_eq!(
        said("E0102 15:04:05.678901       1 controller.go:114] Failed to sync: boom"),
        "Klog 17:ERROR 1704207845678 Failed to sync: boom"
    );
    // Behind the day of observation, it was last year.
    assert_eq!(said("I1225 00:00:00.000000 7 a.go:1] x"), "Klog 9:INFO 1703462400000 x");
    for line in ["I0102 went away", "E1302 15:04:05.678901 1 a.go:1] x", "I0102 15:04:05.678901 a.go:1] x"] {
        assert_eq!(said(line), format!("Plain - - {line}"));
    }
}

#[test]
fn syslog_in_every_form() {
    assert_eq!(
        said("<34>Oct 11 22:14:15 mymachine su: 'su root' failed on /dev/pts/8"),
        "Syslog 18:crit 1697062455000 'su root' failed on /dev/pts/8"
    );
    assert_eq!(said("<13>Jan  2 15:04:05 no tag here"), "Syslog 10:notice 1704207845000 no tag here");
    assert_eq!(
        said(r#"<165>1 2024-01-02T15:04:05.123Z host app 42 ID47 [a@1 b="c]\"" d="e"][f g="h"] all is well"#),
        "Syslog 10:notice 1704207845123 all is well"
    );
    assert_eq!(said("<14>1 - - - - - - \u{feff}hello"), "Syslog 9:info - hello");
    assert_eq!(
        said("Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0"),
        "Syslog - 1718378161000 authentication failure; logname= uid=0"
    );
    assert_eq!(
        said("2024-01-02T16:04:05.123456+01:00 node1 kubelet[812]: W0102 15:04:05.5 812 a.go:1] slow"),
        "Klog 13:WARN 1704207845500 slow"
    );
    assert_eq!(said("Jun 14 15:16:01 combo kernel: usb 1-1: gone"), "Syslog - 1718378161000 usb 1-1: gone");
    assert_eq!(said("<999>Jan  2 15:04:05 a b: c"), "Plain - 1704207845000 a b: c");
    assert_eq!(said("<b>bold</b>"), "Plain - - <b>bold</b>");
}

#[test]
fn plain_headers_in_any_order() {
    let lines = [
        // log4j
        (
            "2024-01-02 15:04:05,123 INFO [main] org.a.B: Created",
            "9:INFO 1704207845123 [main] org.a.B: Created",
        ),
        (
            "2024-01-02 15:04:05,123 - WARN  [Q[id=1]/0:0:3@774] - gone",
            "13:WARN 1704207845123 [Q[id=1]/0:0:3@774] - gone",
        ),
        // Spring Boot
        (
            "2024-01-02T15:04:05.123+01:00  INFO 1 --- [main] c.e.App  : Started in 2.1 s",
            "9:INFO 1704204245123 1 --- [main] c.e.App  : Started in 2.1 s",
        ),
        // logback without and with the time of day
        ("[main] ERROR c.e.App - failed", "17:ERROR - c.e.App - failed"),
        ("11:04:05.123 [main] DEBUG c.e.App - hm", "5:DEBUG 1718449445123 c.e.App - hm"),
        // Python
        ("2024-01-02 15:04:05,123 - my.log - ERROR - no", "17:ERROR 1704207845123 no"),
        ("2024-01-02 15:04:05,123 - mylog - ERROR - no", "17:ERROR 1704207845123 no"),
        ("ERROR:root:no", "17:ERROR - root:no"),
        // Go's log, nginx, Apache
        ("2024/01/02 15:04:05 http: served", "- 1704207845000 http: served"),
        ("2024/01/02 15:04:05 [error] 12#0: *1 no", "17:error 1704207845000 12#0: *1 no"),
        ("[Tue Jan 02 15:04:05 2024] [notice] init ok", "10:notice 1704207845000 init ok"),
        ("[Tue Jan 02 15:04:05.123 2024] [core:warn] [pid 3] hm", "13:warn 1704207845123 [pid 3] hm"),
        // env_logger and tracing, with colours
        ("[2024-01-02T15:04:05Z INFO  a::b] up", "9:INFO 1704207845000 a::b] up"),
        (
            "\u{1b}[2m2024-01-02T15:04:05.123456Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m \u{1b}[2ma\u{1b}[0m: hm",
            "13:WARN 1704207845123 a\u{1b}[0m: hm",
        ),
        // zap's console, loguru
        ("2024-01-02T15:04:05.123Z\tinfo\tserver/a.go:3\tup", "9:info 1704207845123 server/a.go:3\tup"),
        ("2024-01-02 15:04:05.123 | SUCCESS  | a:b:3 - ok", "10:SUCCESS 1704207845123 a:b:3 - ok"),
    ];
    for (line, expected) in lines {
        assert_eq!(said(line), format!("Plain {expected}"), "{line}");
    }
}

#[test]
fn plain_headers_of_well_known_programs() {
    let lines = [
        // HDFS, Spark, Android, HealthApp, Proxifier, OpenStack, BGL
        ("240102 150405 148 INFO dfs.X: gone", "9:INFO 1704207845000 dfs.X: gone"),
        ("24/01/02 15:04:05 INFO storage.B: gone", "9:INFO 1704207845000 storage.B: gone"),
        ("01-02 15:04:05.123  1702  2395 D Wm: gone", "5:DEBUG 1704207845123 Wm: gone"),
        ("20240102-15:04:05:123|Step|3|gone", "- 1704207845123 Step|3|gone"),
        ("[01.02 15:04:05] a.exe - open", "- 1704207845000 a.exe - open"),
        (
            "api.log 2024-01-02 15:04:05.123 25746 INFO nova.x [req-1] ok",
            "9:INFO 1704207845123 nova.x [req-1] ok",
        ),
        (
            "- 1704207845 2024.01.02 R02 2024-01-02-15.04.05.6 R02 RAS ok",
            "- 1704207845000 2024.01.02 R02 2024-01-02-15.04.05.6 R02 RAS ok",
        ),
        // PostgreSQL, Redis, MongoDB, Tomcat, JUL
        ("2024-01-02 15:04:05.123 UTC [7] LOG:  ready", "9:LOG 1704207845123 ready"),
        ("2024-01-02 15:04:05.123 UTC [7] FATAL:  no", "21:FATAL 1704207845123 no"),
        ("1:M 02 Jan 2024 15:04:05.123 # low", "13:WARN 1704207845123 low"),
        ("2024-01-02T15:04:05.123+0000 I NETWORK  [l] up", "9:INFO 1704207845123 NETWORK  [l] up"),
        ("02-Jan-2024 15:04:05.123 SEVERE [main] a.B no", "17:SEVERE 1704207845123 [main] a.B no"),
        ("Jan 02, 2024 3:04:05 PM a.B run", "- 1704207845000 a.B run"),
        ("E/Runtime( 1234): no", "17:ERROR - /Runtime( 1234): no"),
        // The severity first, in brackets and without
        ("INFO 2024-01-02 15:04:05 up", "9:INFO 1704207845000 up"),
        ("[WARN] [2024-01-02 15:04:05] hm", "13:WARN 1704207845000 hm"),
        ("info: Microsoft.Hosting[14]", "9:info - info: Microsoft.Hosting[14]"),
        ("fail: A.B[3]", "17:fail - fail: A.B[3]"),
        ("Error: no such file", "17:Error - Error: no such file"),
        ("1704207845.123 done", "- 1704207845123 done"),
        // Access logs keep all
        (
            r#"10.0.0.1 - ada [02/Jan/2024:16:04:05 +0100] "GET / HTTP/1.0" 200 1"#,
            r#"- 1704207845000 10.0.0.1 - ada [02/Jan/2024:16:04:05 +0100] "GET / HTTP/1.0" 200 1"#,
        ),
    ];
    for (line, expected) in lines {
        assert_eq!(said(line), format!("Plain {expected}"), "{line}");
    }
}

#[test]
fn what_is_not_in_header_position_is_no_header() {
    for line in [
        "an error of judgement",
        "error connecting to db",
        "Connection ERROR occurred",
        "lost 3 ERROR messages",
        "I am here",
        "E is a letter",
        "user said (error) twice",
        "10:20:30 is early",
        "9999999999 items",
        "2024-13-40 25:00:00 no such day",
        "Information is power",
        "at com.example.Foo.bar(Foo.java:12)",
        "",
        " ",
        "[",
        "-",
    ] {
        assert_eq!(said(line), format!("Plain - - {line}"));
    }
    // A timestamp is one, but the words behind it are not.
    assert_eq!(said("2024-01-02 15:04:05 I am here"), "Plain - 1704207845000 I am here");
    assert_eq!(said("2024-01-02 15:04:05 lost ERROR messages"), "Plain - 1704207845000 lost ERROR messages");
}

#[test]
fn days_and_years_that_are_not_written_come_from_the_observation() {
    let time = |line: &str, observed: Timestamp| {
        Sniffer::default().lift(line, observed).time.map(|time| time.as_nanos() / 1_000_000_000)
    };
    let new_year = Timestamp::from_secs(1_704_067_210);
    assert_eq!(time("Dec 31 23:59:59 h a[1]: x", new_year), Some(1_704_067_199));
    assert_eq!(time("23:59:59 INFO x", new_year), Some(1_704_067_199));
    assert_eq!(time("Feb 29 00:00:00 h a[1]: x", Timestamp::from_secs(1_750_000_000)), Some(1_709_164_800));
    assert_eq!(time("Dec 31 23:59:59 h a[1]: x", Timestamp::default()), None);
    // Day first or month first, whatever is nearer.
    assert_eq!(time("06/14/2024 10:00:00 x", OBSERVED), Some(1_718_359_200));
    assert_eq!(time("14/06/2024 10:00:00 x", OBSERVED), Some(1_718_359_200));
    assert_eq!(time("14.06.2024 10:00:00 x", OBSERVED), Some(1_718_359_200));
    assert_eq!(time("06/05/2024 10:00:00 x", OBSERVED), Some(1_717_581_600));
}

#[test]
fn a_stream_keeps_its_format_until_several_lines_say_otherwise() {
    let mut sniffer = Sniffer::default();
    let mut format = |line: &str| sniffer.lift(line, OBSERVED).format;
    let weak = r#"{"event":"seen","n":1}"#;
    assert_eq!(format("hello"), Format::Plain);
    assert_eq!(format(weak), Format::Plain);
    assert_eq!(format(r#"{"event":"seen","level":"info"}"#), Format::Json);
    assert_eq!(format("hello"), Format::Plain);
    for _ in 0..4 {
        assert_eq!(format(weak), Format::Plain);
    }
    assert_eq!(format(weak), Format::Json);
    assert_eq!(format("\tat a.B.c(B.java:3)"), Format::Plain);
    assert_eq!(format(weak), Format::Json);
    assert_eq!(sniffer.format(), Some(Format::Json));
}

/// Lines made of what headers are made of.
fn lines() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("2024-01-02T15:04:05.123Z"),
        Just("2024-01-02 15:04:05"),
        Just("Jan  2 15:04:05"),
        Just("02/Jan/2024:15:04:05 +0100"),
        Just("15:04:05"),
        Just("<34>"),
        Just("<34>1 "),
        Just("I0102"),
        Just("ERROR"),
        Just("error"),
        Just("E"),
        Just("["),
        Just("]"),
        Just("|"),
        Just(" - "),
        Just(" "),
        Just(":"),
        Just("\u{1b}[0m"),
        Just("{\"msg\":"),
        Just("\"\\u00"),
        Just("\"x\""),
        Just("}"),
        Just("level="),
        Just("msg=\""),
        Just("é"),
        Just("\u{1f525}"),
        Just("\n"),
        Just("stdout F"),
        Just("9"),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn check(line: &str, observed: u64) -> Result<(), TestCaseError> {
    let lifted = Sniffer::default().lift(line, Timestamp::from_nanos(observed));
    if let Cow::Borrowed(message) = &lifted.message {
        prop_assert!(line.as_bytes().as_ptr_range().contains(&message.as_ptr()) || message.is_empty());
        prop_assert!(line.contains(message));
    }
    // Only docker's JSON has escapes around a plain line.
    let is_plain = matches!(lifted.format, Format::Plain | Format::Klog) && !line.contains('{');
    prop_assert!(!is_plain || matches!(lifted.message, Cow::Borrowed(_)));
    prop_assert!(lifted.severity.is_none_or(|it| (1..=24).contains(&it.number) && !it.text.is_empty()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_without_a_panic(line in ".*", observed: u64) {
        check(&line, observed)?;
    }

    #[test]
    fn anything_made_of_the_parts_of_headers_is_read_without_a_panic(line in lines(), observed: u64) {
        check(&line, observed)?;
    }

    #[test]
    fn a_json_line_is_read_as_a_parser_reads_it(
        message in ".{0,40}",
        level in prop::sample::select(vec!["debug", "INFO", "Warning", "error"]),
        seconds in 1_000_000_000_u64..4_000_000_000,
        more in prop::collection::btree_map("[x-z]{1,5}", any::<(f64, bool, String)>(), 0..4),
    ) {
        let mut object = serde_json::json!({ "msg": message, "level": level, "ts": seconds });
        for (key, (number, flag, text)) in more {
            object[key] = serde_json::json!([number, { "flag": flag, "msg": text }]);
        }
        let line = object.to_string();
        let lifted = Sniffer::default().lift(&line, OBSERVED);
        prop_assert_eq!(lifted.format, Format::Json);
        prop_assert_eq!(lifted.message.as_ref(), message.as_str());
        prop_assert_eq!(lifted.severity.map(|it| it.text.into_owned()), Some(level.to_owned()));
        prop_assert_eq!(lifted.time, Some(Timestamp::from_secs(seconds)));
    }

    #[test]
    fn what_is_escaped_is_what_a_parser_makes_of_it(text in any::<String>()) {
        let escaped = serde_json::to_string(&text).unwrap();
        let unescaped = escape::unescape(&escaped[1..escaped.len() - 1]);
        prop_assert_eq!(unescaped.as_ref(), text.as_str());
    }
}
