//! OTLP in JSON: names in camel case, whole numbers of 64 bits as texts, what is unknown passed over.
//!
//! A parser of JSON takes what room it needs, so what a text can become at most is counted before: by its braces and
//! commas, for each object and each number stands behind one.

use super::{
    super::outcome::Unfit,
    message::{AnyValue, Attribute, Metric, Request, Text},
};
use crate::http::unpack::Allowance;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// What an object becomes, at most; lists double when they grow.
const OBJECT_BYTES: usize = size_of::<Metric<'_>>();
/// The same for a number in a list.
const NUMBER_BYTES: usize = 2 * size_of::<f64>();

/// Reads a request.
pub(super) fn request<'a>(body: &'a [u8], allowance: &mut Allowance) -> Result<Request<'a>, Unfit> {
    let count = |wanted: u8| body.iter().filter(|&&byte| byte == wanted).count();
    allowance.take(count(b'{') * OBJECT_BYTES)?;
    allowance.take(count(b',') * NUMBER_BYTES)?;
    // Texts with escapes are copied.
    allowance.take(body.len())?;
    let no_otlp = |why: &dyn fmt::Display| Unfit::Bad(format!("the body is no OTLP in JSON: {why}"));
    // A list would be read as the members of an object in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(no_otlp(&"it is no object"));
    }
    serde_json::from_slice(body).map_err(|error| no_otlp(&error))
}

/// A number that may be written as a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number<T>(pub(super) T);

#[derive(Deserialize)]
#[serde(untagged)]
enum Said<'a> {
    Unsigned(u64),
    Signed(i64),
    Double(f64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

macro_rules! said {
    ($number:ty, $said:ident => $read:expr) => {
        impl<'de> Deserialize<'de> for Number<$number> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let $said = Said::deserialize(from)?;
                let read: Option<$number> = $read;
                read.map(Self).ok_or_else(|| D::Error::custom(concat!("no ", stringify!($number))))
            }
        }
    };
}

said!(u64, said => match said {
    Said::Unsigned(number) => Some(number),
    // A word of an enumeration: the only one that is asked for.
    Said::Text(text) if text == "AGGREGATION_TEMPORALITY_CUMULATIVE" => Some(super::decode::CUMULATIVE),
    Said::Text(text) if text.starts_with("AGGREGATION_TEMPORALITY_") => Some(0),
    Said::Text(text) => text.parse().ok(),
    Said::Signed(_) | Said::Double(_) => None,
});
said!(i64, said => match said {
    Said::Unsigned(number) => i64::try_from(number).ok(),
    Said::Signed(number) => Some(number),
    Said::Text(text) => text.parse().ok(),
    Said::Double(_) => None,
});
// Among the texts are NaN, Infinity and -Infinity.
said!(f64, said => match said {
    Said::Unsigned(number) => Some(number as f64),
    Said::Signed(number) => Some(number as f64),
    Said::Double(number) => Some(number),
    Said::Text(text) => text.parse().ok(),
});

/// An object with one member, whose name says what it is.
impl<'de: 'a, 'a> Deserialize<'de> for AnyValue<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = AnyValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value such as {\"stringValue\": \"…\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue<'de>, A::Error> {
        let mut value = AnyValue::Nothing;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            value = match &*name {
                "stringValue" | "bytesValue" => AnyValue::Text(map.next_value::<Borrowed<'de>>()?.0),
                "boolValue" => AnyValue::Truth(map.next_value()?),
                "intValue" => AnyValue::Integer(map.next_value::<Number<i64>>()?.0),
                "doubleValue" => AnyValue::Double(map.next_value::<Number<f64>>()?.0),
                "arrayValue" => AnyValue::List(map.next_value::<Values<AnyValue<'de>>>()?.values),
                "kvlistValue" => AnyValue::Map(map.next_value::<Values<Attribute<'de>>>()?.values),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
        }
        Ok(value)
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Text<'a>);

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Values<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}
