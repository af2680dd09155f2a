//! The metrics, from the outcomes of a round of probes.

use pdata::Timestamp;
use pdata::proto::common::KeyValue;
use pdata::proto::metrics::ResourceMetrics;

use super::certificate::Certificate;
use super::connect::Phase;
use super::target::{Outcome, Seen, Target};
use crate::emit::{Kind, Points, Report, Spec, Toggles, int, text};

const fn gauge(name: &'static str, unit: &'static str, default: bool, description: &'static str) -> Spec {
    Spec { name, unit, description, kind: Kind::Gauge, default }
}

const SUCCESS: Spec = gauge("probe.success", "1", true, "1 if the target is as it should be, otherwise 0.");
const DURATION: Spec = gauge("probe.duration", "s", true, "How long the whole probe took.");
const PHASE: Spec = gauge("probe.phase.duration", "s", true, "How long each phase of the probe took.");
const ERROR: Spec = Spec {
    name: "probe.error",
    unit: "{error}",
    description: "1 for the reason why the probe failed.",
    kind: Kind::UpDown,
    default: true,
};

const HTTP_STATUS: Spec = Spec {
    name: "httpcheck.status",
    unit: "1",
    description: "1 if the check resulted in status_code matching the status_class, otherwise 0.",
    kind: Kind::UpDown,
    default: true,
};
const HTTP_ERROR: Spec = Spec {
    name: "httpcheck.error",
    unit: "{error}",
    description: "Records errors occurring during HTTP check.",
    kind: Kind::UpDown,
    default: true,
};
const HTTP_DURATION: Spec =
    gauge("httpcheck.duration", "ms", true, "Measures the duration of the HTTP check.");
const HTTP_DNS: Spec = gauge("httpcheck.dns.lookup.duration", "ns", false, "Time spent resolving the name.");
const HTTP_CONNECT: Spec =
    gauge("httpcheck.client.connection.duration", "ns", false, "Time spent connecting.");
const HTTP_TLS: Spec =
    gauge("httpcheck.tls.handshake.duration", "ns", false, "Time spent on the TLS handshake.");
const HTTP_REQUEST: Spec = gauge(
    "httpcheck.client.request.duration",
    "ns",
    false,
    "Time from the request to the head of the answer.",
);
const HTTP_RESPONSE: Spec =
    gauge("httpcheck.response.duration", "ns", false, "Time from the head of the answer to its end.");
const HTTP_SIZE: Spec = gauge("httpcheck.response.size", "By", false, "Size of the answer's body.");
const HTTP_CERTIFICATE: Spec = gauge(
    "httpcheck.tls.cert_remaining",
    "s",
    false,
    "Time until the certificate ends; negative once it has.",
);
const HTTP_PASSED: Spec =
    gauge("httpcheck.validation.passed", "{validation}", false, "Validations that hold.");
const HTTP_FAILED: Spec =
    gauge("httpcheck.validation.failed", "{validation}", true, "Validations that do not hold.");

const TCP_STATUS: Spec =
    gauge("tcpcheck.status", "1", true, "1 if the TCP client successfully connected, otherwise 0.");
const TCP_DURATION: Spec = gauge("tcpcheck.duration", "ms", true, "Measures the duration of TCP connection.");
const TCP_ERROR: Spec = Spec {
    name: "tcpcheck.error",
    unit: "{error}",
    description: "Records errors occurring during TCP check.",
    kind: Kind::Counter,
    default: true,
};
const TLS_TIME_LEFT: Spec =
    gauge("tlscheck.time_left", "s", true, "Time until the certificate ends; negative once it has.");
const DNS_ANSWERS: Spec =
    gauge("probe.dns.answers", "{record}", true, "Records of the wanted type in the answer.");

/// Every metric.
pub(super) const SPECS: &[&Spec] = &[
    &SUCCESS,
    &DURATION,
    &PHASE,
    &ERROR,
    &HTTP_STATUS,
    &HTTP_ERROR,
    &HTTP_DURATION,
    &HTTP_DNS,
    &HTTP_CONNECT,
    &HTTP_TLS,
    &HTTP_REQUEST,
    &HTTP_RESPONSE,
    &HTTP_SIZE,
    &HTTP_CERTIFICATE,
    &HTTP_PASSED,
    &HTTP_FAILED,
    &TCP_STATUS,
    &TCP_DURATION,
    &TCP_ERROR,
    &TLS_TIME_LEFT,
    &DNS_ANSWERS,
];

/// A round of probes.
pub(super) struct Round<'a> {
    pub(super) toggles: &'a Toggles,
    pub(super) start: Timestamp,
    pub(super) time: Timestamp,
    /// Every target and what became of it.
    pub(super) outcomes: Vec<(&'a Target, Outcome)>,
}

