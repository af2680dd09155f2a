#![doc = include_str!("README.md")]

mod config;

use component::{ConfigSpec, ConnectorFactory, Output, ProcessError, Processor, Stability};
use pdata::{Batch, SignalSet};

pub use self::config::Config;

/// Builds `forward` connectors.
pub const FACTORY: ConnectorFactory = ConnectorFactory {
    type_name: "forward",
    aliases: &[],
    stability: Stability::Stable,
    inputs: SignalSet::ALL,
    outputs: SignalSet::ALL,
    config: ConfigSpec::of::<Config>(),
    create: |section, _| {
        section.parse::<Config>()?;
        Ok(Box::new(Forward))
    },
};

struct Forward;

impl Processor for Forward {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        output.emit(batch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ::config::Section;
    use component::{Ack, Context, Kind};
    use pdata::Logs;

    use super::*;

    #[test]
    fn hands_on_what_it_is_given_with_its_ack() {
        let section = Section::from_json("forward", &serde_json::Value::Null);
        let context = Context::detached(Kind::Connector, "forward");
        let mut forward = (FACTORY.create)(&section, &context).unwrap();
        let (sender, outcome) = std::sync::mpsc::channel();
        let mut output = Output::for_batch(Ack::new(move |outcome| sender.send(outcome).unwrap()));
        let result = forward.process(Logs::empty().into(), &mut output);
        let mut emitted = output.finish(result);
        assert_eq!(emitted.len(), 1);
        assert!(outcome.try_recv().is_err(), "nothing is acknowledged before it is delivered");
        emitted.remove(0).ack.done();
        assert_eq!(outcome.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn refuses_settings() {
        let section = Section::from_json("forward", &serde_json::json!({"to": "x"}));
        assert!((FACTORY.config.check)(&section).is_err());
    }
}
