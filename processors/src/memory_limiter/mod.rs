#![doc = include_str!("README.md")]

use std::sync::Arc;

use component::memory::{MemoryLimiterConfig, MemoryLimiters};
use component::{Affinity, ConfigSpec, Output, ProcessError, Processor, ProcessorFactory, Stability};
use pdata::{Batch, SignalSet};

/// Builds `memory_limiter` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "memory_limiter",
    aliases: &[],
    stability: Stability::Stable,
    signals: SignalSet::ALL,
    affinity: Affinity::Anywhere,
    config: ConfigSpec::of::<MemoryLimiterConfig>(),
    create: |section, context| {
        let settings: Arc<MemoryLimiterConfig> = Arc::new(section.parse()?);
        context.handles.get_or_default::<MemoryLimiters>().add(&settings);
        Ok(Box::new(MemoryLimiter { _settings: settings }))
    },
};

/// Its settings count while it keeps them.
struct MemoryLimiter {
    _settings: Arc<MemoryLimiterConfig>,
}

impl Processor for MemoryLimiter {
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
    use serde_json::json;

    use super::*;

    #[test]
    fn its_settings_become_the_engines_and_data_passes_through() {
        let context = Context::detached(Kind::Processor, "memory_limiter");
        let section =
            Section::from_json("memory_limiter", &json!({"check_interval": "2s", "limit_mib": 400}));
        let mut limiter = (FACTORY.create)(&section, &context).unwrap();
        let settings = context.handles.get_or_default::<MemoryLimiters>().current().unwrap();
        assert_eq!(settings.limit_mib, 400);
        assert_eq!(settings.check_interval, ::config::Duration::from_secs(2));
        let mut output = Output::for_batch(Ack::none());
        let result = limiter.process(Logs::empty().into(), &mut output);
        assert_eq!(output.finish(result).len(), 1);
        drop((limiter, settings));
        assert!(context.handles.get_or_default::<MemoryLimiters>().current().is_none());
    }

    #[test]
    fn mistakes_in_its_settings_are_refused() {
        let section =
            Section::from_json("memory_limiter", &json!({"limit_mib": 100, "spike_limit_mib": 200}));
        assert!((FACTORY.config.check)(&section).is_err());
    }
}
