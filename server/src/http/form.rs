//! Forms, read strictly: `application/x-www-form-urlencoded`, in a URL's query and in a body.
//!
//! A name may stand more than once. What is no percent-encoding, and what is no UTF-8 when it is decoded, is an error:
//! a query that was cut or mangled on its way must not be answered as if it were another one.

/// Fields of one form.
pub const FIELDS_MAX: usize = 1_000;

/// Why a form cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A percent sign that two hexadecimal digits do not follow.
    #[error("invalid URL escape {0:?}")]
    Escape(String),
    /// Bytes that are no text.
    #[error("a field is not UTF-8")]
    Unicode,
    /// More than [`FIELDS_MAX`].
    #[error("more than {FIELDS_MAX} fields")]
    TooMany,
}

/// Fields, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// The fields of a body, and behind them those of a URL's query.
    pub fn read(body: &[u8], query: &[u8]) -> Result<Self, FormError> {
        let mut fields = Vec::new();
        for part in [body, query] {
            for field in part.split(|&byte| byte == b'&').filter(|field| !field.is_empty()) {
                if fields.len() == FIELDS_MAX {
                    return Err(FormError::TooMany);
                }
                let at = field.iter().position(|&byte| byte == b'=');
                let (name, value) = at.map_or((field, &[][..]), |at| (&field[..at], &field[at + 1..]));
                fields.push((decode(name)?, decode(value)?));
            }
        }
        Ok(Self(fields))
    }

    /// The first field of that name; an empty one counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|value| !value.is_empty())
    }

    /// Every field of that name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

fn decode(encoded: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, behind @ ..] = rest {
        rest = behind;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = behind.split_at_checked(2);
                let byte = digits.and_then(|(digits, _)| hexadecimal(digits));
                let shown = || String::from_utf8_lossy(&behind[..behind.len().min(2)]).into_owned();
                rest = digits.map_or(behind, |(_, behind)| behind);
                byte.ok_or_else(|| FormError::Escape(format!("%{}", shown())))?
            }
            &other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::Unicode)
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0, |value: u8, &digit| {
        let digit = char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
        Some(value << 4 | digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_before_the_query_and_names_may_be_repeated() {
        let form =
            Form::read(b"query=up%7Ba%3D%22%C3%A4%22%7D&match%5B%5D=a+b&&x", b"query=other&match[]=c&empty=")
                .unwrap();
        assert_eq!(form.text("query"), Some("up{a=\"ä\"}"));
        assert_eq!(form.all("match[]").collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!((form.text("x"), form.text("empty"), form.text("absent")), (None, None, None));
        assert_eq!(Form::read(b"", b"").unwrap(), Form::default());
    }

    #[test]
    fn what_is_mangled_is_an_error() {
        for (text, escape) in
            [("a=%", "%"), ("a=%2", "%2"), ("a=%zz1", "%zz"), ("%+1=a", "%+1"), ("a=%é", "%é")]
        {
            assert_eq!(Form::read(text.as_bytes(), b""), Err(FormError::Escape(escape.into())), "{text}");
        }
        assert_eq!(Form::read(b"", b"a=%ff"), Err(FormError::Unicode));
        assert_eq!(Form::read(b"a=\xff", b""), Err(FormError::Unicode));
        let many = "a&".repeat(FIELDS_MAX);
        assert!(Form::read(many.as_bytes(), b"").is_ok());
        assert_eq!(Form::read(many.as_bytes(), b"b"), Err(FormError::TooMany));
    }
}
