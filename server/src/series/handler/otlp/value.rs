//! Attributes of OTLP in protobuf: names and values of any kind, nested to a bound.

use super::{
    super::outcome::Unfit,
    decode::{put, words},
    message::{AnyValue, Attribute},
};
use crate::http::{
    protobuf::{Field, Fields},
    unpack::Allowance,
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// How deep a value may be nested: attributes are names and numbers.
const DEPTH_MAX: usize = 8;

/// Reads a name and its value.
pub(super) fn attribute<'a>(
    message: &'a [u8],
    depth: usize,
    allowance: &mut Allowance,
) -> Result<Attribute<'a>, Unfit> {
    let mut found = Attribute::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(bytes)) => found.key = words(bytes)?,
            (2, Field::Bytes(bytes)) => found.value = any_value(bytes, depth, allowance)?,
            _ => {}
        }
    }
    Ok(found)
}

fn any_value<'a>(message: &'a [u8], depth: usize, allowance: &mut Allowance) -> Result<AnyValue<'a>, Unfit> {
    if depth > DEPTH_MAX {
        return Err(Unfit::Bad(format!("an attribute is nested deeper than {DEPTH_MAX}")));
    }
    let mut found = AnyValue::Nothing;
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        found = match field {
            (1, Field::Bytes(bytes)) => AnyValue::Text(words(bytes)?),
            (2, Field::Number(number)) => AnyValue::Truth(number != 0),
            (3, Field::Number(number)) => AnyValue::Integer(number.cast_signed()),
            (4, Field::Eight(bits)) => AnyValue::Double(f64::from_bits(bits)),
            (5, Field::Bytes(list)) => {
                let mut values = Vec::new();
                let mut fields = Fields(list);
                while let Some(field) = fields.next()? {
                    if let (1, Field::Bytes(bytes)) = field {
                        put(&mut values, any_value(bytes, depth + 1, allowance)?, allowance)?;
                    }
                }
                AnyValue::List(values)
            }
            (6, Field::Bytes(map)) => {
                let mut values = Vec::new();
                let mut fields = Fields(map);
                while let Some(field) = fields.next()? {
                    if let (1, Field::Bytes(bytes)) = field {
                        put(&mut values, attribute(bytes, depth + 1, allowance)?, allowance)?;
                    }
                }
                AnyValue::Map(values)
            }
            (7, Field::Bytes(bytes)) => {
                allowance.take(bytes.len() * 2)?;
                AnyValue::Text(STANDARD.encode(bytes).into())
            }
            _ => continue,
        };
    }
    Ok(found)
}
