//! Views show what prost decodes.

use proptest::prelude::*;
use prost::Message;

use super::{View, owned};
use crate::proto::{logs::LogsData, metrics::MetricsData, trace::TracesData};
use crate::{Logs, arbitrary};

proptest! {
    #![proptest_config(arbitrary::cases(32))]

    #[test]
    fn a_view_of_logs_equals_the_decoded_message(mut message in arbitrary::logs()) {
        let bytes = message.encode_to_vec();
        for resource in message.resource_logs.iter_mut().filter_map(|group| group.resource.as_mut()) {
            resource.entity_refs.clear();
        }
        prop_assert_eq!(owned::logs(View::new(&bytes)), message);
    }

    #[test]
    fn a_view_of_spans_equals_the_decoded_message(mut message in arbitrary::traces()) {
        let bytes = message.encode_to_vec();
        for resource in message.resource_spans.iter_mut().filter_map(|group| group.resource.as_mut()) {
            resource.entity_refs.clear();
        }
        prop_assert_eq!(owned::traces(View::new(&bytes)), message);
    }

    #[test]
    fn a_view_of_metrics_equals_the_decoded_message(mut message in arbitrary::metrics()) {
        let bytes = message.encode_to_vec();
        for resource in message.resource_metrics.iter_mut().filter_map(|group| group.resource.as_mut()) {
            resource.entity_refs.clear();
        }
        prop_assert_eq!(owned::metrics(View::new(&bytes)), message);
    }

    #[test]
    fn views_of_arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _: LogsData = owned::logs(View::new(&bytes));
        let _: TracesData = owned::traces(View::new(&bytes));
        let _: MetricsData = owned::metrics(View::new(&bytes));
    }
}

#[test]
fn an_attribute_is_found_by_its_key() {
    let logs = Logs::from_message(crate::tests::one_log("checkout", "out of stock"));
    let group = logs.view().resources().next().unwrap();
    assert_eq!(group.resource().service_name(), "checkout");
    assert_eq!(group.resource().attribute("absent").map(super::AnyValueView::to_text), None);
    let record = group.scopes().next().unwrap().records().next().unwrap();
    assert_eq!(record.body().as_str(), Some("out of stock"));
}
