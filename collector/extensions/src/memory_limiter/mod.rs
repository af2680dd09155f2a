#![doc = include_str!("README.md")]

use std::sync::Arc;

use async_trait::async_trait;
use component::memory::{MemoryLimiterConfig, MemoryLimiters};
use component::{ConfigSpec, Extension, ExtensionFactory, Stability};

/// Builds `memory_limiter` extensions.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    type_name: "memory_limiter",
    aliases: &[],
    stability: Stability::Stable,
    config: ConfigSpec::of::<MemoryLimiterConfig>(),
    is_storage: false,
    create: |section, context| {
        let settings: Arc<MemoryLimiterConfig> = Arc::new(section.parse()?);
        context.handles.get_or_default::<MemoryLimiters>().add(&settings);
        Ok(Box::new(MemoryLimiter { _settings: settings }))
    },
};

/// Hands its settings to the engine, which measures and refuses.
#[derive(Debug)]
struct MemoryLimiter {
    /// They count while they are kept.
    _settings: Arc<MemoryLimiterConfig>,
}

#[async_trait]
impl Extension for MemoryLimiter {}

#[cfg(test)]
mod tests {
    use component::{Context, Kind};
    use config::Section;
    use serde_json::json;

    use super::*;

    #[test]
    fn its_settings_become_the_engines() {
        let context = Context::detached(Kind::Extension, "memory_limiter");
        let section =
            Section::from_json("memory_limiter", &json!({"check_interval": "2s", "limit_percentage": 75}));
        let _limiter = (FACTORY.create)(&section, &context).unwrap();
        let settings = context.handles.get_or_default::<MemoryLimiters>().current().unwrap();
        assert_eq!(settings.limit_percentage, 75);
        assert!((FACTORY.config.check)(&Section::from_json("memory_limiter", &json!({}))).is_err());
    }
}
