//! `operator-key create` and `show`: a key with which an operator signs orders, for the operator's own machine. It needs no hub
//! and no data folder, and best never comes near one: a hub that has no such key cannot lose it.

mod file;

pub(super) use file::open;

use super::{CliError, passphrase, print};
use clap::Subcommand;
use file::{Kept, create_new};
use pingup_protocol::{
    keys::{KEY_BYTES, Secret},
    order::{KeyName, OperatorKey, PrivateKey},
};
use std::path::PathBuf;

/// What a key's file is called behind the key's name.
const EXTENSION: &str = "pingup-key";

#[derive(Subcommand)]
pub(super) enum OperatorKeyCommand {
    /// Make a key, write its private half into a file, and print its public half
    Create(CreateArguments),
    /// Print the public half of a key, and where agents want it
    Show {
        /// The file that `create` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(clap::Args)]
#[command(
    after_help = "For example, on your own machine:\n  pingup-server operator-key create --name ada@laptop\nand with what it \
                  prints, on each machine that is to obey you:\n  sudo pingup-agent install --operator-key 'pok_… ada@laptop'"
)]
pub(super) struct CreateArguments {
    /// What people are to call it: 1 to 64 characters of A–Z a–z 0–9 . _ @ -
    #[arg(long, default_value = "operator", value_parser = name)]
    name: KeyName,
    /// Where the private half goes; never over another file [default: NAME.pingup-key]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A file with the passphrase to seal it with in its first line, or - for standard input [default: it is asked for]
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    passphrase_file: Option<PathBuf>,
    /// Do not seal it: who can read the file can give orders
    #[arg(long)]
    no_passphrase: bool,
}

fn name(text: &str) -> Result<KeyName, String> {
    text.parse::<KeyName>().map_err(|error| error.to_string())
}

pub(super) fn run(command: OperatorKeyCommand) -> Result<(), CliError> {
    match command {
        OperatorKeyCommand::Create(arguments) => create(arguments),
        OperatorKeyCommand::Show { file } => print(&told(&Kept::read(&file)?.public)),
    }
}

fn create(arguments: CreateArguments) -> Result<(), CliError> {
    let CreateArguments { name, out, passphrase_file, no_passphrase } = arguments;
    let out = out.unwrap_or_else(|| format!("{}.{EXTENSION}", name.as_str()).into());
    if out.exists() {
        return Err(CliError::Failed(format!("{} is there already, and is not overwritten", out.display())));
    }
    let passphrase = match (passphrase_file, no_passphrase) {
        (_, true) => None,
        (Some(file), false) => Some(passphrase::from_file(&file)?),
        (None, false) => Some(passphrase::ask("a passphrase for the new key", true)?),
    };
    let mut seed = [0; KEY_BYTES];
    getrandom::fill(&mut seed).map_err(|error| CliError::Failed(format!("no random bytes: {error}")))?;
    let key = PrivateKey::new(&Secret::new(seed));
    let public = OperatorKey { id: key.id(), name: Some(name) };
    let kept = Kept::new(&key, public, passphrase.as_ref().map(|text| text.as_str()))?;
    create_new(&out, &kept)?;
    print(&format!(
        "The private half is in {}; keep it to yourself, and a copy of it.\n\n{}",
        out.display(),
        told(&kept.public)
    ))
}

/// The public half, and where agents want it.
fn told(public: &OperatorKey) -> String {
    format!(
        "{public}\n\nAn agent obeys it with this line in its own file (/etc/pingup-agent/agent.toml):\n  \
         operator_keys = [\"{public}\"]\nor from its installation on:\n  \
         sudo pingup-agent install … --operator-key '{public}'\n"
    )
}
