//! Protobuf, field by field: messages are read and written by hand, for few of their fields travel here. What is unknown
//! is passed over; what is cut or mangled is an error.
//!
//! Nothing is copied while reading. How many fields of a kind a message may have is for its reader to say.

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no protobuf message of this protocol")]
pub struct Broken;

/// A field's value, as far as its kind says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A varint: an integer, a boolean, a word of an enumeration.
    Number(u64),
    /// Eight bytes: a double, a fixed64.
    Eight(u64),
    /// A text, bytes, a message, or numbers behind one another.
    Bytes(&'a [u8]),
    /// Four bytes, of which nothing here is made.
    Four,
}

/// The fields of a message, one after the other.
#[derive(Clone, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    ///
    /// # Errors
    /// What follows is no field.
    #[expect(clippy::should_implement_trait, reason = "an error ends it, and `?` is how a reader says so")]
    pub fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Broken> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.0)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut self.0)?),
            1 => Field::Eight(eight(&mut self.0)?),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| Broken)?;
                Field::Bytes(take(&mut self.0, length)?)
            }
            5 => take(&mut self.0, 4).map(|_| Field::Four)?,
            _ => return Err(Broken),
        };
        Ok(Some((key >> 3, field)))
    }
}

/// Takes a varint from the front.
///
/// # Errors
/// There is none.
pub fn varint(bytes: &mut &[u8]) -> Result<u64, Broken> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Broken)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Broken)
}

/// Takes eight bytes from the front, the least significant first.
///
/// # Errors
/// There are fewer.
pub fn eight(bytes: &mut &[u8]) -> Result<u64, Broken> {
    let (eight, rest) = bytes.split_first_chunk().ok_or(Broken)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*eight))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Broken> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Broken)?;
    *bytes = rest;
    Ok(taken)
}

/// Bytes that must be text.
///
/// # Errors
/// They are no UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, Broken> {
    std::str::from_utf8(bytes).map_err(|_| Broken)
}

/// Writes a field of bytes: a text, or a message.
pub fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a field that is a number.
pub fn put_number(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3);
    put_varint(out, value);
}

/// Writes a field of eight bytes.
pub fn put_eight(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Vec::new();
        put_number(&mut message, 1, 300);
        put_eight(&mut message, 2, 0x7ff0_0000_0000_0002);
        put_bytes(&mut message, 3, "é".as_bytes());
        message.extend([4 << 3 | 5, 0, 0, 0, 0]);
        put_number(&mut message, 1 << 28, u64::MAX);
        let mut fields = Fields(&message);
        for wanted in [
            (1, Field::Number(300)),
            (2, Field::Eight(0x7ff0_0000_0000_0002)),
            (3, Field::Bytes("é".as_bytes())),
            (4, Field::Four),
            (1 << 28, Field::Number(u64::MAX)),
        ] {
            assert_eq!(fields.next(), Ok(Some(wanted)));
        }
        assert_eq!(fields.next(), Ok(None));
        assert_eq!((text("é".as_bytes()), text(b"\xff")), (Ok("é"), Err(Broken)));
    }

    #[test]
    fn what_is_cut_or_mangled_is_an_error() {
        for message in [
            &[0x08][..],
            &[0x0a, 5, 0],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x80; 11],
            &[0x0b],
            &[0x09, 1, 2, 3],
            &[0x0d, 1, 2],
        ] {
            assert_eq!(Fields(message).next(), Err(Broken), "{message:?}");
        }
    }
}
