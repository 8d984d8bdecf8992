//! `GET /api/v1/fleet/metrics`: the fleet's buckets. `GET /api/v1/fleet/top`: the agents that stand out.

use super::{present, question};
use crate::{
    history::{
        History, TopAgent,
        plan::{Plan, TOP_ITEMS_DEFAULT, TOP_ITEMS_MAX, TopPlan, TopQuestion},
    },
    http::{problem::Refusal, query::Params, respond, respond::Representation},
};
use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// The agents that stand out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FleetTop {
    /// They, in the order that was asked for.
    pub items: Vec<TopAgent>,
    /// The tiers that were read.
    #[schema(value_type = Vec<String>)]
    pub tiers: crate::history::Tiers,
}

/// `GET /api/v1/fleet/metrics`: buckets of all agents together.
pub async fn fleet(
    State(room): State<Arc<History>>,
    params: Params,
    form: Representation,
) -> Result<Response, Refusal> {
    let plan = Plan::fleet(question(&params)?, room.clock.now())?;
    let (fields, outbox) = (plan.fields.clone(), room.readers.outbox().clone());
    let tell = move |page, wanted: &_| present::write(form, page, &fields, &outbox, wanted);
    room.buckets(None, plan, tell).await
}

/// `GET /api/v1/fleet/top`: agents, compared by one measurement of the last hours.
pub async fn top(State(room): State<Arc<History>>, params: Params) -> Result<Response, Refusal> {
    let question = TopQuestion {
        field: params.required("field")?,
        window: params.duration("window")?,
        of: params.text("of"),
        order: params.text("order"),
        limit: params.number("limit", 1..=TOP_ITEMS_MAX, TOP_ITEMS_DEFAULT)?,
    };
    let plan = TopPlan::new(question, room.clock.now())?;
    let (items, tiers) = room.top(plan).await?;
    let answer = respond::json(StatusCode::OK, &FleetTop { items, tiers: tiers.clone() });
    Ok(present::with_tiers(answer, &tiers))
}
