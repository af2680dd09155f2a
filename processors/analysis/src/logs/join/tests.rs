//! Tests of joining: traces as the languages write them, with and without the white space in front of their lines; and by
//! property over any lines.

use proptest::prelude::*;

use super::super::format::Sniffer;
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_718_452_800);

/// Joins as a caller does: reads each line, asks, and appends.
fn join_with(limits: Limits, lines: &[&str]) -> Vec<String> {
    let (mut sniffer, mut joiner) = (Sniffer::default(), Joiner::new(limits));
    let mut records: Vec<String> = Vec::new();
    for text in lines {
        let lifted = sniffer.lift(text, NOW);
        let line = Line {
            text,
            is_dated: lifted.time.is_some() && lifted.severity.is_some(),
            has_time: lifted.time.is_some(),
            severity: lifted.severity.map_or(0, |severity| severity.number),
        };
        match (joiner.push(line, NOW), records.last_mut()) {
            (Decision::Continue, Some(record)) => {
                record.push('\n');
                record.push_str(text);
            }
            (Decision::Continue, None) => panic!("nothing to continue"),
            (Decision::Start, _) => records.push((*text).to_owned()),
        }
    }
    records
}

fn join(text: &str) -> Vec<String> {
    join_with(Limits::default(), &text.lines().collect::<Vec<_>>())
}

/// Every trace is one record, between other lines and with and without the white space in front; it says `expected`.
fn is_one(trace: &str, expected: &str) {
    let stripped = trace.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    for trace in [trace.to_owned(), stripped] {
        let lines = format!("listening on 80\n{trace}\nready to serve\n{trace}");
        assert_eq!(join(&lines), ["listening on 80", &trace, "ready to serve", &trace]);
        assert_eq!(says(&trace), expected);
    }
}

fn says(record: &str) -> String {
    let (head, after) = record.split_once('\n').unwrap_or((record, ""));
    let head = Sniffer::default().lift(head, NOW).message.into_owned();
    learnable(&head, after).unwrap_or_default().into_owned()
}

#[test]
fn java_and_kotlin() {
    is_one(
        "Exception in thread \"main\" java.lang.IllegalStateException: cart 17 is gone
\tat org.example.shop.Cart.load(Cart.java:41)
\tat org.example.shop.CartKt$main$1.invokeSuspend(Cart.kt:12)
\tat java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
\tSuppressed: java.io.IOException: close failed
\t\tat org.example.shop.Store.close(Store.java:9)
\t\t... 3 more
Caused by: java.sql.SQLException: connection refused
\tat org.example.shop.Store.open(Store.java:3) ~[shop-1.2.jar!/:1.2]
\t... 2 common frames omitted",
        "Exception in thread \"main\" java.lang.IllegalStateException: cart 17 is gone Suppressed: java.io.IOException Caused by: java.sql.SQLException",
    );
    is_one(
        "2024-01-02 15:04:05,123 ERROR [http-3] org.example.Web - Request failed
java.util.concurrent.CompletionException: org.example.GoneException: cart 17
\tat java.base/java.util.concurrent.CompletableFuture.encodeThrowable(CompletableFuture.java:315) [?:?]
\tat org.example.Web.lambda$handle$0(Web.java:77)
Caused by: org.example.GoneException: cart 17
\t... 9 more",
        "[http-3] org.example.Web - Request failed java.util.concurrent.CompletionException: org.example.GoneException: cart 17 Caused by: org.example.GoneException",
    );
}

#[test]
fn python() {
    is_one(
        "Traceback (most recent call last):
  File \"/app/shop/cart.py\", line 41, in load
    return store[key]
           ~~~~~^^^^^
KeyError: 'cart 17'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/main.py\", line 3, in <module>
    main()
  File \"/app/main.py\", line 9, in main
    raise CartGone(17) from None
shop.errors.CartGoneError: no cart 17",
        "Traceback (most recent call last): KeyError shop.errors.CartGoneError: no cart 17",
    );
    is_one(
        "ERROR:root:cannot load cart
Traceback (most recent call last):
  File \"/app/shop/cart.py\", line 41, in load
  File \"/app/shop/cart.py\", line 50, in connect
    sock.connect(address)
  [Previous line repeated 996 more times]
ConnectionRefusedError: [Errno 111] Connection refused",
        "root:cannot load cart ConnectionRefusedError: [Errno 111] Connection refused",
    );
}