impl Round<'_> {
    /// Everything as metrics: one resource for all, and one for each certificate, as the collector has it.
    pub(super) fn report(&self) -> Vec<ResourceMetrics> {
        let mut report = Report::new(self.toggles, self.start, self.time);
        self.common(&mut report);
        self.http(&mut report);
        self.http_phases(&mut report);
        self.tcp(&mut report);
        self.each(&mut report, &DNS_ANSWERS, |points, target, outcome| {
            if let Ok(Seen::Dns { answers }) = &outcome.result {
                points.with(target.attributes(), whole(*answers));
            }
        });
        let common = super::resource_metrics(Vec::new(), report.finish());
        let certificates = self.outcomes.iter().filter(|(target, _)| target.is_tls());
        let certificates = certificates.filter_map(|(target, outcome)| {
            let certificate = outcome.certificate.as_ref()?;
            let mut report = Report::new(self.toggles, self.start, self.time);
            report.metric(&TLS_TIME_LEFT, |points| {
                let keys = ["tlscheck.x509.issuer", "tlscheck.x509.cn", "tlscheck.x509.san"];
                points.with(certificate.attributes(keys), certificate.time_left(self.time));
            });
            super::resource_metrics(vec![text("tlscheck.target", target.name())], report.finish())
        });
        common.into_iter().chain(certificates).collect()
    }

    fn each(&self, report: &mut Report<'_>, spec: &Spec, fill: impl Fn(&mut Points, &Target, &Outcome)) {
        report.metric(spec, |points| {
            self.outcomes.iter().for_each(|(target, outcome)| fill(points, target, outcome));
        });
    }

    fn common(&self, report: &mut Report<'_>) {
        self.each(report, &SUCCESS, |points, target, outcome| {
            points.with(target.attributes(), i64::from(outcome.is_success()));
        });
        self.each(report, &DURATION, |points, target, outcome| {
            points.double_with(target.attributes(), outcome.duration.as_secs_f64());
        });
        self.each(report, &PHASE, |points, target, outcome| {
            for phase in Phase::ALL {
                if let Some(duration) = outcome.timings.get(phase) {
                    let mut attributes = target.attributes();
                    attributes.push(text("probe.phase", phase.name()));
                    points.double_with(attributes, duration.as_secs_f64());
                }
            }
        });
        self.each(report, &ERROR, |points, target, outcome| {
            if let Some(message) = outcome.error() {
                let mut attributes = target.attributes();
                attributes.push(text("error.message", &message));
                points.with(attributes, 1);
            }
        });
    }

    fn http(&self, report: &mut Report<'_>) {
        self.each_http(report, &HTTP_STATUS, |points, (url, method), outcome| {
            let status = match &outcome.result {
                Ok(Seen::Http(answer)) => answer.status.as_u16(),
                _ => 0,
            };
            for (class, name) in (1..).zip(["1xx", "2xx", "3xx", "4xx", "5xx"]) {
                let mut attributes =
                    vec![text("http.url", url), text("http.method", method), text("http.status_class", name)];
                let matches = status / 100 == class;
                attributes.extend(matches.then(|| int("http.status_code", status.into())));
                points.with(attributes, matches.into());
            }
        });
        self.each_http(report, &HTTP_ERROR, |points, (url, _), outcome| {
            if let Err(error) = &outcome.result {
                let message = transport::describe(error);
                points.with(vec![text("http.url", url), text("error.message", &message)], 1);
            }
        });
        self.each_http(report, &HTTP_DURATION, |points, (url, _), outcome| {
            points.with(vec![text("http.url", url)], whole(outcome.duration.as_millis()));
        });
        self.each_http(report, &HTTP_SIZE, |points, (url, _), outcome| {
            if let Ok(Seen::Http(answer)) = &outcome.result {
                points.with(vec![text("http.url", url)], whole(answer.size));
            }
        });
        self.each_http(report, &HTTP_CERTIFICATE, |points, (url, _), outcome| {
            if let Some(certificate) = &outcome.certificate {
                points.with(http_certificate(url, certificate), certificate.time_left(self.time));
            }
        });
        for (spec, failed) in [(&HTTP_PASSED, false), (&HTTP_FAILED, true)] {
            self.each_http(report, spec, |points, (url, _), outcome| {
                let Ok(Seen::Http(answer)) = &outcome.result else { return };
                let counts = if failed { &answer.verdict.failed } else { &answer.verdict.passed };
                for (kind, count) in counts {
                    points.with(vec![text("http.url", url), text("validation.type", kind)], whole(*count));
                }
            });
        }
    }

    fn http_phases(&self, report: &mut Report<'_>) {
        let phases = [
            (&HTTP_DNS, Phase::Dns),
            (&HTTP_CONNECT, Phase::Connect),
            (&HTTP_TLS, Phase::Tls),
            (&HTTP_REQUEST, Phase::Request),
            (&HTTP_RESPONSE, Phase::Response),
        ];
        for (spec, phase) in phases {
            self.each_http(report, spec, |points, (url, _), outcome| {
                let mut attributes = vec![text("http.url", url)];
                attributes.extend((phase == Phase::Connect).then(|| text("network.transport", "tcp")));
                // The collector reports a phase that there was not as one that took no time.
                points.with(attributes, whole(outcome.timings.get(phase).unwrap_or_default().as_nanos()));
            });
        }
    }

    fn each_http(
        &self,
        report: &mut Report<'_>,
        spec: &Spec,
        fill: impl Fn(&mut Points, (&str, &str), &Outcome),
    ) {
        self.each(report, spec, |points, target, outcome| {
            if let Some(method) = target.http_method() {
                fill(points, (target.name(), method), outcome);
            }
        });
    }

    fn tcp(&self, report: &mut Report<'_>) {
        let endpoint = |target: &Target| vec![text("tcpcheck.endpoint", target.name())];
        self.each(report, &TCP_STATUS, |points, target, outcome| {
            if target.is_tcp() {
                points.with(endpoint(target), outcome.is_success().into());
            }
        });
        self.each(report, &TCP_DURATION, |points, target, outcome| {
            if target.is_tcp() {
                points.with(endpoint(target), whole(outcome.duration.as_millis()));
            }
        });
        self.each(report, &TCP_ERROR, |points, target, outcome| {
            for (code, count) in &outcome.errors_so_far {
                let mut attributes = endpoint(target);
                attributes.push(text("error.code", code));
                points.with(attributes, whole(*count));
            }
        });
    }
}

fn http_certificate(url: &str, certificate: &Certificate) -> Vec<KeyValue> {
    let mut attributes = vec![text("http.url", url)];
    attributes.extend(certificate.attributes(["http.tls.issuer", "http.tls.cn", "http.tls.san"]));
    attributes
}

/// A whole number as points hold them; saturates.
fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
