//! Passphrases: out of a file, from standard input, or asked for at the terminal without being shown.

use super::CliError;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};
use zeroize::Zeroizing;

/// Bytes of a passphrase.
const BYTES_MAX: usize = 1_024;
/// What a terminal sends for Enter, for taking one back, and for giving up.
const ENTER: [u8; 2] = *b"\r\n";
const ERASE: [u8; 2] = [0x08, 0x7f];
const GIVE_UP: [u8; 2] = [0x03, 0x04];

/// The passphrase in the first line of `file`; `-` is standard input.
pub(super) fn from_file(file: &Path) -> Result<Zeroizing<String>, CliError> {
    let failed = |error: io::Error| CliError::Failed(format!("{}: {error}", file.display()));
    let mut bytes = Zeroizing::new(Vec::new());
    let bound = BYTES_MAX as u64 + 2;
    match file.as_os_str() == "-" {
        true => io::stdin().take(bound).read_to_end(&mut bytes).map_err(failed)?,
        false => File::open(file).map_err(failed)?.take(bound).read_to_end(&mut bytes).map_err(failed)?,
    };
    let line = bytes.split(|byte| ENTER.contains(byte)).next().unwrap_or_default();
    checked(line, &format!("the first line of {}", file.display()))
}

/// Asks at the terminal; twice, with `again`, and until both are the same.
pub(super) fn ask(question: &str, again: bool) -> Result<Zeroizing<String>, CliError> {
    let no_terminal = |_| {
        CliError::Usage(
            "there is no terminal to ask for a passphrase at; give it with --passphrase-file".to_owned(),
        )
    };
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let first = asked_once(&mut terminal, question)?;
    if again && *asked_once(&mut terminal, "the same again")? != *first {
        return Err(CliError::Failed("the two were not the same".to_owned()));
    }
    Ok(first)
}

fn asked_once(terminal: &mut File, question: &str) -> Result<Zeroizing<String>, CliError> {
    let silent = Silent::begin(terminal)?;
    write!(terminal, "{question}: ")?;
    let line = typed(terminal);
    drop(silent);
    writeln!(terminal)?;
    checked(&line?, "a passphrase")
}

/// What is typed until Enter.
fn typed(keys: &mut impl Read) -> Result<Zeroizing<Vec<u8>>, CliError> {
    // Never moved as it grows, so that no piece of it stays behind.
    let mut line = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    let mut byte = [0];
    loop {
        let gone = keys.read(&mut byte)? == 0 || GIVE_UP.contains(&byte[0]);
        match byte[0] {
            _ if gone => return Err(CliError::Failed("given up".to_owned())),
            key if ENTER.contains(&key) => return Ok(line),
            key if ERASE.contains(&key) => _ = line.pop(),
            key if line.len() <= BYTES_MAX => line.push(key),
            _ => {}
        }
    }
}

fn checked(line: &[u8], what: &str) -> Result<Zeroizing<String>, CliError> {
    match std::str::from_utf8(line) {
        Ok(text) if (1..=BYTES_MAX).contains(&text.len()) => Ok(Zeroizing::new(text.to_owned())),
        _ => Err(CliError::Failed(format!("{what}: 1 to {BYTES_MAX} bytes of text expected"))),
    }
}

/// A terminal that does not show what is typed, until this goes.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn begin(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        // Key by key, and no key ends the program while nothing is shown: it would stay so.
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        let line =
            |keys: &str| typed(&mut keys.as_bytes()).map(|line| String::from_utf8(line.to_vec()).unwrap());
        assert_eq!(line("secret\rmore").unwrap(), "secret");
        assert_eq!(line("\u{7f}sx\u{7f}ecret\n").unwrap(), "secret");
        assert!(line("secret").is_err() && line("sec\u{3}ret\n").is_err());
        assert_eq!(line(&format!("{}\n", "x".repeat(9_999))).unwrap().len(), BYTES_MAX + 1, "bounded");
    }

    #[test]
    fn a_file_gives_its_first_line() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("p");
        std::fs::write(&file, "two words\r\nsecond\n").unwrap();
        assert_eq!(*from_file(&file).unwrap(), "two words");
        for bad in ["".to_owned(), "\nx".to_owned(), "x".repeat(BYTES_MAX + 1)] {
            std::fs::write(&file, bad).unwrap();
            assert!(from_file(&file).is_err());
        }
    }
}
