//! `GET /health`: 200 when every part works, 503 when one does not, and which.

use super::{Health, HealthStatus};
use crate::http::respond;
use axum::{extract::State, response::Response};
use http::StatusCode;
use std::sync::Arc;

/// Tells the last examination.
pub async fn get(State(health): State<Arc<Health>>) -> Response {
    let report = health.report();
    let status = match report.status {
        HealthStatus::Ok => StatusCode::OK,
        HealthStatus::Degraded => StatusCode::SERVICE_UNAVAILABLE,
    };
    respond::json(status, &report)
}