#[test]
fn go() {
    is_one(
        "panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.(*Cart).item(...)
\t/src/shop/cart.go:41
main.main()
\t/src/shop/main.go:12 +0x1d
exit status 2",
        "panic: runtime error: index out of range [5] with length 3",
    );
    is_one(
        "2024/01/02 15:04:05 http: panic serving 10.0.0.1:51234: assignment to entry in nil map
goroutine 34 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1850 +0xbf
panic({0x6a1b20, 0x75e1a0})
\t/usr/local/go/src/runtime/panic.go:890 +0x262
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3089 +0x5ed",
        "http: panic serving 10.0.0.1:51234: assignment to entry in nil map",
    );
    is_one(
        "fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/src/main.go:5 +0x2e",
        "fatal error: all goroutines are asleep - deadlock!",
    );
}

#[test]
fn node() {
    is_one(
        "TypeError: Cannot read properties of undefined (reading 'id')
    at loadCart (/app/cart.js:41:17)
    at async Promise.all (index 0)
    at async file:///app/main.mjs:3:1
    at new Server (node:internal/http:12:3)
    at /app/web.js:9:5 {
  code: 'ERR_CART'
}",
        "TypeError: Cannot read properties of undefined (reading 'id')",
    );
    is_one(
        "/app/cart.js:41
    throw new Error('no cart');
    ^

Error: no cart
    at Object.<anonymous> (/app/cart.js:41:11)
    at Module._compile (node:internal/modules/cjs/loader:1105:14)

Node.js v18.17.0",
        "/app/cart.js:41 Error: no cart",
    );
}

#[test]
fn dotnet() {
    is_one(
        "Unhandled exception. System.InvalidOperationException: Operation failed
 ---> System.IO.IOException: disk is full
   at Shop.Store.Write(Byte[] bytes) in /src/Store.cs:line 12
   --- End of inner exception stack trace ---
   at Shop.Program.Main(String[] args) in /src/Program.cs:line 3",
        "Unhandled exception. System.InvalidOperationException: Operation failed ---> System.IO.IOException",
    );
    // Only indentation says that these belong together.
    let trace = "fail: Shop.Web[3]
      An unhandled exception has occurred
      System.TimeoutException: too slow
         at Shop.Web.<Handle>d__3.MoveNext()
      --- End of stack trace from previous location ---
         at System.Threading.Tasks.Task.Wait()";
    assert_eq!(join(&format!("{trace}\n{trace}")), [trace, trace]);
    assert_eq!(says(trace), "fail: Shop.Web[3] System.TimeoutException: too slow");
}

#[test]
fn ruby_rust_and_php() {
    is_one(
        "app.rb:3:in `load': undefined method `id' for nil:NilClass (NoMethodError)
\tfrom app.rb:7:in `main'
\tfrom app.rb:10:in `<main>'",
        "app.rb:3:in `load': undefined method `id' for nil:NilClass (NoMethodError)",
    );
    is_one(
        "ActiveRecord::ConnectionNotEstablishedError: could not connect
app/models/cart.rb:41:in 'Cart.load'
app/web.rb:7:in 'show'",
        "ActiveRecord::ConnectionNotEstablishedError: could not connect",
    );
    is_one(
        "thread 'main' (77) panicked at src/cart.rs:41:17:
index out of bounds: the len is 3 but the index is 5
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/std/src/panicking.rs:645:5
   1: core::panicking::panic_fmt
             at /rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/core/src/panicking.rs:72:14
   2: shop::cart::item
             at ./src/cart.rs:41:17
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
        "thread 'main' (77) panicked at src/cart.rs:41:17: index out of bounds: the len is 3 but the index is 5",
    );
    is_one(
        "thread 'tokio-runtime-worker' panicked at 'no cart', src/cart.rs:41:17
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
        "thread 'tokio-runtime-worker' panicked at 'no cart', src/cart.rs:41:17",
    );
    is_one(
        "PHP Fatal error:  Uncaught CartException: no cart in /app/cart.php:41
Stack trace:
#0 /app/web.php(7): load()
#1 {main}
  thrown in /app/cart.php on line 41",
        "PHP Fatal error:  Uncaught CartException: no cart in /app/cart.php:41",
    );
}

