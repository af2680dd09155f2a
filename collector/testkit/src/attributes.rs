//! Attributes in short.

use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use pdata::proto::resource::Resource;

/// An attribute.
pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// An attribute that holds text.
pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// An attribute that holds a whole number.
pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

/// The resource of a service's only instance.
pub(crate) fn resource(service: &str) -> Resource {
    let pod = format!("{service}-6d5f9c7b8-x2vqk");
    let attributes = vec![
        text("service.name", service),
        text("service.version", "1.4.2"),
        text("service.instance.id", &pod),
        text("k8s.namespace.name", "shop"),
        text("k8s.pod.name", &pod),
        text("telemetry.sdk.language", "java"),
    ];
    Resource { attributes, ..Resource::default() }
}

/// A scope.
pub(crate) fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_owned(),
        version: "2.1.0".to_owned(),
        ..InstrumentationScope::default()
    }
}
