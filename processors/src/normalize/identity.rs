//! Who sent something, in today's semantic conventions, from whatever the source says.
//!
//! In: a resource's attributes. Out: the same with `service.name` and the other identifying attributes added. What is
//! there already stays, and a second pass changes nothing.

use std::borrow::Cow;

use pdata::proto::common::KeyValue;

use super::pods;
use crate::values;

/// Other names for attributes, in the order in which they are tried. The originals stay.
const ALIASES: &[(&str, &[&str])] = &[
    (
        "k8s.pod.name",
        &[
            "pod",
            "pod_name",
            "kubernetes.pod.name",
            "kubernetes.pod_name",
            "kubernetes_pod_name",
            "k8s_pod_name",
        ],
    ),
    ("k8s.pod.uid", &["pod_uid", "kubernetes.pod.uid", "kubernetes.pod_id"]),
    (
        "k8s.namespace.name",
        &[
            "namespace",
            "namespace_name",
            "kubernetes.namespace",
            "kubernetes.namespace_name",
            "kubernetes_namespace",
            "k8s_namespace",
        ],
    ),
    (
        "k8s.node.name",
        &["node", "node_name", "kubernetes.node.name", "kubernetes.host", "kubernetes_node", "k8s_node_name"],
    ),
    (
        "k8s.container.name",
        &["container", "container_name", "kubernetes.container.name", "kubernetes.container_name"],
    ),
    ("k8s.cluster.name", &["cluster", "cluster_name", "k8s_cluster", "kubernetes.cluster.name"]),
    ("k8s.deployment.name", &["deployment", "kubernetes.deployment.name"]),
    ("k8s.statefulset.name", &["statefulset", "kubernetes.statefulset.name"]),
    ("k8s.daemonset.name", &["daemonset", "kubernetes.daemonset.name"]),
    ("container.id", &["container_id", "docker.container.id", "kubernetes.docker_id"]),
    ("host.name", &["hostname", "host_name", "host", "syslog.hostname"]),
    ("deployment.environment.name", &["deployment.environment", "env", "environment"]),
    (
        "service.version",
        &["service_version", "app.kubernetes.io/version", "k8s.pod.label.app.kubernetes.io/version"],
    ),
];

/// Attributes that name a service, most specific first.
const SERVICE_NAMES: &[&str] = &[
    "service_name",
    "service",
    "k8s.pod.annotation.resource.opentelemetry.io/service.name",
    "app.kubernetes.io/name",
    "k8s.pod.label.app.kubernetes.io/name",
    "k8s.pod.labels.app.kubernetes.io/name",
    "app_kubernetes_io_name",
    "k8s.pod.label.app",
    "k8s.pod.labels.app",
    "app",
    "k8s_app",
    "k8s-app",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
    "faas.name",
];

/// Attributes that name a service if nothing better does.
const LAST_RESORTS: &[&str] = &["k8s.container.name", "container.name", "process.executable.name"];

/// Adds what identifies the service. `file` is the log file that the records come from, if it is known.
pub(super) fn identify(attributes: &mut Vec<KeyValue>, file: Option<&str>, default_name: &str) {
    let own_file = text(attributes, "log.file.path").map(Cow::into_owned);
    if let Some(source) = own_file.as_deref().or(file).and_then(pods::of_log_file) {
        add(attributes, "k8s.namespace.name", source.namespace);
        add(attributes, "k8s.pod.name", source.pod);
        add(attributes, "k8s.container.name", source.container);
        if let Some(uid) = source.uid {
            add(attributes, "k8s.pod.uid", uid);
        }
    }
    for (name, aliases) in ALIASES {
        if text(attributes, name).is_none()
            && let Some(value) = first(attributes, aliases)
        {
            add(attributes, name, &value);
        }
    }
    service_name(attributes, default_name);
    if let Some(namespace) = namespace(attributes) {
        add(attributes, "service.namespace", &namespace);
    }
    if let Some(instance) = instance(attributes) {
        add(attributes, "service.instance.id", &instance);
    }
}

/// The SDKs' `unknown_service:java` says no more than ours.
fn is_unknown(name: &str) -> bool {
    name == "unknown_service" || name.starts_with("unknown_service:")
}

fn service_name(attributes: &mut Vec<KeyValue>, default_name: &str) {
    let known = text(attributes, "service.name").map(Cow::into_owned);
    if known.as_deref().is_some_and(|name| !is_unknown(name) && name != default_name) {
        return;
    }
    let found = first(attributes, SERVICE_NAMES)
        .or_else(|| {
            text(attributes, "k8s.replicaset.name")
                .map(|name| pods::workload_of_replica_set(&name).to_owned())
        })
        .or_else(|| text(attributes, "k8s.pod.name").map(|name| pods::workload_of_pod(&name).to_owned()))
        // Prometheus's operator writes `namespace/name`.
        .or_else(|| text(attributes, "job").map(|job| job.rsplit('/').next().unwrap_or_default().to_owned()))
        .filter(|name| !name.is_empty())
        .or_else(|| first(attributes, LAST_RESORTS));
    match (found, known) {
        (Some(name), _) => values::set(attributes, "service.name", values::string(name)),
        (None, None) => values::set(attributes, "service.name", values::string(default_name)),
        (None, Some(_)) => {}
    }
}

fn namespace(attributes: &[KeyValue]) -> Option<String> {
    first(attributes, &["service_namespace", "k8s.namespace.name"]).or_else(|| {
        let job = text(attributes, "job")?;
        job.rsplit_once('/').map(|(namespace, _)| namespace.to_owned())
    })
}

fn instance(attributes: &[KeyValue]) -> Option<String> {
    first(
        attributes,
        &[
            "service_instance_id",
            "instance",
            "k8s.pod.uid",
            "k8s.pod.name",
            "container.id",
            "host.id",
            "host.name",
        ],
    )
}

fn first(attributes: &[KeyValue], names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(attributes, name)).map(Cow::into_owned)
}

/// The value of `name` as text, if it says anything.
fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<Cow<'a, str>> {
    values::get(attributes, name).and_then(values::scalar_text).filter(|text| !text.is_empty())
}

/// Sets `name` if it is not there or says nothing.
fn add(attributes: &mut Vec<KeyValue>, name: &str, value: &str) {
    if !value.is_empty() && text(attributes, name).is_none() {
        values::set(attributes, name, values::string(value));
    }
}