#[test]
fn pretty_printed_json_and_xml() {
    for text in [
        "{\n  \"a\": [\n    1,\n    \"}\"\n  ],\n  \"b\": {}\n}",
        "[\n{\n\"a\": null,\n\"b\": true\n}\n]",
        "response: {\n  \"ok\": false\n}",
        "<?xml version=\"1.0\"?>\n<cart id=\"1\">\n  <item/>\n</cart>",
        "<cart>\n<item>1</item>\n</cart>",
    ] {
        let lines = format!("before\n{text}\nafter\n{text}");
        assert_eq!(join(&lines), ["before", text, "after", text]);
    }
    assert_eq!(join("{\nnot json\n}"), ["{", "not json", "}"]);
    assert_eq!(join("<b>bold</b>\nnext").len(), 2);
    assert_eq!(join("waiting for {\nnext").len(), 2);
}

#[test]
fn continued_lines() {
    assert_eq!(join("query:\n  select *\n  from carts\ndone"), ["query:\n  select *\n  from carts", "done"]);
    assert_eq!(join("  a\n  b\n    c"), ["  a", "  b\n    c"]);
    // Without a timestamp where the others have one.
    let dated = |n: usize| format!("2024-01-02 15:04:{n:02} INFO line {n}");
    let mut lines: Vec<String> = (0..20).map(dated).collect();
    lines.insert(10, "and this belongs to it".to_owned());
    let joined = join(&lines.join("\n"));
    assert_eq!(joined.len(), 20);
    assert_eq!(joined[9], "2024-01-02 15:04:09 INFO line 9\nand this belongs to it");
    // A timestamp of another form is one too.
    lines[10] = "KERNEL 1117838570 2005.06.03 R02-M1 out of order".to_owned();
    assert_eq!(join(&lines.join("\n")).len(), 21);
    // Where many have none, it says nothing.
    let mixed: Vec<String> = (0..20).flat_map(|n| [dated(n), format!("plain {n}")]).collect();
    assert!(join(&mixed.join("\n")).len() > 35);
}

#[test]
fn lines_that_are_records_of_their_own_are_never_joined() {
    let mut joiner = Joiner::new(Limits::default());
    let dated = |text| Line { text, is_dated: true, has_time: false, severity: 9 };
    for text in [
        "Traceback (most recent call last):",
        "  File \"a.py\", line 1, in f",
        "\tat a.B.c(B.java:1)",
        "  x",
        "}",
    ] {
        assert_eq!(joiner.push(dated(text), NOW), Decision::Start);
    }
    let lines = "2024-01-02 15:04:05 INFO a\n2024-01-02 15:04:05 INFO b\n\tat a.B.c(B.java:1)\n2024-01-02 15:04:05 INFO c";
    assert_eq!(join(lines).len(), 3);
}

#[test]
fn a_sentence_is_no_part_of_a_trace() {
    for sentence in [
        "at least one node (of 3) is down",
        "at 10:00 the shop opens",
        "created by ada",
        "from here on",
        "... and so on",
        "Timeout waiting for lock",
        "Caused by rain",
        "note the time",
        "File \"a\" not found",
    ] {
        assert_eq!(join(&format!("hello\n{sentence}")).len(), 2, "{sentence}");
    }
}

#[test]
fn streams_that_interleave_are_joined_each_by_its_own() {
    let mut joiners = [Joiner::new(Limits::default()), Joiner::new(Limits::default())];
    let mut push = |stream: usize, text| joiners[stream].push(Line { text, ..Line::default() }, NOW);
    assert_eq!(push(0, "java.io.IOException: gone"), Decision::Start);
    assert_eq!(push(1, "panic: boom"), Decision::Start);
    assert_eq!(push(0, "\tat a.B.c(B.java:1)"), Decision::Continue);
    assert_eq!(push(1, ""), Decision::Continue);
    assert_eq!(push(0, "hello"), Decision::Start);
    assert_eq!(push(1, "goroutine 1 [running]:"), Decision::Continue);
}

