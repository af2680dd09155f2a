//! Recorded telemetry through the same stages, one thread, event time.

use super::*;

fn recorded(second: u64, items: usize) -> crate::Recorded {
    let time = Timestamp::from_secs(second);
    crate::Recorded { time, until: time, batch: logs(items) }
}

#[tokio::test]
async fn a_replay_plays_everything_in_order() {
    let environment = Environment::default();
    let bench = environment.handles.get_or_default::<Bench>();
    let input = futures::stream::iter((1..=3).map(|i| recorded(i as u64, i)));
    let config = load("[tally]", "[sink/a]");
    let played = crate::replay(&config, &REGISTRY, environment, input, None).await.unwrap();
    assert_eq!((played.batches, played.items[Signal::Logs.index()], played.refused), (3, 6, 0));
    assert_eq!((played.began, played.ended), (Timestamp::from_secs(1), Timestamp::from_secs(3)));
    let exported: Vec<_> = bench.exported.lock().unwrap().iter().map(|(_, items)| *items).collect();
    assert_eq!(exported, [1, 3, 6]);
}

#[tokio::test]
async fn a_replay_fails_when_an_exporter_does_not_take_a_batch() {
    let input = futures::stream::iter([recorded(1, 1)]);
    let config = load_with("[]", "[sink/a]", &["exporters.sink/a.text=broken".to_owned()]);
    let error = crate::replay(&config, &REGISTRY, Environment::default(), input, None).await.unwrap_err();
    assert_eq!(error.to_string(), "exporter:sink/a did not take everything: broken");
}

#[tokio::test]
async fn a_replay_sends_what_cannot_be_delivered_to_the_dead_letters() {
    let environment = Environment::default();
    let bench = environment.handles.get_or_default::<Bench>();
    let input = futures::stream::iter([recorded(1, 2)]);
    let config = load("[]", "[sink/broken]");
    crate::replay(&config, &REGISTRY, environment, input, None).await.unwrap();
    assert_eq!(bench.exported.lock().unwrap().as_slice(), [("dead".to_owned(), 2)]);
}

#[tokio::test]
async fn a_replay_counts_what_processors_refuse_and_what_no_pipeline_takes() {
    let traces = pdata::proto::trace::TracesData {
        resource_spans: vec![pdata::proto::trace::ResourceSpans {
            scope_spans: vec![pdata::proto::trace::ScopeSpans {
                spans: vec![pdata::proto::trace::Span::default()],
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    let spans = crate::Recorded { batch: pdata::Traces::from_message(traces).into(), ..recorded(2, 0) };
    let input = futures::stream::iter([recorded(1, 13), spans, recorded(3, 2)]);
    let config = load("[tally]", "[sink/a]");
    let played = crate::replay(&config, &REGISTRY, Environment::default(), input, None).await.unwrap();
    assert_eq!((played.batches, played.untaken[Signal::Traces.index()]), (3, 1));
    assert!(played.refused >= 1 && played.refusal.is_some_and(|nack| nack.reason.contains("panicked")));
}

#[tokio::test(start_paused = true)]
async fn a_replay_at_speed_2_takes_half_the_event_time() {
    let input = futures::stream::iter([recorded(10, 1), recorded(70, 1)]);
    let config = load("[]", "[sink/a]");
    let began = tokio::time::Instant::now();
    crate::replay(&config, &REGISTRY, Environment::default(), input, Some(2.0)).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(30));
}

#[tokio::test]
async fn times_at_the_end_of_time_do_not_hold_up_a_replay() {
    let last = crate::Recorded { until: Timestamp(u64::MAX), ..recorded(1, 1) };
    let input = futures::stream::iter([last]);
    let config = load("[tally]", "[sink/a]");
    let played = crate::replay(&config, &REGISTRY, Environment::default(), input, None).await.unwrap();
    assert_eq!(played.ended, Timestamp(u64::MAX));
}

#[test]
fn a_replay_ticks_every_second_and_less_often_the_longer_nothing_comes() {
    let seconds = |to: u64| -> Vec<u64> {
        let ticks = crate::replay::ticks(Timestamp::from_secs(1), Timestamp::from_secs(to));
        ticks.map(|time| time.as_nanos() / 1_000_000_000).collect()
    };
    assert_eq!((seconds(1), seconds(4)), (vec![], vec![2, 3, 4]));
    assert_eq!(seconds(62), (2..=62).collect::<Vec<_>>());
    let hour = seconds(3601);
    assert!((300..320).contains(&hour.len()) && hour.last() == Some(&3601), "{}", hour.len());
    assert!(seconds(24 * 3600).len() < 520);
}
