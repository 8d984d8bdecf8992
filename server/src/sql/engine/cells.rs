//! A cell of an answer, as JSON.
//!
//! What JSON has no form for is text: whole numbers that a double does not hold, decimals of more digits than it keeps,
//! what is no number (`NaN`, `Infinity`), and every type that is neither number, truth, text, list, struct nor map.
//! Moments are RFC 3339, in UTC; those of later years have a sign before the year. What cannot be said is an error.

use arrow::{
    array::{Array, AsArray, ListArray, MapArray, StructArray},
    datatypes::{
        ArrowTimestampType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
        Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use pingup_protocol::time::Timestamp;
use serde_json::{Map, Number, Value};
use std::ops::RangeInclusive;

/// The greatest whole number up to which a double holds all.
const WHOLE_MAX: i128 = (1 << 53) - 1;
/// The moments that RFC 3339 can write: the years 0000 to 9999, in microseconds since 1970.
const WRITTEN_MICROS: RangeInclusive<i64> = -62_167_219_200_000_000..=253_402_300_799_999_999;
/// Digits that a double keeps.
const DIGITS_MAX: usize = 15;

/// DuckDB's words for what comes after every moment, and before.
const INFINITE: &str = "infinity";
const BEFORE_ALL: &str = "-infinity";

/// The cell of `array` at `row`.
pub(super) fn value(array: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    macro_rules! whole {
        ($of:ty) => {
            whole(i128::from(array.as_primitive::<$of>().value(row)))
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Float32 => double(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) | DataType::Decimal256(..) => decimal(text(array, row)?),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let at = array.as_primitive::<TimestampMicrosecondType>().value(row);
            match WRITTEN_MICROS.contains(&at) {
                true => Timestamp::from_micros(at).to_string().into(),
                false => moment::<TimestampMicrosecondType>(array, row)?.into(),
            }
        }
        DataType::Timestamp(TimeUnit::Second, _) => moment::<TimestampSecondType>(array, row)?.into(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            moment::<TimestampMillisecondType>(array, row)?.into()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => moment::<TimestampNanosecondType>(array, row)?.into(),
        DataType::Date32 => match array.as_primitive::<Date32Type>().value(row) {
            i32::MAX => INFINITE.into(),
            day if day == -i32::MAX => BEFORE_ALL.into(),
            _ => text(array, row)?.into(),
        },
        DataType::List(_) => list(array.as_list(), row)?,
        DataType::Struct(_) => Value::Object(members(array.as_struct(), row)?),
        DataType::Map(..) => map(array.as_map(), row)?,
        _ => text(array, row)?.into(),
    })
}

/// The cell as text that is no JSON: for tables.
pub(super) fn text(array: &dyn Array, row: usize) -> Result<String, ArrowError> {
    // Arrow writes 38 digits of it; a HUGEINT may have 39.
    if let DataType::Decimal128(_, 0) = array.data_type() {
        return Ok(array.as_primitive::<Decimal128Type>().value(row).to_string());
    }
    ArrayFormatter::try_new(array, &FormatOptions::default())?.value(row).try_to_string()
}

/// A moment by the calendar, or one of DuckDB's two that are behind and before all others.
fn moment<T: ArrowTimestampType>(array: &dyn Array, row: usize) -> Result<String, ArrowError> {
    let moments = array.as_primitive::<T>();
    match moments.value(row) {
        i64::MAX => Ok(INFINITE.to_owned()),
        at if at == -i64::MAX => Ok(BEFORE_ALL.to_owned()),
        at => match moments.value_as_datetime(row) {
            Some(said) => Ok(format!("{said:?}Z")),
            None => Err(ArrowError::CastError(format!("no calendar has the moment {at}"))),
        },
    }
}

fn whole(number: i128) -> Value {
    match i64::try_from(number).ok().filter(|_| number.abs() <= WHOLE_MAX) {
        Some(number) => number.into(),
        None => number.to_string().into(),
    }
}

fn double(number: f64) -> Value {
    let infinite = || {
        if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
    };
    Number::from_f64(number).map_or_else(|| infinite().into(), Value::Number)
}

fn decimal(digits: String) -> Value {
    if let Ok(number) = digits.parse::<i128>() {
        return whole(number);
    }
    let significant = digits.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    match digits.parse::<f64>() {
        Ok(number) if significant <= DIGITS_MAX => double(number),
        _ => digits.into(),
    }
}

fn list(array: &ListArray, row: usize) -> Result<Value, ArrowError> {
    let values = array.value(row);
    (0..values.len()).map(|place| value(&values, place)).collect()
}

fn members(array: &StructArray, row: usize) -> Result<Map<String, Value>, ArrowError> {
    let members = array.fields().iter().zip(array.columns());
    members.map(|(field, column)| Ok((field.name().clone(), value(column, row)?))).collect()
}

/// A map by texts is an object, any other a list of pairs.
fn map(array: &MapArray, row: usize) -> Result<Value, ArrowError> {
    let entries = array.value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let places = 0..entries.len();
    if *keys.data_type() == DataType::Utf8 {
        let names = keys.as_string::<i32>();
        let members = places.map(|place| Ok((names.value(place).to_owned(), value(values, place)?)));
        return members.collect::<Result<Map<_, _>, ArrowError>>().map(Value::Object);
    }
    places.map(|place| Ok(Value::Array(vec![value(keys, place)?, value(values, place)?]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray};
    use serde_json::json;

    #[test]
    fn what_json_has_no_form_for_is_text() {
        let max = WHOLE_MAX as i64;
        let whole = Int64Array::from(vec![Some(max), Some(-max), Some(max + 1), None]);
        let doubles = Float64Array::from(vec![1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        let decimals = Decimal128Array::from(vec![15, -1_234_567_890_123_456_789, 0, -5]);
        let decimals = decimals.with_precision_and_scale(38, 1).unwrap();
        let of = |array: &dyn Array| -> Value { (0..4).map(|row| value(array, row).unwrap()).collect() };
        assert_eq!(of(&whole), json!([max, -max, "9007199254740992", null]));
        assert_eq!(of(&doubles), json!([1.5, "NaN", "Infinity", "-Infinity"]));
        assert_eq!(of(&decimals), json!([1.5, "-123456789012345678.9", 0.0, -0.5]));
    }

    #[test]
    fn moments_are_in_utc_and_days_are_days() {
        let moments = TimestampMicrosecondArray::from(vec![1_800_000_000_000_000]);
        assert_eq!(value(&moments, 0).unwrap(), json!("2027-01-15T08:00:00Z"));
        assert_eq!(value(&Date32Array::from(vec![1]), 0).unwrap(), json!("1970-01-02"));
    }
}
