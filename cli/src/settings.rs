//! What holds for every verb: the options, else the configuration file, else the built-in choice.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    args::{Color, Format, Global, LogFormat},
    context::config_folder,
    failure::Failure,
};

/// The configuration file: the global options by their own names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ConfigFile {
    context: Option<PathBuf>,
    #[serde(default, deserialize_with = "in_any_case")]
    output: Option<Format>,
    #[serde(default, deserialize_with = "in_any_case")]
    color: Option<Color>,
    #[serde(default, deserialize_with = "in_any_case")]
    log_format: Option<LogFormat>,
}

/// As on the command line.
fn in_any_case<'de, D: Deserializer<'de>, T: ValueEnum>(from: D) -> Result<Option<T>, D::Error> {
    let word = String::deserialize(from)?;
    T::from_str(&word, true).map(Some).map_err(|_| {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
        D::Error::custom(format!("expected one of {}", names.join(", ")))
    })
}

/// The global options, decided.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The context file; none: the default one.
    pub(crate) context: Option<PathBuf>,
    /// How results are printed.
    pub(crate) output: Format,
    /// When to colour.
    pub(crate) color: Color,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
}

impl Settings {
    /// An option wins over the file.
    ///
    /// # Errors
    /// A configuration file that can't be read or has something unknown in it.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let file = match &global.config {
            Some(path) => read(path)?,
            None => read_default()?,
        };
        Ok(Self {
            context: global.context.clone().or(file.context),
            output: global.output.or(file.output).unwrap_or_default(),
            color: global.color.or(file.color).unwrap_or_default(),
            log_format: global.log_format.or(file.log_format).unwrap_or_default(),
        })
    }
}

fn read_default() -> Result<ConfigFile, Failure> {
    let Some(path) = config_folder().map(|folder| folder.join("config.toml")) else {
        return Ok(ConfigFile::default());
    };
    match read(&path) {
        // Nobody has to have one.
        Err(Failure::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(ConfigFile::default())
        }
        other => other,
    }
}

fn read(path: &Path) -> Result<ConfigFile, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|source| Failure::File { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| {
        Failure::Usage(format!("the configuration file {}: {error}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn load(text: &str, options: &[&str]) -> Result<Settings, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap();
        let line = ["whimbrel", "--config", path].into_iter().chain(options.iter().copied());
        let cli = Cli::try_parse_from(line.chain(["agent", "list"])).unwrap();
        Settings::load(&cli.global)
    }

    #[test]
    fn an_option_wins_over_the_file() {
        let file = "output = \"json\"\nlog-format = \"json\"\n";
        let settings = load(file, &["-o", "yaml"]).unwrap();
        assert_eq!((settings.output, settings.log_format), (Format::Yaml, LogFormat::Json));
        assert_eq!(load(file, &[]).unwrap().output, Format::Json);
        assert_eq!(load("output = \"YAML\"", &[]).unwrap().output, Format::Yaml);
        let error = load("output = \"xml\"", &[]).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("table, json, yaml"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = load("colour = \"never\"\n", &[]).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
        assert_eq!(error.exit(), 2);
    }
}
