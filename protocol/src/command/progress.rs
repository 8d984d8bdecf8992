//! What an agent says of a command while it runs: that it began, and its output so far, piece by piece.
//!
//! A piece says where it belongs, so that one that comes twice, or late, changes nothing: the hub takes of it what lies
//! behind what it has, and says how much that is by then.

use super::CommandStatus;
use crate::{
    ids::AgentId,
    limits::{OUTPUT_BYTES_MAX, PROGRESS_BYTES_MAX},
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// `POST /api/v1/commands/:id/progress`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProgressBody {
    /// Who runs it.
    pub agent_id: AgentId,
    /// The agent's clock when it signed this.
    pub timestamp: Timestamp,
    /// Which command.
    pub command_id: String,
    /// Its place in the agent's order.
    pub command_seq: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// How many bytes of its output, as UTF-8, come before `output`.
    #[serde(default)]
    pub offset: u64,
    /// What it printed there; at most 32 KiB.
    #[serde(default)]
    pub output: String,
}

impl Checked for ProgressBody {
    fn check(&self) -> Result<(), SchemaError> {
        if self.output.len() > PROGRESS_BYTES_MAX {
            return Err(SchemaError::at("/output", format!("at most {PROGRESS_BYTES_MAX} bytes expected")));
        }
        if self.offset.saturating_add(self.output.len() as u64) > OUTPUT_BYTES_MAX as u64 {
            return Err(SchemaError::at(
                "/offset",
                format!("at most {OUTPUT_BYTES_MAX} bytes in all expected"),
            ));
        }
        Ok(())
    }
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProgressAnswer {
    /// Which command.
    pub command_id: String,
    /// Where it stands now.
    pub status: CommandStatus,
    /// How many bytes of its output the hub has: where the next piece belongs.
    pub output_bytes: u64,
    /// The hub's clock.
    pub server_time: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use serde_json::json;

    fn read(offset: u64, bytes: usize) -> Result<ProgressBody, SchemaError> {
        let body = json!({
            "agentId": "a", "timestamp": "2026-02-25T10:00:00Z", "commandId": "CMD-2026-001", "commandSeq": 1,
            "startedAt": "2026-02-25T10:00:00Z", "offset": offset, "output": "x".repeat(bytes),
        });
        schema::read(body.to_string().as_bytes())
    }

    #[test]
    fn a_piece_and_all_of_them_have_their_size() {
        let room = (OUTPUT_BYTES_MAX - PROGRESS_BYTES_MAX) as u64;
        assert!(read(room, PROGRESS_BYTES_MAX).is_ok());
        assert_eq!(read(0, PROGRESS_BYTES_MAX + 1).unwrap_err().errors[0].pointer, "/output");
        assert_eq!(read(room + 1, PROGRESS_BYTES_MAX).unwrap_err().errors[0].pointer, "/offset");
        assert_eq!(read(u64::MAX / 2, 1).unwrap_err().errors[0].pointer, "/offset");
    }

    #[test]
    fn that_it_began_can_be_said_without_output() {
        let body = json!({
            "agentId": "a", "timestamp": "2026-02-25T10:00:00Z", "commandId": "CMD-2026-001", "commandSeq": 1,
            "startedAt": "2026-02-25T10:00:00Z",
        });
        let body: ProgressBody = schema::read(body.to_string().as_bytes()).unwrap();
        assert_eq!((body.offset, body.output.as_str()), (0, ""));
    }
}
