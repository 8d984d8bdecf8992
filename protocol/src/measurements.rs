//! What a sample measured: four measurements with a meaning of their own, and any further number by its name.
//!
//! Read in one pass without a map: members that are no numbers have no meaning here and are passed over.

use crate::{
    ids::is_name,
    limits::MEASUREMENTS_MAX,
    schema::{SchemaError, escape},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};
use std::{borrow::Cow, fmt};

/// What was measured at one moment. Percentages are 0–100, latency is milliseconds to the hub.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurements {
    /// Processor use, percent.
    pub cpu: Option<f64>,
    /// Memory use, percent.
    pub ram: Option<f64>,
    /// Use of the fullest real file system, percent.
    pub disk: Option<f64>,
    /// Round trip of the agent's last request, milliseconds.
    pub latency: Option<f64>,
    /// Everything else that was a number, by name, in the order it came.
    pub further: Vec<(String, f64)>,
}

impl Measurements {
    /// Checks ranges and names; `at` is the JSON Pointer of the object.
    pub fn check(&self, at: &str) -> Result<(), SchemaError> {
        for (name, value) in [("cpu", self.cpu), ("ram", self.ram), ("disk", self.disk)] {
            if value.is_some_and(|v| !(0.0..=100.0).contains(&v)) {
                return Err(SchemaError::at(format!("{at}/{name}"), "a percentage from 0 to 100 expected"));
            }
        }
        if self.latency.is_some_and(|v| v < 0.0) {
            return Err(SchemaError::at(format!("{at}/latency"), "milliseconds, not negative, expected"));
        }
        if self.further.len() > MEASUREMENTS_MAX {
            let detail = format!("at most {MEASUREMENTS_MAX} measurements beside cpu, ram, disk and latency");
            return Err(SchemaError::at(at, detail));
        }
        match self.further.iter().find(|(name, _)| !is_name(name)) {
            Some((name, _)) => Err(SchemaError::at(
                format!("{at}/{}", escape(name)),
                "a measurement's name is [a-z][a-z0-9_]{0,63}",
            )),
            None => Ok(()),
        }
    }
}

impl Serialize for Measurements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in
            [("cpu", self.cpu), ("ram", self.ram), ("disk", self.disk), ("latency", self.latency)]
        {
            if let Some(value) = value {
                map.serialize_entry(name, &value)?;
            }
        }
        for (name, value) in &self.further {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Measurements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Measurements;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of measurements")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Measurements, A::Error> {
                let mut found = Measurements::default();
                while let Some(NameText(name)) = map.next_key()? {
                    match &*name {
                        "cpu" => found.cpu = map.next_value()?,
                        "ram" => found.ram = map.next_value()?,
                        "disk" => found.disk = map.next_value()?,
                        "latency" => found.latency = map.next_value()?,
                        _ => {
                            if let PerhapsNumber(Some(value)) = map.next_value()? {
                                found.further.push((name.into_owned(), value));
                            }
                        }
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Measurements {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
        let number = || ObjectBuilder::new().schema_type(Type::Number).build();
        let mut object =
            ObjectBuilder::new().description(Some("What was measured; any further number by its name"));
        for name in ["cpu", "ram", "disk", "latency"] {
            object = object.property(name, number());
        }
        object.additional_properties(Some(AdditionalProperties::RefOr(number().into()))).into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Measurements {}

/// A member name, borrowed where it can be.
#[derive(Deserialize)]
#[serde(transparent)]
struct NameText<'a>(#[serde(borrow)] Cow<'a, str>);

/// A number, or something without meaning here.
struct PerhapsNumber(Option<f64>);

impl<'de> Deserialize<'de> for PerhapsNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        #[rustfmt::skip]
        impl<'de> Visitor<'de> for Any {
            type Value = PerhapsNumber;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("any value") }
            fn visit_f64<E>(self, v: f64) -> Result<PerhapsNumber, E> { Ok(PerhapsNumber(Some(v))) }
            // Exact: the scanner refused integers beyond 2^53 − 1.
            fn visit_u64<E>(self, v: u64) -> Result<PerhapsNumber, E> { Ok(PerhapsNumber(Some(v as f64))) }
            fn visit_i64<E>(self, v: i64) -> Result<PerhapsNumber, E> { Ok(PerhapsNumber(Some(v as f64))) }
            fn visit_bool<E>(self, _: bool) -> Result<PerhapsNumber, E> { Ok(PerhapsNumber(None)) }
            fn visit_str<E>(self, _: &str) -> Result<PerhapsNumber, E> { Ok(PerhapsNumber(None)) }
            fn visit_unit<E>(self) -> Result<PerhapsNumber, E> { Ok(PerhapsNumber(None)) }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PerhapsNumber, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(PerhapsNumber(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PerhapsNumber, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(PerhapsNumber(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