#[test]
fn nothing_grows_beyond_the_limits_and_the_rest_of_a_trace_stays_together() {
    let frames: Vec<String> = (0..9).map(|n| format!("\tat a.B.c(B.java:{n})")).collect();
    let mut lines = vec!["java.io.IOException: gone"];
    lines.extend(frames.iter().map(String::as_str));
    let limits = Limits { lines: 4, ..Limits::default() };
    let joined = join_with(limits, &lines);
    assert_eq!(joined.iter().map(|record| record.lines().count()).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(says(&joined[1]), "");
    let limits = Limits { bytes: 70, ..Limits::default() };
    assert!(join_with(limits, &lines).iter().all(|record| record.len() <= 70));
}

#[test]
fn a_record_is_open_only_if_it_evidently_goes_on_and_not_for_longer_than_the_limit() {
    let mut joiner = Joiner::new(Limits::default());
    let mut push = |text, millis| {
        let now = Timestamp::from_millis(millis);
        let decision = joiner.push(Line { text, ..Line::default() }, now);
        (decision, joiner.is_open(), joiner.is_due(now + Duration::from_millis(600)))
    };
    assert_eq!(push("hello", 0), (Decision::Start, false, false));
    assert_eq!(push("java.io.IOException: gone", 100), (Decision::Start, true, false));
    assert_eq!(push("\tat a.B.c(B.java:1)", 600), (Decision::Continue, true, true));
    // Too late: it starts anew.
    assert_eq!(push("\tat a.B.d(B.java:2)", 1100), (Decision::Start, true, false));
    assert_eq!(push("{", 1200), (Decision::Start, true, false));
    assert_eq!(push("}", 1300), (Decision::Continue, false, false));
    joiner.close();
    assert_eq!(joiner.lines(), 0);
    assert!(!joiner.is_open());
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Traceback (most recent call last):".to_owned()),
        Just("  File \"a.py\", line 1, in f".to_owned()),
        Just("\tat a.B.c(B.java:1)".to_owned()),
        Just("java.io.IOException: gone".to_owned()),
        Just("panic: x".to_owned()),
        Just("goroutine 1 [running]:".to_owned()),
        Just("thread 'a' panicked at b:".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("<a>".to_owned()),
        Just(String::new()),
        Just("2024-01-02 15:04:05 ERROR x".to_owned()),
        "[^\n\r]{0,20}",
        "[ \t]{0,3}[a-zé:.({\\[<#0-9 ]{0,12}",
    ]
}

/// Pieces of lines of traces, put together by chance.
fn shaped() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "at ",
        "from ",
        "File \"a\", line 3",
        "... 12 more",
        "--- End of ",
        "---> ",
        "#0",
        "0: ",
        "12",
        ": ",
        ":in ",
        "`x'",
        "/a/b.go:12",
        " +0x1d",
        "app.rb:3",
        "/app/a.js:10",
        "node:fs",
        "java.io.IOException",
        "TypeError",
        "Uncaught ",
        "Unhandled exception. ",
        "error: ",
        " [",
        " (",
        ")",
        "{",
        "[",
        ",",
        "<a>",
        "<?xml ?>",
        "panic: ",
        "fatal error: ",
        "SIGSEGV: x",
        "goroutine 1 [running]:",
        "Caused by: ",
        "Wrapped by: ",
        "Suppressed: ",
        "INFO",
        " ",
        "x",
        "2024-01-02",
        "a.b(c:1:2)",
        "::f",
        "0x1f",
    ]);
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat().trim_ascii_start().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_called_ordinary_is_nothing_that_is_known(line in shaped()) {
        if shape::is_ordinary(&line) {
            prop_assert!(!shape::is_frame(&line) && shape::cause(&line).is_none() && !shape::is_goroutine(&line));
            prop_assert!(!shape::is_node_head(line.trim_ascii_end()));
            prop_assert_eq!(opening(&line, false), State::Line);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_comes_out_is_what_went_in(lines in prop::collection::vec(line(), 0..40), most in 1_usize..10, bytes in 1_usize..200) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let limits = Limits { lines: most, bytes, ..Limits::default() };
        let joined = join_with(limits, &lines);
        prop_assert_eq!(joined.join("\n"), lines.join("\n"));
        for record in &joined {
            prop_assert!(record.split('\n').count() <= most);
            prop_assert!(record.len() <= bytes || !record.contains('\n'));
            says(record);
        }
    }
}
