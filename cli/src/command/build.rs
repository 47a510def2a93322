//! `tenor build`: builds a contract to wasm and holds its numbers against what was released.

use crate::folder::replace;
use crate::output::Output;
use crate::words;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use tenor_abi::lock::{FILE, Line, Lock};
use tenor_abi::spec::Spec;
use wasmparser::{Parser, Payload};

/// `tenor build`.
#[derive(Debug, Args)]
pub struct Build {
    /// Folder of the contract's crate.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Adds what is new to `spec.lock`; from then on it keeps its meaning.
    #[arg(long)]
    release: bool,
}

impl Build {
    /// Builds, admits, compares.
    ///
    /// # Errors
    /// When it does not build, would not be admitted, or gives a released number another meaning.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let folder =
            self.path.canonicalize().with_context(|| format!("there is no {}", self.path.display()))?;
        if !folder.join("Cargo.toml").exists() {
            bail!("{} holds no Cargo.toml; name the folder of a contract's crate", self.path.display());
        }
        let target = tenor_build::target_folder(&folder);
        let module = tenor_build::module(&folder, &target).map_err(anyhow::Error::msg)?;
        let wasm = std::fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
        let spec = words::spec_of(&wasm)?;
        let file = folder.join(FILE);
        let new = unreleased(&file, &spec)?;
        if self.release && !new.is_empty() {
            replace(&file, Lock::of(&spec)?.to_string().as_bytes())?;
        }
        let name = format!("{}@{}", spec.name, spec.version);
        let calls: Vec<&str> = spec.calls.iter().map(|call| call.name.as_str()).collect();
        let functions = functions(&wasm);
        let lines: Vec<String> = new.iter().map(Line::to_string).collect();
        let document = json!({
            "name": name, "wasm": module.display().to_string(), "wasm_bytes": wasm.len(), "functions": functions, "calls": calls,
            "lock": file.display().to_string(), "released": self.release || new.is_empty(), "new": lines,
        });
        let lock = match (new.len(), self.release) {
            (0, _) => "every number is released".to_string(),
            (count, true) => format!("{count} lines added"),
            (count, false) => {
                format!("{count} lines are not released: `tenor build --release` adds them to {FILE}")
            }
        };
        output.result(
            &document,
            &format!(
                "built  {name}\nwasm   {}\nbytes  {} with {functions} functions\ncalls  {}\nlock   {lock}",
                module.display(),
                wasm.len(),
                calls.join(", ")
            ),
        )
    }
}

/// How many functions a module has code for.
fn functions(wasm: &[u8]) -> u32 {
    let mut payloads = Parser::new(0).parse_all(wasm).map_while(Result::ok);
    payloads
        .find_map(|payload| match payload {
            Payload::CodeSectionStart { count, .. } => Some(count),
            _ => None,
        })
        .unwrap_or(0)
}

/// What a contract has beyond what was released.
fn unreleased(file: &Path, spec: &Spec) -> Result<Vec<Line>> {
    let released = match std::fs::read_to_string(file) {
        Ok(text) => Lock::parse(&text).with_context(|| format!("{} is damaged", file.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Lock::default(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    released.additions(&Lock::of(spec)?).map_err(|conflicts| {
        let lines: Vec<String> = conflicts.iter().map(|conflict| format!("\n  {conflict}")).collect();
        anyhow::anyhow!(
            "{} says otherwise:{}\ngive each released number its meaning back and put what is new behind it; \
             only while no chain holds the contract may lines be taken out of the file",
            file.display(),
            lines.concat()
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it cannot write its own files")]
mod tests {
    use super::*;
    use crate::products;

    #[test]
    fn a_released_number_stops_the_build_when_it_means_something_else() {
        let spec = words::spec_of(products::find("recurring").unwrap().wasm).unwrap();
        let all = Lock::of(&spec).unwrap().to_string();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let says = |text: &str| {
            std::fs::write(&file, text).unwrap();
            unreleased(&file, &spec).map(|new| new.len()).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(unreleased(&file, &spec).unwrap().len(), Lock::of(&spec).unwrap().lines().len());
        assert_eq!(says(&all), Ok(0));
        assert_eq!(says(&all.replace("call 6 = history: view -> List<Collection>\n", "")), Ok(1));
        let error = says(&all.replace("term 2 = amount: Money", "term 2 = sum: Money")).unwrap_err();
        let was = "`term 2 = sum: Money` was released; now term 2 is `amount: Money`";
        assert!(error.contains("spec.lock says otherwise:") && error.contains(was), "{error}");
        assert!(error.contains("give each released number its meaning back"), "{error}");
        let error = says(&format!("{all}state: Active\n")).unwrap_err();
        assert!(
            error.contains("spec.lock is damaged: line") && error.contains("`place = meaning`"),
            "{error}"
        );
    }
}
