//! Where the text goes.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};

use component::RunError;

use super::Config;
use super::style::Style;

/// The places that the text is written to.
#[derive(Default)]
pub(super) struct Outputs(Vec<(Style, Box<dyn Write + Send>)>);

impl Outputs {
    /// Opens what the configuration names.
    pub(super) fn open(config: &Config) -> Result<Self, RunError> {
        if config.use_internal_logger {
            return Ok(Self(vec![standard_error()]));
        }
        config.output_paths.iter().map(|path| open(path)).collect::<Result<_, _>>().map(Self)
    }

    /// Writes the text that `render` gives for each place's style.
    pub(super) fn write(&mut self, render: impl Fn(Style) -> String) -> io::Result<()> {
        for (style, output) in &mut self.0 {
            let text = render(*style);
            output.write_all(text.as_bytes())?;
            output.flush()?;
        }
        Ok(())
    }

    /// One place of the caller's own.
    #[cfg(test)]
    pub(super) fn to(output: Box<dyn Write + Send>) -> Self {
        Self(vec![(Style::default(), output)])
    }
}

fn open(path: &str) -> Result<(Style, Box<dyn Write + Send>), RunError> {
    match path {
        "stdout" => {
            let output = io::stdout();
            Ok((style_of(&output), Box::new(output)))
        }
        "stderr" => Ok(standard_error()),
        path => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file =
                file.map_err(|source| RunError::Io { what: format!("cannot open `{path}`"), source })?;
            Ok((Style::default(), Box::new(file)))
        }
    }
}

fn standard_error() -> (Style, Box<dyn Write + Send>) {
    let output = io::stderr();
    (style_of(&output), Box::new(output))
}

/// Colours only on a terminal, and not if the user asked for none (no-color.org).
fn style_of(output: &impl IsTerminal) -> Style {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style { colour: output.is_terminal() && !refused }
}
