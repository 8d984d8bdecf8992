//! Names of labels that a path cannot hold, as Prometheus's clients write them there: `U__http_2e_status` is
//! `http.status`. Behind `U__`, two underscores stand for one, and a code point's hexadecimal digits stand between two.

/// What such a name begins with.
const MARK: &str = "U__";
/// Digits of the highest code point.
const DIGITS_MAX: usize = 6;

/// The name that is meant; one that is not written so, or not well, means itself.
pub(super) fn unescape(name: &str) -> String {
    name.strip_prefix(MARK).and_then(read).unwrap_or_else(|| name.to_owned())
}

fn read(escaped: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = escaped;
    while let Some((plain, behind)) = rest.split_once('_') {
        name.push_str(plain);
        let (digits, behind) = behind.split_once('_')?;
        name.push(match digits {
            "" => '_',
            digits => code_point(digits)?,
        });
        rest = behind;
    }
    name.push_str(rest);
    Some(name)
}

fn code_point(digits: &str) -> Option<char> {
    let well = digits.len() <= DIGITS_MAX && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| well)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (written, meant) in [
            ("agent_id", "agent_id"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___e4_rger_1F600_", "ärger😀"),
            ("U__x____y", "x__y"),
            ("U__", ""),
            // What is not written well is a name of its own.
            ("U__a_", "U__a_"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_0000041_", "U__a_0000041_"),
            ("U__a_+41_", "U__a_+41_"),
        ] {
            assert_eq!(unescape(written), meant, "{written}");
        }
    }
}
