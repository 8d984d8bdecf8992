//! How a row of the route table may refuse: what follows from its rules, and what its description adds.

use super::{prometheus, routes::Doc, senders};
use crate::http::{
    envelope::ErrorType,
    route::Route,
    rules::{Auth, Dialect, Rules},
};
use pingup_protocol::problem::ProblemType;
use std::collections::{BTreeMap, BTreeSet};

/// The names of a route's refusals, by status.
pub(super) fn of(route: &Route, doc: &Doc) -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut names: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    let described = |kind: &&ProblemType| doc.answers.iter().all(|answer| answer.status != kind.status());
    for &kind in general(&route.rules).iter().chain(doc.refusals).filter(described) {
        let name = match route.rules.dialect {
            Dialect::Prometheus => ErrorType::from(kind).name(),
            Dialect::Pingup | Dialect::RemoteWrite | Dialect::Otlp(_) => kind.name(),
        };
        names.entry(kind.status()).or_default().insert(name);
    }
    if route.rules.dialect == Dialect::Prometheus {
        for failure in prometheus::failures(route.path, &route.rules) {
            names.entry(failure.status()).or_default().insert(failure.name());
        }
    }
    if route.rules.dialect.is_senders() {
        let (status, name) = senders::BAD_SAMPLES;
        names.entry(status).or_default().insert(name);
    }
    names
}

/// The refusals that follow from a row of the table.
fn general(rules: &Rules) -> Vec<ProblemType> {
    use ProblemType as P;
    let mut kinds =
        vec![P::NotAcceptable, P::HeadersTooLarge, P::RateLimited, P::Overloaded, P::InternalError];
    if rules.dialect == Dialect::Pingup {
        kinds.push(P::SchemaInvalid);
    }
    if rules.auth != Auth::Open {
        kinds.extend([P::TokenMissing, P::TokenInvalid, P::TokenExpired]);
    }
    if rules.auth.takes_operators() {
        kinds.extend([P::ScopeDenied, P::RateLimited]);
    }
    if matches!(rules.auth, Auth::Agent(_) | Auth::AgentOr(..)) {
        kinds.extend([P::AgentRevoked, P::AgentMismatch]);
    }
    if rules.body_bytes_max.is_some() {
        kinds.push(P::UnsupportedMediaType);
    }
    // What is too large for remote write is 400, as all that it will never take.
    if rules.body_bytes_max.is_some() && rules.dialect != Dialect::RemoteWrite {
        kinds.push(P::PayloadTooLarge);
    }
    if rules.body_bytes_max.is_some() && rules.dialect == Dialect::Pingup {
        kinds.extend([P::MalformedJson, P::InvalidUnicode]);
        kinds.extend([P::DuplicateMember, P::NestingTooDeep, P::NumberOutOfRange]);
        if matches!(rules.auth, Auth::Agent(_)) {
            kinds.extend([P::SignatureMissing, P::SignatureMalformed, P::SignatureInvalid]);
        }
    }
    kinds
}
