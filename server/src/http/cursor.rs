//! Cursors of lists: where the next page begins, as opaque text.

use super::problem::Refusal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// Writes a place as a cursor.
pub fn encode(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// Reads a cursor that [`encode`] wrote.
pub fn decode<T: DeserializeOwned>(cursor: &str) -> Result<T, Refusal> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| Refusal::parameter("cursor", "give back nextCursor as it was given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nonsense_nowhere() {
        let place = (1_u64, "CMD-2026-001".to_owned());
        assert_eq!(decode::<(u64, String)>(&encode(&place)).unwrap(), place);
        for bad in ["", "%%%", "e30", &encode(&"x")] {
            assert!(decode::<(u64, String)>(bad).is_err(), "{bad}");
        }
    }
}
